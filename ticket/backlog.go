package ticket

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Backlog is how far the schedule is behind, over all replicas.
type Backlog struct {
	Due       int           // tenants that are due; those that are just being refreshed are among them
	Late      time.Duration // how long the one that waits longest has been due; 0: none is
	PerSecond float64       // tenants a second that the limits of our addresses allow in the long run; 0: they are off
	ETA       time.Duration // until it is worked off: as the limits allow, or at the pace seen lately where that is slower; 0: nothing waits
	Idle      int           // tenants that nobody asked for in IdleAfter: refreshed on the next request only
}

// behind reports whether somebody should hear of it. A beat or two are nothing.
func (b Backlog) behind() bool { return b.ETA >= progressEvery || b.Late >= 2*progressEvery }

const (
	backlogFor    = 5 * time.Second  // how old an answer of Backlog may be
	backlogLimit  = 5 * time.Second  // of its query
	paceOver      = time.Minute      // what is lately
	progressEvery = 30 * time.Second // how often one replica tells of all of them
)

// backlogs remembers what was seen, to know how fast it shrinks.
type backlogs struct {
	mu     sync.Mutex
	seen   []sighting // the last minute's
	last   Backlog
	told   bool      // that the schedule is behind
	lookAt time.Time // not before
}

type sighting struct {
	at  time.Time
	due int
}

// Backlog counts what is due. Whoever asks within five seconds gets the same answer.
func (r *Refresher) Backlog(ctx context.Context) (Backlog, error) {
	r.setup()
	b := &r.backlogs
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if n := len(b.seen); n > 0 && now.Sub(b.seen[n-1].at) < backlogFor {
		return b.last, nil
	}
	ctx, cancel := context.WithTimeout(ctx, backlogLimit)
	defer cancel()
	seen, err := r.store.backlog(ctx)
	if err != nil {
		return Backlog{}, err
	}
	for len(b.seen) > 0 && now.Sub(b.seen[0].at) > paceOver {
		b.seen = b.seen[1:]
	}
	b.seen = append(b.seen, sighting{now, seen.Due})
	if first := b.seen[0]; first.due > seen.Due && seen.Due > 0 {
		pace := float64(first.due-seen.Due) / now.Sub(first.at).Seconds()
		seen.ETA = max(seen.ETA, time.Duration(float64(seen.Due)/pace*float64(time.Second)))
	}
	b.last = seen
	return seen, nil
}

// backlog counts through the indexes that claims use, suite by suite; an address
// that made no calls in ten minutes is none of ours any more.
func (s *store) backlog(ctx context.Context) (Backlog, error) {
	const q = `
SELECT COALESCE(sum(d.n + f.n), 0)::int, COALESCE(extract(epoch FROM now() - LEAST(min(d.oldest), min(f.oldest))), 0)::float8, COALESCE(sum(i.n), 0)::int
FROM suites s
CROSS JOIN LATERAL (
	SELECT count(*) AS n, min(r.due_at) FILTER (WHERE r.due_at > to_timestamp(0)) AS oldest FROM refreshes r
	WHERE r.suite_id = s.suite_id AND r.failures = 0 AND r.due_at < 'infinity' AND r.due_at <= now()) d
CROSS JOIN LATERAL (
	SELECT count(*) AS n, min(r.due_at) FILTER (WHERE r.due_at > to_timestamp(0)) AS oldest FROM refreshes r
	WHERE r.suite_id = s.suite_id AND r.failures > 0 AND r.due_at < 'infinity' AND r.due_at <= now()) f
CROSS JOIN LATERAL (
	SELECT count(*) AS n FROM refreshes r WHERE r.suite_id = s.suite_id AND ` + idleRow + `) i`
	var b Backlog
	var late float64
	if err := s.pool.QueryRow(ctx, q).Scan(&b.Due, &late, &b.Idle); err != nil {
		return Backlog{}, fmt.Errorf("count what is due: %w", err)
	}
	b.Late = time.Duration(late * float64(time.Second))
	for _, c := range s.cells {
		if c.scope != scopeIPMinute && c.scope != scopeIPHour {
			continue
		}
		const q = `
SELECT GREATEST(count(*), 1), COALESCE(sum(extract(epoch FROM GREATEST(tat - now(), interval '0'))), 0)::float8
FROM budgets WHERE scope = $1 AND (key = $2 OR tat > now() - interval '10 minutes')`
		var addresses int
		var ahead float64 // of the clock, all cells together
		if err := s.pool.QueryRow(ctx, q, c.scope, s.egress).Scan(&addresses, &ahead); err != nil {
			return Backlog{}, fmt.Errorf("budgets of our addresses: %w", err)
		}
		perSecond, eta := c.pace(b.Due, addresses, time.Duration(ahead*float64(time.Second)))
		b.ETA = max(b.ETA, eta)
		if b.PerSecond == 0 || perSecond < b.PerSecond {
			b.PerSecond = perSecond
		}
	}
	return b, nil
}

// pace is how many tenants a second the cells of so many addresses allow, and how
// long so many due ones take if the cells are so far ahead of the clock together.
func (c cell) pace(due, addresses int, ahead time.Duration) (perSecond float64, eta time.Duration) {
	atOnce := int((time.Duration(addresses)*c.regular - ahead) / c.step)
	if rest := due - atOnce; rest > 0 {
		eta = time.Duration(rest) * c.step / time.Duration(addresses)
	}
	return float64(addresses) / c.step.Seconds(), eta
}

// progress tells the log how far a schedule that is behind has come. One replica
// does it for all.
func (r *Refresher) progress(ctx context.Context) error {
	b := &r.backlogs
	b.mu.Lock()
	now := time.Now()
	due := !now.Before(b.lookAt)
	if due {
		b.lookAt = now.Add(progressEvery)
	}
	b.mu.Unlock()
	if !due {
		return nil
	}
	ours, err := r.store.turn(ctx, scopeChore, "progress", progressEvery-time.Second)
	if err != nil || !ours {
		return err
	}
	seen, err := r.Backlog(ctx)
	if err != nil {
		return err
	}
	b.mu.Lock()
	before := b.told
	b.told = seen.behind()
	b.mu.Unlock()
	switch {
	case seen.behind():
		r.log().InfoContext(ctx, "refreshes are behind; they are spread within WeCom's limits",
			"due", seen.Due, "late", seen.Late.Round(time.Second), "per_second", seen.PerSecond, "eta", seen.ETA.Round(time.Second))
	case before:
		r.log().InfoContext(ctx, "refreshes are on time again", "due", seen.Due)
	}
	return nil
}
