package suite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"suitesign/tenant"
	"suitesign/wecom"
)

// A corp's payloads are removed in batches. Before the platform is answered only
// so many: the tenant is cancelled by then, and a corp with very many payloads
// must not cost the answer. The event stays due for the rest.
const (
	payloadBatch          = 1000
	batchesBeforeAnswer   = 4
	batchesOfTheBackstage = 1000
)

// cancelling is a cancel_auth that is stored and not in effect yet.
type cancelling struct {
	event     uuid.UUID
	suite     wecom.SuiteID
	corp      wecom.CorpID // any form that names the tenant
	sealedFor wecom.CorpID // receiveid of a push by the data URL: another form of the same corp
	at        time.Time    // what was consented until then is over
	batches   int
}

// takeCancel stores a cancel_auth and has it take effect. The event is committed
// before the tenant is looked for: an exchange that activates the tenant after
// that look finds the event (see activate).
func (s *Store) takeCancel(ctx context.Context, p push, args []any) (known, error) {
	k, err := s.taken(ctx, takeEvent, args...)
	if err != nil {
		return k, err
	}
	if k.state != eventPending {
		return k, s.cancelledAgain(ctx, p, k)
	}
	c := cancelling{event: k.id, suite: p.suite, corp: p.event.AuthCorpID, at: k.at, batches: batchesBeforeAnswer}
	if p.door == DataDoor {
		c.sealedFor = p.receiver
	}
	stands, err := s.cancel(ctx, c)
	if err == nil && stands != nil {
		err = s.dueNow(ctx, k.id) // a worker asks the platform whether the consent stands
	}
	return k, err
}

// cancelledAgain takes a cancel_auth that was in effect once. Usually it is a
// redelivery, and the consent of a later installation is younger. Only where that
// is of the same second, or was exchanged meanwhile, it could be another one that
// reads the same: the platform is asked.
func (s *Store) cancelledAgain(ctx context.Context, p push, k known) error {
	t, err := s.Tenants.Find(ctx, p.suite, p.event.AuthCorpID)
	switch {
	case errors.Is(err, tenant.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("cancel again: %w", err)
	case k.state != eventDone || t.Status == tenant.Cancelled || k.at.Before(t.AuthorizedAt):
		return nil
	}
	return s.dueNow(ctx, k.id)
}

// cancel ends the tenant whose consent is not younger than the cancel_auth, and
// removes what hangs off it. A tenant with a younger consent is handed back: the
// cancel_auth came late, and changes nothing by itself.
func (s *Store) cancel(ctx context.Context, c cancelling) (stands *tenant.Tenant, err error) {
	t, err := s.Tenants.Find(ctx, c.suite, c.corp)
	if errors.Is(err, tenant.ErrNotFound) {
		state := eventDone
		if c.sealedFor != "" {
			state = eventIgnored // the data URL speaks of known corps only
		}
		return nil, s.finish(ctx, c.event, state, nil)
	} else if err != nil {
		return nil, fmt.Errorf("cancel: %w", err)
	}
	if c.sealedFor != "" && !slices.Contains(formsOf(t), c.sealedFor) {
		return nil, s.finish(ctx, c.event, eventIgnored, nil)
	}
	ended, err := s.Tenants.Cancel(ctx, t.ID, c.at)
	if err != nil {
		return nil, fmt.Errorf("cancel: %w", err)
	}
	if ended {
		return nil, s.purge(ctx, t, c)
	}
	if t, err = s.Tenants.Get(ctx, t.ID); err != nil {
		return nil, fmt.Errorf("cancel: %w", err)
	}
	if t.Status == tenant.Cancelled { // by a younger cancel_auth
		return nil, s.finish(ctx, c.event, eventDone, nil)
	}
	return &t, nil
}

// formsOf is every id that names the tenant.
func formsOf(t tenant.Tenant) []wecom.CorpID { return append([]wecom.CorpID{t.CorpID}, t.Aliases...) }

// purge removes what a cancelled corp leaves: its authorization, with which its
// credentials go, and what its callbacks and exchanges said
// (developer.work.weixin.qq.com/document/path/90642).
func (s *Store) purge(ctx context.Context, t tenant.Tenant, c cancelling) error {
	const q = `
WITH gone AS (
	DELETE FROM authorizations WHERE tenant_id = $1 AND authorized_at <= $4
)
UPDATE exchanges SET code_sealed = NULL, permanent_code_sealed = NULL, corp_name = ''
WHERE suite_id = $2 AND corp_id = ANY($3) AND authorized_at <= $4 AND state NOT IN ('pending', 'exchanged')`
	forms := formsOf(t)
	if _, err := s.Pool.Exec(ctx, q, t.ID, c.suite, forms, c.at); err != nil {
		return fmt.Errorf("purge tenant %s: %w", t.ID, err)
	}
	const empty = `
WITH batch AS MATERIALIZED (
	SELECT id FROM callback_events
	WHERE suite_id = $1 AND corp_id = ANY($2) AND corp_id <> '' AND payload_sealed IS NOT NULL
		AND COALESCE(event_time, received_at) <= $3
	LIMIT $4 FOR UPDATE SKIP LOCKED
)
UPDATE callback_events e SET payload_sealed = NULL FROM batch WHERE e.id = batch.id`
	for range c.batches {
		tag, err := s.Pool.Exec(ctx, empty, c.suite, forms, c.at, payloadBatch)
		if err != nil {
			return fmt.Errorf("purge payloads of tenant %s: %w", t.ID, err)
		}
		if tag.RowsAffected() < payloadBatch {
			return s.finish(ctx, c.event, eventDone, nil)
		}
	}
	return s.dueNow(ctx, c.event)
}
