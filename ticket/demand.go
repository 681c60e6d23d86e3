package ticket

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// flight is one Demand under way; whoever asks for the same tenant waits with it.
type flight struct {
	done chan struct{}
	err  error
}

const (
	lookAgain   = 50 * time.Millisecond // at what another process is doing, plus up to as much
	demandLimit = 20 * time.Second      // of a flight, which outlasts whoever waits for it
)

// Demand refreshes a tenant that has no live ticket because a page asks for one.
// It returns nil if there is one now: look again. All requests of a process wait
// for one flight, and flights of several replicas for one lease; the wait is
// bounded, the attempt goes on without them. At most one attempt in 5 s is made
// for one tenant. ErrNone.
func (r *Refresher) Demand(ctx context.Context, id uuid.UUID) error {
	return r.demandFor(ctx, destination{id: id})
}

// DemandToken is Demand for the tenant's access_token: a back end asks, and none
// lives, or the one that does was refused. ErrNone.
func (r *Refresher) DemandToken(ctx context.Context, id uuid.UUID) error {
	return r.demandFor(ctx, destination{id: id, token: true})
}

// destination is what a flight is for: a tenant's tickets, or its access_token.
type destination struct {
	id    uuid.UUID
	token bool
}

func (r *Refresher) demandFor(ctx context.Context, to destination) error {
	r.setup()
	id, f := to.id, r.board(ctx, to)
	if f == nil {
		return fmt.Errorf("tenant %s: %w: too many others wait for theirs", id, ErrNone)
	}
	patience := time.NewTimer(or(r.WaitFor, defaultWait))
	defer patience.Stop()
	select {
	case <-f.done:
		return f.err
	case <-patience.C:
		return fmt.Errorf("tenant %s: %w yet: a refresh is under way", id, ErrNone)
	case <-ctx.Done():
		return fmt.Errorf("tenant %s: %w: %w", id, ErrNone, ctx.Err())
	}
}

// board joins the tenant's flight or starts one; nil where too many are under way.
func (r *Refresher) board(ctx context.Context, to destination) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.flights[to]; f != nil {
		return f
	}
	if len(r.flights) >= maxDemands {
		return nil
	}
	f := &flight{done: make(chan struct{}), err: ErrNone}
	r.flights[to] = f
	ctx = context.WithoutCancel(ctx) // it is not only the first one's
	r.flying.Go(func() {
		defer func() {
			r.mu.Lock()
			delete(r.flights, to)
			r.mu.Unlock()
			close(f.done)
		}()
		ctx, cancel := context.WithTimeout(ctx, demandLimit)
		defer cancel()
		f.err = r.demand(ctx, to)
	})
	return f
}

// demand looks, leases, works, and looks again.
func (r *Refresher) demand(ctx context.Context, to destination) error {
	id := to.id
	until := time.Now().Add(or(r.WaitFor, defaultWait))
	for enrolled := false; ; {
		s, err := r.store.state(ctx, id)
		switch {
		case err != nil:
			return err
		case s.complete(to):
			return nil
		case s.missing || s.parked != "":
			if enrolled {
				return s.answer(to)
			}
			if _, _, err := r.store.enrol(ctx, oneTenant, id); err != nil { // not to wait for the heartbeat to do so
				return err
			}
			enrolled = true
			continue // look again in any case: the heartbeat may have been faster
		case s.leased: // somebody is at it
		case s.attempted:
			return s.answer(to)
		default:
			tried, err := r.try(ctx, id)
			if err != nil {
				return fmt.Errorf("tenant %s: %w: %w", id, ErrNone, err)
			}
			if tried {
				if s, err = r.store.state(ctx, id); err != nil {
					return err
				}
				return s.answer(to)
			}
		}
		if time.Now().After(until) {
			return s.answer(to)
		}
		select {
		case <-time.After(lookAgain + rand.N(lookAgain)): //nolint:gosec // a jitter is no secret
		case <-ctx.Done():
			return s.answer(to)
		}
	}
}

// try makes one attempt if the tenant can be leased.
func (r *Refresher) try(ctx context.Context, id uuid.UUID) (bool, error) {
	down := r.weather.on()
	if down {
		if ok, err := r.store.mayProbe(ctx); err != nil || !ok {
			return false, errors.Join(errDown, err)
		}
	}
	began := time.Now()
	l, err := r.store.claimDemanded(ctx, id, demandApart)
	if err != nil || l == nil {
		return false, err
	}
	l.probe = down
	if err := r.authorize(ctx, []*lease{l}); err != nil {
		return true, errors.Join(err, r.store.giveBack(context.WithoutCancel(ctx), []*lease{l}))
	}
	_, err = r.attempt(ctx, l, began)
	return true, err
}

// errDown: WeCom does not answer anybody; the next probe is soon.
var errDown = errors.New("WeCom does not answer")

// state is what a request has to know of a tenant.
type state struct {
	missing   bool // it has no place in the schedule
	parked    reason
	leased    bool
	attempted bool // not long ago
	hasAgents bool
	live      map[Kind]bool
}

func (s state) complete(to destination) bool {
	if to.token {
		return s.live[AccessToken]
	}
	return s.live[JSAPITicket] && (s.live[AgentConfig] || !s.hasAgents)
}

func (s state) answer(to destination) error {
	id := to.id
	if to.token && s.live[AccessToken] || !to.token && (s.live[JSAPITicket] || s.live[AgentConfig]) {
		return nil
	}
	if s.parked != "" {
		return fmt.Errorf("tenant %s: %w: parked: %s", id, ErrNone, s.parked)
	}
	return fmt.Errorf("tenant %s: %w", id, ErrNone)
}

func (s *store) state(ctx context.Context, id uuid.UUID) (state, error) {
	const q = `
SELECT r.parked_reason, COALESCE(r.lease_until > now(), false), COALESCE(r.attempted_at > now() - $2::interval, false),
	EXISTS (SELECT FROM agents g WHERE g.tenant_id = r.tenant_id),
	ARRAY (SELECT c.kind FROM credentials c WHERE c.tenant_id = r.tenant_id AND c.expires_at > now() AND c.value_sealed IS NOT NULL
		AND NOT (c.kind = '` + string(AccessToken) + `' AND (r.refetch = c.kind OR c.expires_at <= now() + $3::interval)))
FROM refreshes r WHERE r.tenant_id = $1`
	out := state{live: map[Kind]bool{}}
	var live []Kind
	err := s.pool.QueryRow(ctx, q, id, demandApart, tokenMargin).Scan(&out.parked, &out.leased, &out.attempted, &out.hasAgents, &live)
	if errors.Is(err, pgx.ErrNoRows) {
		return state{missing: true}, nil
	}
	if err != nil {
		return state{}, fmt.Errorf("state of tenant %s: %w", id, err)
	}
	for _, k := range live {
		out.live[k] = true
	}
	return out, nil
}
