package idempotency

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"suitesign/secret"
)

// Turn is the right to do a request under a name. It ends with Done or Forget.
type Turn struct {
	store *Store
	name  name
	owner uuid.UUID
	ctx   context.Context //nolint:containedctx // of the extending, which cut ends
	cut   context.CancelFunc
}

// turn begins to extend the lease: a request may take longer than one.
func (s *Store) turn(ctx context.Context, n name, owner uuid.UUID) *Turn {
	t := &Turn{store: s, name: n, owner: owner}
	t.ctx, t.cut = context.WithCancel(context.WithoutCancel(ctx)) // the handler may go on after its client went away
	go t.extend()
	return t
}

func (t *Turn) extend() {
	ticker := time.NewTicker(extend)
	defer ticker.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-ticker.C:
			const q = `UPDATE idempotency_keys SET lease_until = now() + $4::interval WHERE holder = $1 AND key_digest = $2 AND owner = $3 AND state = 'running'`
			_, _ = t.store.Pool.Exec(t.ctx, q, t.name.holder, t.name.digest, t.owner, lease) // the next one may get through
		}
	}
}

// patience is how long the end of a turn may take: nobody waits for it but the answer.
const patience = 5 * time.Second

// Done stores what the request was answered. It is stored although the client went away: that is what it is for.
func (t *Turn) Done(ctx context.Context, request []byte, a Answer) error {
	t.cut()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("store an answer: %w", err)
	}
	answer, err := t.store.Ring.Seal(secret.New(string(text)), t.name.at(answerColumn))
	if err != nil {
		return fmt.Errorf("store an answer: %w", err)
	}
	sealed, err := t.store.sealRequest(t.name, request)
	if err != nil {
		return fmt.Errorf("store an answer: %w", err)
	}
	const q = `
UPDATE idempotency_keys SET state = 'done', request_sealed = $4, answer_sealed = $5
WHERE holder = $1 AND key_digest = $2 AND owner = $3 AND state = 'running'`
	if _, err := t.store.Pool.Exec(ctx, q, t.name.holder, t.name.digest, t.owner, sealed, answer); err != nil {
		return fmt.Errorf("store an answer: %w", err)
	}
	return nil
}

// Forget gives the name back: the request may be done again.
func (t *Turn) Forget(ctx context.Context) error {
	t.cut()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	const q = `DELETE FROM idempotency_keys WHERE holder = $1 AND key_digest = $2 AND owner = $3 AND state = 'running'`
	if _, err := t.store.Pool.Exec(ctx, q, t.name.holder, t.name.digest, t.owner); err != nil {
		return fmt.Errorf("forget an idempotency key: %w", err)
	}
	return nil
}
