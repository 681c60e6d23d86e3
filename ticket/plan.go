package ticket

import (
	"slices"
	"time"
)

// kinds are those that a tenant has: without an agent there is no agent_config.
func (l *lease) kinds() []Kind {
	if l.HasAgents {
		return []Kind{AccessToken, JSAPITicket, AgentConfig}
	}
	return []Kind{AccessToken, JSAPITicket}
}

// tokenMargin is how long an access_token must last to be called with.
const tokenMargin = 5 * time.Second

// plan says what an attempt fetches: a new access_token, and which tickets. Only
// what is due, or failed, is fetched again.
func (l *lease) plan() (token bool, tickets []Kind) {
	if l.Refetch != "" && !l.Forced && !l.demanded {
		return l.planRefetch()
	}
	var due, failed []Kind
	for _, k := range l.kinds() {
		c := l.credentials[k]
		switch {
		case l.Forced, k == l.Refetch, c.NextAt.IsZero(), !c.NextAt.After(l.Now),
			l.demanded && (c.Forgotten || !c.ExpiresAt.After(l.Now)) && healsByTrying(k, c.Errcode):
			due = append(due, k)
		case c.Failures > 0:
			failed = append(failed, k)
		}
	}
	switch {
	case len(due) > 0:
		due = append(due, l.soon(due)...)
	case !l.demanded:
		due = failed // it was woken: what it waited for is there
	}
	for _, k := range due {
		if k == AccessToken {
			token = true
		} else {
			tickets = append(tickets, k)
		}
	}
	if len(tickets) > 0 && !l.tokenLives() {
		token = true
	}
	return token, tickets
}

// planRefetch is for a kind that a report asked for: that alone, for that is what
// was charged. What else is due is claimed again afterwards.
func (l *lease) planRefetch() (token bool, tickets []Kind) {
	switch {
	case !slices.Contains(l.kinds(), l.Refetch): // the agent is gone
		return false, nil
	case l.Refetch == AccessToken:
		return true, nil
	}
	return !l.tokenLives(), []Kind{l.Refetch}
}

// soon is what will be due within minutes: fetched now, it stays in step with the
// rest, and one claim a cycle does for all.
func (l *lease) soon(due []Kind) []Kind {
	var out []Kind
	for _, k := range l.kinds() {
		c := l.credentials[k]
		lifetime := c.ExpiresAt.Sub(c.RefreshedAt)
		inStep := c.Failures == 0 && c.ExpiresAt.Sub(c.NextAt) >= lifetime/4 // not one that WeCom repeats
		if inStep && !slices.Contains(due, k) && c.NextAt.After(l.Now) && !c.NextAt.After(l.Now.Add(min(5*time.Minute, lifetime/12))) {
			out = append(out, k)
		}
	}
	return out
}

// tokenLives reports whether the stored access_token can be called with.
func (l *lease) tokenLives() bool {
	c := l.credentials[AccessToken]
	return c.Sealed != nil && c.ExpiresAt.After(l.now().Add(tokenMargin))
}
