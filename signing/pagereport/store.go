package pagereport

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/reach"
	"suitesign/signing/explain"
	"suitesign/wecom"
)

// Noted is all reports of one cause on one host of a tenant within an hour.
type Noted struct {
	ID              uuid.UUID
	TenantID        uuid.UUID
	SuiteID         wecom.SuiteID
	CorpID          wecom.CorpID
	Kind            explain.Kind
	Cause           explain.Code
	Host            string // "" where the tenant does not trust it
	Client          Client
	Action          Action
	Count           int64
	LastErrcode     *int
	FirstReportedAt time.Time
	LastReportedAt  time.Time
}

const (
	maxPerHour = 100                // rows of one tenant; what is beyond that is counted by metrics only
	kept       = 7 * 24 * time.Hour // how long rows are
	pruneBatch = 10_000
)

// note counts a report in the row of its hour, and makes that row.
func (d *Desk) note(ctx context.Context, id uuid.UUID, host string, r Report, a Answer) error {
	const q = `
WITH again AS (
	UPDATE page_reports SET count = count + 1, last_reported_at = now(), last_errcode = COALESCE($8, last_errcode)
	WHERE tenant_id = $2 AND hour = date_trunc('hour', now()) AND kind = $3 AND cause = $4 AND host = $5 AND client = $6 AND action = $7
	RETURNING 1
)
INSERT INTO page_reports AS p (id, hour, tenant_id, kind, cause, host, client, action, last_errcode)
SELECT $1, date_trunc('hour', now()), $2, $3, $4, $5, $6, $7, $8::integer
WHERE NOT EXISTS (SELECT FROM again)
	AND (SELECT count(*) FROM page_reports WHERE tenant_id = $2 AND hour = date_trunc('hour', now())) < $9
ON CONFLICT ON CONSTRAINT page_reports_one_per_hour DO UPDATE SET count = p.count + 1, last_reported_at = now()`
	var errcode *int
	if r.Errcode != 0 {
		errcode = &r.Errcode
	}
	row, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("note a report: %w", err)
	}
	if _, err := d.Pool.Exec(ctx, q, row, id, r.Kind, a.Cause, host, r.Client, a.Action, errcode, maxPerHour); err != nil {
		return fmt.Errorf("note a report of tenant %s: %w", id, err)
	}
	return nil
}

// Filter narrows a list; "" and the zero id are any.
type Filter struct {
	TenantID uuid.UUID
	SuiteID  wecom.SuiteID
	CorpID   wecom.CorpID
	Cause    explain.Code
}

// Cursor is where a list goes on.
type Cursor struct {
	At time.Time
	ID uuid.UUID
}

// List answers with what was reported, the newest first, after a cursor.
func (d *Desk) List(ctx context.Context, f Filter, after Cursor, limit int) ([]Noted, error) {
	var out []Noted
	for _, part := range reach.Parts(ctx) {
		list, err := d.list(part, f, after, limit) //nolint:contextcheck // a part of ours
		if err != nil {
			return nil, fmt.Errorf("list reports: %w", err)
		}
		out = append(out, list...)
	}
	slices.SortStableFunc(out, func(a, b Noted) int {
		return cmp.Or(b.FirstReportedAt.Compare(a.FirstReportedAt), bytes.Compare(b.ID[:], a.ID[:]))
	})
	out = slices.CompactFunc(out, func(a, b Noted) bool { return a.ID == b.ID })
	return out[:min(len(out), limit)], nil
}

func (d *Desk) list(ctx context.Context, f Filter, after Cursor, limit int) ([]Noted, error) {
	args := []any{f.TenantID, f.SuiteID, f.CorpID, f.Cause, after.At, after.ID, uuid.Nil, limit}
	within := reach.Condition(ctx, `t.suite_id = ANY (%s)`, `p.tenant_id = ANY (%s)`, func(ids any) string {
		args = append(args, ids)
		return "$" + strconv.Itoa(len(args))
	})
	q := `
SELECT p.id, p.tenant_id, t.suite_id, t.corp_id, p.kind, p.cause, p.host, p.client, p.action, p.count, p.last_errcode,
	p.first_reported_at, p.last_reported_at
FROM page_reports p JOIN tenants t ON t.id = p.tenant_id
WHERE ($1::uuid = $7 OR p.tenant_id = $1) AND ($2 = '' OR t.suite_id = $2) AND ($3 = '' OR t.corp_id = $3) AND ($4 = '' OR p.cause = $4)
	AND ($6::uuid = $7 OR (p.first_reported_at, p.id) < ($5, $6)) AND ` + within + `
ORDER BY p.first_reported_at DESC, p.id DESC
LIMIT $8`
	rows, err := d.Pool.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Noted])
}

// Prune drops what is older than a week, and says how many rows that were.
func (d *Desk) Prune(ctx context.Context) (int64, error) {
	const q = `DELETE FROM page_reports WHERE id IN (SELECT id FROM page_reports WHERE first_reported_at < now() - $1::interval LIMIT $2)`
	var all int64
	for {
		tag, err := d.Pool.Exec(ctx, q, kept, pruneBatch)
		if err != nil {
			return all, fmt.Errorf("prune reports: %w", err)
		}
		all += tag.RowsAffected()
		if tag.RowsAffected() < pruneBatch {
			return all, nil
		}
	}
}
