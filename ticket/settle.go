package ticket

import (
	"bytes"
	"errors"
	"time"

	"suitesign/tenant"
)

// outcome is what an attempt leaves behind: the new state of the credentials that
// it touched, when the tenant is due again, and whether it is parked.
type outcome struct {
	lease       *lease
	credentials []newCredential
	dueAt       time.Time // zero: never, until it is woken
	failures    int
	parked      reason
	parkedAt    int64 // the version whose change wakes it; 0: it does not wait for one
	health      tenant.HealthChange
	pause       time.Duration // how long no report leads to another refetch; 0: as long as it was
}

// newCredential is a credential after an attempt. sealed is set if its value is new.
type newCredential struct {
	credential
	sealed []byte
}

// result is what became of one credential that was wanted: a value, an error, or
// neither where there was no access_token to ask with.
type result struct {
	asked       time.Time // by the database's clock, before the call was made
	sealed      []byte
	fingerprint []byte
	expiresIn   time.Duration
	err         error
	outcome     Outcome
}

func (r *result) neverAsked() bool { return r.err == nil && r.sealed == nil }

// settle turns results into the state that is stored. It is pure: now is the
// database's time, jitter in [0, 1) is the attempt's, one for all of its
// credentials so that they stay in step.
func (l *lease) settle(results map[Kind]*result, now time.Time, jitter float64) *outcome {
	o := &outcome{lease: l}
	after := map[Kind]*credential{}
	var parking *remedy
	waiting := map[Kind]bool{}    // could not be asked for without an access_token: due, but not by itself
	for _, k := range l.kinds() { // the access_token is the first
		c := l.credentials[k]
		c.Kind = k
		after[k] = &c
		res := results[k]
		if res == nil {
			continue
		}
		n := newCredential{credential: c}
		if res.neverAsked() {
			n.NextAt, waiting[k] = now, true
		} else if err := n.take(res, now, jitter); err != nil {
			r := remedyFor(k, l.SuiteKind, n.Failures+1, err)
			n.fail(err, r, now, jitter)
			res.outcome = Failed
			o.failures = l.Failures + 1
			if r.park != "" && (parking == nil || r.block) {
				parking = &r
			}
		}
		if k == l.Refetch && res.outcome == Repeated {
			o.pause = refetchInVain
		}
		*after[k] = n.credential
		o.credentials = append(o.credentials, n)
	}
	o.schedule(after, waiting, parking)
	o.diagnose(after, parking)
	return o
}

// settleInactive parks a tenant that may not sign. What it holds stays.
func (l *lease) settleInactive() *outcome {
	return &outcome{lease: l, parked: parkedInactive, health: l.stored()}
}

// take takes over a value. The error says why it is of no lasting use.
func (n *newCredential) take(res *result, now time.Time, jitter float64) error {
	if res.err != nil {
		return res.err
	}
	expires := res.asked.Add(res.expiresIn)
	if n.Generation > 0 && bytes.Equal(res.fingerprint, n.Fingerprint) {
		res.outcome = Repeated
		if n.ExpiresAt.Before(expires) {
			expires = n.ExpiresAt // some calls print the full lifetime every time
		}
		if !expires.After(now) {
			return errDead
		}
		if n.Forgotten {
			n.sealed, n.Generation = res.sealed, n.Generation+1
		}
		lifetime := n.ExpiresAt.Sub(n.RefreshedAt)
		n.ExpiresAt, n.NextAt = expires, NextAfterRepeat(now, expires, lifetime, jitter)
		n.Failures, n.Errcode, n.Error, n.ErrorAt = 0, nil, "", nil
		return nil
	}
	res.outcome = Fetched
	n.sealed, n.Fingerprint = res.sealed, res.fingerprint
	n.Generation++
	n.ExpiresAt, n.RefreshedAt = expires, now
	if res.expiresIn < atLeast {
		return errShort
	}
	n.NextAt = NextAfterSuccess(now, expires, jitter)
	n.Failures, n.Errcode, n.Error, n.ErrorAt = 0, nil, "", nil
	return nil
}

func (n *newCredential) fail(err error, r remedy, now time.Time, jitter float64) {
	n.Failures++
	if !errors.Is(err, errBlocked) || n.Error == "" { // what WeCom said then tells more
		n.Errcode, n.Error = tell(err)
		n.ErrorAt = &now
	}
	n.NextAt = r.next(now, n.Failures, jitter)
}

// schedule decides when the tenant is due again, and what it is parked for.
func (o *outcome) schedule(after map[Kind]*credential, waiting map[Kind]bool, parking *remedy) {
	token := after[AccessToken]
	if parking == nil {
		for k, c := range after {
			if !waiting[k] {
				o.dueAt = sooner(o.dueAt, c.NextAt)
			}
		}
		return
	}
	o.parked = parking.park
	switch {
	case parking.stop:
	case o.parked == parkedUnauthorized || o.parked == parkedRefused:
		// A probe, of what failed. Whatever else is due would be refused as well.
		o.parkedAt = o.lease.auth.Version
		for _, c := range after {
			if c.Failures > 0 {
				o.dueAt = latest(o.dueAt, c.NextAt)
			}
		}
	case o.parked == parkedSecret:
		o.parkedAt = o.lease.auth.Version
	default:
		// There is no new access_token, but tickets go on for as long as the old one lives.
		o.dueAt = token.NextAt
		for k, c := range after {
			if k != AccessToken && !waiting[k] && c.NextAt.Before(token.ExpiresAt) {
				o.dueAt = sooner(o.dueAt, c.NextAt)
			}
		}
	}
}

// sooner is the earlier of two times; zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// diagnose says how the tenant fares: as its worst credential.
func (o *outcome) diagnose(after map[Kind]*credential, parking *remedy) {
	o.health = tenant.HealthChange{TenantID: o.lease.TenantID, Health: tenant.OK}
	for _, k := range o.lease.kinds() {
		if c := after[k]; c.Failures > 0 {
			o.health.Health, o.health.Errcode, o.health.Error = tenant.Failing, int(value(c.Errcode)), string(k)+": "+c.Error
			break
		}
	}
	if parking != nil {
		o.health.Health = parking.health
	}
}

// stored is the health that the tenant's row has.
func (l *lease) stored() tenant.HealthChange {
	return tenant.HealthChange{TenantID: l.TenantID, Health: l.Health, Errcode: l.LastErrcode, Error: l.LastError}
}
