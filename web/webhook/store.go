package webhook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/audit"
	"suitesign/netguard"
	"suitesign/secret"
)

// Store keeps webhooks.
type Store struct {
	Pool  *pgxpool.Pool
	Ring  secret.Sealer
	Guard *netguard.Guard // what may be called
}

const webhookColumns = `id, url, description, events, suite_ids, tenant_ids, enabled, disabled_reason,
	CASE WHEN previous_until > now() THEN previous_until END, failing_since, failures, last_success_at, last_failure_at,
	version, created_at, updated_at`

func scanWebhook(row pgx.CollectableRow) (Webhook, error) { return pgx.RowToStructByPos[Webhook](row) }

// Create stores a new webhook. Its secret is in this answer and nowhere else.
// netguard.ErrURL, netguard.ErrForbidden, ErrUnknownTarget.
func (s *Store) Create(ctx context.Context, n New) (Webhook, secret.String, error) {
	if _, err := s.Guard.CheckURL(ctx, n.URL); err != nil {
		return Webhook{}, secret.String{}, fmt.Errorf("create webhook: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Webhook{}, secret.String{}, fmt.Errorf("create webhook: %w", err)
	}
	value := generate()
	sealed, err := s.Ring.Seal(value, bound("secret_sealed", id))
	if err != nil {
		return Webhook{}, secret.String{}, fmt.Errorf("create webhook: %w", err)
	}
	reason := Reason("")
	if n.Disabled {
		reason = ByAdmin
	}
	const q = `
INSERT INTO webhooks (id, url, description, events, suite_ids, tenant_ids, enabled, disabled_reason, secret_sealed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING ` + webhookColumns
	suites, tenants := tidy(n.SuiteIDs, strings.Compare), tidy(n.TenantIDs, compareIDs)
	var made Webhook
	err = s.write(ctx, func(tx pgx.Tx) error {
		if err := mustExist(ctx, tx, n.SuiteIDs, n.TenantIDs); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, q, id, n.URL, n.Description, tidy(n.Events, cmp.Compare[audit.EventType]), suites, tenants, !n.Disabled, reason, sealed)
		if err != nil {
			return err
		}
		if made, err = pgx.CollectExactlyOneRow(rows, scanWebhook); err != nil {
			return err
		}
		after := made.fields()
		after["secret"] = audit.Set
		return audit.Append(ctx, tx, audit.Entry{Action: audit.WebhookCreate, TargetID: id.String(), After: after})
	})
	if err != nil {
		return Webhook{}, secret.String{}, fmt.Errorf("create webhook: %w", err)
	}
	return made, value, nil
}

// wanted is what somebody listens to: the outbox keeps nothing else.
const wanted = `SELECT DISTINCT unnest(events) FROM webhooks WHERE enabled`

// write runs one change of webhooks in a transaction that also says what is listened to.
func (s *Store) write(ctx context.Context, change func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return audit.Want(ctx, tx, wanted)
	})
}

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

// mustExist finds the first name in a filter that names nothing: a filter that is
// misspelt would listen in vain. UnknownError.
func mustExist(ctx context.Context, tx pgx.Tx, suites []string, tenants []uuid.UUID) error {
	for _, f := range []struct {
		field, q string
		ids      any
		n        int
	}{
		{"suite_ids", `SELECT ord - 1 FROM unnest($1::text[]) WITH ORDINALITY AS u (id, ord)
			WHERE NOT EXISTS (SELECT FROM suites s WHERE s.suite_id = u.id) ORDER BY ord LIMIT 1`, suites, len(suites)},
		{"tenant_ids", `SELECT ord - 1 FROM unnest($1::uuid[]) WITH ORDINALITY AS u (id, ord)
			WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.id = u.id) ORDER BY ord LIMIT 1`, tenants, len(tenants)},
	} {
		if f.n == 0 {
			continue
		}
		e := &UnknownError{Field: f.field}
		err := tx.QueryRow(ctx, f.q, f.ids).Scan(&e.Index)
		if err == nil {
			return e
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
	}
	return nil
}

// Get finds a webhook. ErrNotFound.
func (s *Store) Get(ctx context.Context, id uuid.UUID) (Webhook, error) {
	w, err := get(ctx, s.Pool, id, "")
	if err != nil {
		return Webhook{}, fmt.Errorf("webhook %s: %w", id, err)
	}
	return w, nil
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func get(ctx context.Context, q querier, id uuid.UUID, lock string) (Webhook, error) {
	rows, err := q.Query(ctx, `SELECT `+webhookColumns+` FROM webhooks WHERE id = $1`+lock, id)
	if err != nil {
		return Webhook{}, err
	}
	w, err := pgx.CollectExactlyOneRow(rows, scanWebhook)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	return w, err
}

// List answers with up to limit webhooks that were made before the one with the id
// before (uuid.Max: all of them), the newest first.
func (s *Store) List(ctx context.Context, before uuid.UUID, limit int) ([]Webhook, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+webhookColumns+` FROM webhooks WHERE id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	out, err := pgx.CollectRows(rows, scanWebhook)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return out, nil
}

// Update changes what p names. One that is switched on again begins anew: what
// failed before is forgotten, and what waited for it is sent.
// ErrNotFound, ErrVersion, netguard.ErrURL, netguard.ErrForbidden, ErrUnknownTarget.
func (s *Store) Update(ctx context.Context, id uuid.UUID, p Patch) (Webhook, error) {
	if p.URL != nil {
		if _, err := s.Guard.CheckURL(ctx, *p.URL); err != nil {
			return Webhook{}, fmt.Errorf("webhook %s: %w", id, err)
		}
	}
	var out Webhook
	err := s.write(ctx, func(tx pgx.Tx) error {
		was, err := get(ctx, tx, id, " FOR NO KEY UPDATE")
		if err != nil {
			return err
		}
		if p.IfVersion != nil && *p.IfVersion != was.Version {
			return ErrVersion
		}
		if err := mustExist(ctx, tx, value(p.SuiteIDs), value(p.TenantIDs)); err != nil {
			return err
		}
		out, err = update(ctx, tx, was, p.apply(was))
		return err
	})
	if err != nil {
		return Webhook{}, fmt.Errorf("webhook %s: %w", id, err)
	}
	return out, nil
}

func (p Patch) apply(w Webhook) Webhook {
	w.URL, w.Description = or(p.URL, w.URL), or(p.Description, w.Description)
	if p.Events != nil {
		w.Events = tidy(*p.Events, cmp.Compare[audit.EventType])
	}
	if p.SuiteIDs != nil {
		w.SuiteIDs = tidy(*p.SuiteIDs, strings.Compare)
	}
	if p.TenantIDs != nil {
		w.TenantIDs = tidy(*p.TenantIDs, compareIDs)
	}
	switch {
	case p.Enabled == nil || *p.Enabled == w.Enabled:
	case *p.Enabled:
		w.Enabled, w.DisabledReason = true, ""
	default:
		w.Enabled, w.DisabledReason = false, ByAdmin
	}
	return w
}

// same tells whether two states of a webhook differ in nothing that is configured.
func same(a, b Webhook) bool {
	return a.URL == b.URL && a.Description == b.Description && a.Enabled == b.Enabled && slices.Equal(a.Events, b.Events) &&
		slices.Equal(a.SuiteIDs, b.SuiteIDs) && slices.Equal(a.TenantIDs, b.TenantIDs)
}

// update writes what a locked webhook becomes, and who did it.
func update(ctx context.Context, tx pgx.Tx, was, is Webhook) (Webhook, error) {
	if same(was, is) {
		return was, nil
	}
	const q = `
UPDATE webhooks SET url = $2, description = $3, events = $4, suite_ids = $5, tenant_ids = $6, enabled = $7, disabled_reason = $8,
	failing_since = CASE WHEN $7 AND NOT enabled THEN NULL ELSE failing_since END,
	failures = CASE WHEN $7 AND NOT enabled THEN 0 ELSE failures END,
	slow = slow AND NOT ($7 AND NOT enabled),
	version = version + 1, updated_at = now()
WHERE id = $1
RETURNING ` + webhookColumns
	rows, err := tx.Query(ctx, q, was.ID, is.URL, is.Description, is.Events, is.SuiteIDs, is.TenantIDs, is.Enabled, is.DisabledReason)
	if err != nil {
		return Webhook{}, err
	}
	out, err := pgx.CollectExactlyOneRow(rows, scanWebhook)
	if err != nil {
		return Webhook{}, err
	}
	before, after := was.fields(), out.fields()
	if was.URL != out.URL {
		before["url_path"], after["url_path"] = audit.Set, audit.Changed
	}
	return out, audit.Append(ctx, tx, audit.Entry{Action: audit.WebhookUpdate, TargetID: was.ID.String(), Before: before, After: after})
}

// Delete removes a webhook with what is on its way to it and the record of what
// was. ErrNotFound, ErrVersion.
func (s *Store) Delete(ctx context.Context, id uuid.UUID, ifVersion *int64) error {
	err := s.write(ctx, func(tx pgx.Tx) error {
		was, err := get(ctx, tx, id, " FOR UPDATE")
		if err != nil {
			return err
		}
		if ifVersion != nil && *ifVersion != was.Version {
			return ErrVersion
		}
		if _, err := tx.Exec(ctx, `DELETE FROM webhooks WHERE id = $1`, id); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Action: audit.WebhookDelete, TargetID: id.String(), Before: was.fields()})
	})
	if err != nil {
		return fmt.Errorf("webhook %s: %w", id, err)
	}
	return nil
}

// MaxOverlap is the longest that a secret signs beside the one that follows it.
const MaxOverlap = 7 * 24 * time.Hour

// Rotate gives a webhook another secret, which is in this answer and nowhere else.
// For as long as overlap lasts, requests carry a signature by each, so that the
// receiver can change over in its own time. ErrNotFound, ErrVersion.
func (s *Store) Rotate(ctx context.Context, id uuid.UUID, overlap time.Duration, ifVersion *int64) (Webhook, secret.String, error) {
	value := generate()
	sealed, err := s.Ring.Seal(value, bound("secret_sealed", id))
	if err != nil {
		return Webhook{}, secret.String{}, fmt.Errorf("webhook %s: %w", id, err)
	}
	var out Webhook
	err = pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		var version int64
		var old []byte
		err := tx.QueryRow(ctx, `SELECT version, secret_sealed FROM webhooks WHERE id = $1 FOR NO KEY UPDATE`, id).Scan(&version, &old)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		if ifVersion != nil && *ifVersion != version {
			return ErrVersion
		}
		previous, err := s.reseal(old, id, overlap)
		if err != nil {
			return err
		}
		const q = `
UPDATE webhooks SET secret_sealed = $2, previous_secret_sealed = $3, previous_until = CASE WHEN $3::bytea IS NOT NULL THEN now() + $4::interval END,
	version = version + 1, updated_at = now()
WHERE id = $1
RETURNING ` + webhookColumns
		rows, err := tx.Query(ctx, q, id, sealed, previous, overlap)
		if err != nil {
			return err
		}
		if out, err = pgx.CollectExactlyOneRow(rows, scanWebhook); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Action: audit.WebhookRotate, TargetID: id.String(),
			Before: audit.Fields{"secret": audit.Set}, After: audit.Fields{"secret": audit.Changed, "overlap_seconds": int64(overlap / time.Second)}})
	})
	if err != nil {
		return Webhook{}, secret.String{}, fmt.Errorf("webhook %s: %w", id, err)
	}
	return out, value, nil
}

// reseal seals the secret that was for its other place; nil without an overlap.
func (s *Store) reseal(old []byte, id uuid.UUID, overlap time.Duration) ([]byte, error) {
	if overlap <= 0 {
		return nil, nil
	}
	value, err := s.Ring.Open(old, bound("secret_sealed", id))
	if err != nil {
		return nil, err
	}
	return s.Ring.Seal(value, bound("previous_secret_sealed", id))
}

func or[T any](p *T, otherwise T) T {
	if p != nil {
		return *p
	}
	return otherwise
}

func value[T any](p *T) T {
	var zero T
	return or(p, zero)
}
