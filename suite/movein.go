package suite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/secret"
	"suitesign/tenant"
	"suitesign/wecom"
)

// A Grant is the authorization of a tenant that moved in from another system.
type Grant struct {
	TenantID     uuid.UUID
	SuiteID      wecom.SuiteID
	CorpID       wecom.CorpID
	Aliases      []wecom.CorpID
	Code         secret.String // the permanent_code, or the secret of an internal app
	AuthorizedAt time.Time
	AgentsKnown  bool // the platform need not be asked for them
}

// Granted is the end of one grant.
type Granted struct {
	Changed bool  // there was none, or another one
	Err     error // tenant.ErrCancelled: the corp has ended it meanwhile
}

// GoodCode reports whether a text can be a permanent_code or an app's secret.
func GoodCode(v secret.String) bool { return visibleASCII(v.Reveal(), maxSecret) }

// A Corp is one form of a corp's id, within a suite.
type Corp struct {
	SuiteID wecom.SuiteID
	CorpID  wecom.CorpID
}

// Cancels tells when corps sent their last cancel_auth, as far as callbacks are
// kept; those that sent none are left out.
func (s *Store) Cancels(ctx context.Context, corps []Corp) (map[Corp]time.Time, error) {
	suites, ids := make([]string, len(corps)), make([]string, len(corps))
	for i, c := range corps {
		suites[i], ids[i] = string(c.SuiteID), string(c.CorpID)
	}
	const q = `
SELECT e.suite_id, e.corp_id, max(COALESCE(e.event_time, date_trunc('second', e.received_at)))
FROM unnest($1::text[], $2::text[]) AS c (suite_id, corp_id) JOIN callback_events e USING (suite_id, corp_id)
WHERE e.info_type = 'cancel_auth' AND e.state <> 'ignored'
GROUP BY 1, 2`
	rows, err := s.Pool.Query(ctx, q, suites, ids)
	if err != nil {
		return nil, fmt.Errorf("cancels on record: %w", err)
	}
	out := map[Corp]time.Time{}
	var c Corp
	var at time.Time
	if _, err = pgx.ForEachRow(rows, []any{&c.SuiteID, &c.CorpID, &at}, func() error {
		out[c] = at
		return nil
	}); err != nil {
		return nil, fmt.Errorf("cancels on record: %w", err)
	}
	return out, nil
}

// MoveIn stores the authorizations of tenants that are there, in one transaction
// for all of them, and answers in their order. One that is stored already is not
// written again; one that is older than what is in force changes nothing. A
// tenant may stand in the list once.
//
// As for an exchange, a cancel_auth is looked for after the tenant is committed:
// whichever of the two comes second sees the first.
func (s *Store) MoveIn(ctx context.Context, list []Grant) ([]Granted, error) {
	out := make([]Granted, len(list))
	if len(list) == 0 {
		return out, nil
	}
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error { return s.moveIn(ctx, tx, list, out) })
	if err == nil {
		err = s.cancelMovedIn(ctx, list, out)
	}
	if err != nil {
		return nil, fmt.Errorf("move in %d authorizations: %w", len(list), err)
	}
	return out, nil
}

func (s *Store) moveIn(ctx context.Context, tx pgx.Tx, list []Grant, out []Granted) error {
	ids := make([]uuid.UUID, len(list))
	for i, g := range list {
		ids[i] = g.TenantID
	}
	// The tenants' rows are held: a cancel_auth waits, and then finds the authorization to
	// delete; another import of the same tenants waits, and then finds what is stored.
	const hold = `SELECT id, authorized FROM tenants WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`
	authorized := map[uuid.UUID]bool{}
	var id uuid.UUID
	var yes bool
	if err := each(ctx, tx, hold, []any{ids}, []any{&id, &yes}, func() error { authorized[id] = yes; return nil }); err != nil {
		return err
	}
	stored, err := s.storedCodes(ctx, tx, ids)
	if err != nil {
		return err
	}
	var suites, corps []string
	var codes [][]byte
	var at []time.Time
	var pull []bool
	ids = ids[:0]
	for i, g := range list {
		out[i] = Granted{}
		if !authorized[g.TenantID] {
			out[i].Err = tenant.ErrCancelled
			continue
		}
		if old, ok := stored[g.TenantID]; ok && old.Equal(g.Code) {
			continue
		}
		sealed, err := seal(s.Ring, g.Code, boundRow("authorizations", "permanent_code_sealed", g.TenantID))
		if err != nil {
			return err
		}
		ids, suites, corps = append(ids, g.TenantID), append(suites, string(g.SuiteID)), append(corps, string(g.CorpID))
		codes, at, pull = append(codes, sealed), append(at, g.AuthorizedAt), append(pull, !g.AgentsKnown)
	}
	const q = `
INSERT INTO authorizations AS a (tenant_id, suite_id, corp_id, permanent_code_sealed, authorized_at, info_due_at)
SELECT v.tenant_id, v.suite_id, v.corp_id, v.code, date_trunc('second', LEAST(v.at, now() + interval '10 minutes')),
	CASE WHEN v.pull AND s.kind <> 'internal' THEN clock_timestamp() END
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::timestamptz[], $6::bool[]) AS v (tenant_id, suite_id, corp_id, code, at, pull)
	JOIN suites s USING (suite_id)
ON CONFLICT (tenant_id) DO UPDATE SET corp_id = EXCLUDED.corp_id, permanent_code_sealed = EXCLUDED.permanent_code_sealed,
	authorized_at = EXCLUDED.authorized_at, version = a.version + 1, blocked_version = NULL,
	info_due_at = EXCLUDED.info_due_at, info_attempts = 0, info_error = '', updated_at = now()
WHERE a.authorized_at <= EXCLUDED.authorized_at
RETURNING a.tenant_id`
	if len(ids) == 0 {
		return nil
	}
	changed := map[uuid.UUID]bool{}
	if err := each(ctx, tx, q, []any{ids, suites, corps, codes, at, pull}, []any{&id}, func() error { changed[id] = true; return nil }); err != nil {
		return fmt.Errorf("authorize: %w", err)
	}
	var entries []audit.Entry
	for i, g := range list {
		out[i].Changed = changed[g.TenantID]
		if _, had := stored[g.TenantID]; had && out[i].Changed {
			entries = append(entries, audit.Entry{Action: audit.TenantImport, TargetID: g.TenantID.String(), SuiteID: string(g.SuiteID), TenantID: g.TenantID,
				Before: audit.Fields{"permanent_code": audit.Set}, After: audit.Fields{"permanent_code": audit.Changed}})
		}
	}
	return audit.AppendAll(ctx, tx, entries)
}

// storedCodes are the codes in force. One that does not open counts as another one.
func (s *Store) storedCodes(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) (map[uuid.UUID]secret.String, error) {
	const q = `SELECT tenant_id, permanent_code_sealed FROM authorizations WHERE tenant_id = ANY($1)`
	out := map[uuid.UUID]secret.String{}
	var id uuid.UUID
	var sealed []byte
	err := each(ctx, tx, q, []any{ids}, []any{&id, &sealed}, func() error {
		if code, err := open(s.Ring, sealed, boundRow("authorizations", "permanent_code_sealed", id)); err == nil {
			out[id] = code
		}
		return nil
	})
	return out, err
}

// each calls f for each row of a query, which is scanned into to.
func each(ctx context.Context, tx pgx.Tx, q string, args, to []any, f func() error) error {
	rows, err := tx.Query(ctx, q, args...)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, to, f)
	return err
}

// cancelMovedIn has every cancel_auth take effect that came before the tenant was there.
func (s *Store) cancelMovedIn(ctx context.Context, list []Grant, out []Granted) error {
	var ids []uuid.UUID
	var suites, corps []string
	for _, g := range list {
		for _, corp := range append([]wecom.CorpID{g.CorpID}, g.Aliases...) {
			ids, suites, corps = append(ids, g.TenantID), append(suites, string(g.SuiteID)), append(corps, string(corp))
		}
	}
	const q = `
SELECT DISTINCT ON (v.tenant_id) v.tenant_id, e.id, e.suite_id, e.corp_id, COALESCE(e.event_time, date_trunc('second', e.received_at)) AS at
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS v (tenant_id, suite_id, corp_id)
	JOIN callback_events e USING (suite_id, corp_id) JOIN tenants t ON t.id = v.tenant_id
WHERE e.info_type = 'cancel_auth' AND e.state <> 'ignored' AND t.authorized
	AND COALESCE(e.event_time, date_trunc('second', e.received_at)) > t.authorized_at
ORDER BY v.tenant_id, at DESC`
	rows, err := s.Pool.Query(ctx, q, ids, suites, corps)
	if err != nil {
		return fmt.Errorf("look for cancel_auth: %w", err)
	}
	type late struct {
		tenant uuid.UUID
		cancelling
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (late, error) {
		l := late{cancelling: cancelling{batches: batchesBeforeAnswer}}
		return l, row.Scan(&l.tenant, &l.event, &l.suite, &l.corp, &l.at)
	})
	if err != nil {
		return fmt.Errorf("look for cancel_auth: %w", err)
	}
	for _, l := range found {
		if _, err := s.cancel(ctx, l.cancelling); err != nil && !errors.Is(err, tenant.ErrNotFound) {
			return err
		}
		for i, g := range list {
			if g.TenantID == l.tenant {
				out[i] = Granted{Err: tenant.ErrCancelled}
			}
		}
	}
	return nil
}
