package wecomtest

import "time"

// issue answers with a credential of a slot: the one that lives or a new one, as
// the rotation says, and with the expires_in to print.
func (s *Server) issue(sl *slot, made credential) (*credential, int) {
	now := s.now()
	life := s.cfg.lifetime(made.kind)
	full := int(life / time.Second)
	if c := sl.newest(); c != nil && c.live(now) {
		left := int(c.expires.Sub(now) / time.Second)
		switch s.cfg.rotation(made.kind) {
		case Sticky:
			if left > 0 { // in its last second the platform cannot print it any more
				return c, left
			}
		case StickyConstant:
			return c, full
		case Rotating:
			if end := now.Add(s.cfg.Grace); end.Before(c.expires) {
				c.expires = end
			}
		}
	}
	c := &made
	c.value = opaque(64)
	c.issued, c.expires = now, now.Add(life)
	s.creds[c.value] = c
	*sl = append(*sl, c)
	s.forgetDead(sl, now)
	s.changed()
	return c, full
}

// forgetDead drops all but the youngest dead credentials of a slot.
func (s *Server) forgetDead(sl *slot, now time.Time) {
	dead := 0
	for _, c := range *sl {
		if !c.live(now) {
			dead++
		}
	}
	if dead <= keepDead {
		return
	}
	kept := (*sl)[:0]
	for _, c := range *sl {
		if !c.live(now) && dead > keepDead {
			dead--
			delete(s.creds, c.value)
			continue
		}
		kept = append(kept, c)
	}
	clear((*sl)[len(kept):])
	*sl = kept
}

// kill ends every credential of a slot at once.
func (sl slot) kill() {
	for _, c := range sl {
		c.revoked = true
	}
}

// suiteOf finds the suite that a suite_access_token was given to.
func (s *Server) suiteOf(token string) (*suite, *refusal) {
	if token == "" {
		return nil, refuse(41022)
	}
	c := s.creds[token]
	switch {
	case c == nil || c.kind != SuiteAccessToken || c.revoked:
		return nil, refuse(40082)
	case !c.live(s.now()):
		return nil, refuse(42009)
	}
	return c.suite, nil
}

// vendorOf finds the provider that a provider_access_token was given to.
func (s *Server) vendorOf(token string) (*provider, *refusal) {
	c := s.creds[token]
	switch {
	case c == nil || c.kind != ProviderAccessToken || c.revoked:
		return nil, refuse(40082)
	case !c.live(s.now()):
		return nil, refuse(42009)
	}
	return c.vendor, nil
}

// appOf finds the app that an access_token was given to. Tokens of the other
// kinds are as good as unknown (errcode 40014, "token type used wrongly").
func (s *Server) appOf(token string) (*app, *refusal) {
	if token == "" {
		return nil, refuse(41001)
	}
	c := s.creds[token]
	switch {
	case c == nil || c.kind != AccessToken || c.revoked:
		return nil, refuse(40014)
	case !c.live(s.now()):
		return nil, refuse(42001)
	}
	return c.app, nil
}
