package ticket

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"suitesign/changes"
)

// saveSQL writes what attempts leave behind and gives their tenants back, many at
// once. A tenant that is not leased by its claim any more is left alone: somebody
// else has it, and what they fetched is newer. $1–$7 are tenants, $8–$19 credentials,
// $22 how long nobody must have asked for a tenant that then is idle.
//
// due_at stays where it is if another refresh was asked for meanwhile. $20 is the
// kind that a report had fetched again, $21 how long none leads to that after it.
const saveSQL = `
WITH item AS (
	SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::int[], $5::text[], $6::bigint[], $7::boolean[],
		$20::text[], $21::interval[])
		AS i (tenant_id, owner, due_at, failures, parked_reason, parked_version, was_forced, refetched, refetch_pause)
),
held AS MATERIALIZED (
	SELECT r.tenant_id FROM refreshes r JOIN item i USING (tenant_id)
	WHERE r.lease_owner = i.owner
	ORDER BY r.tenant_id
	FOR UPDATE OF r
),
put AS (
	INSERT INTO credentials AS c (tenant_id, kind, value_sealed, fingerprint, generation, expires_at, refreshed_at,
		next_at, failures, last_errcode, last_error, last_error_at)
	SELECT n.tenant_id, n.kind, n.value_sealed, n.fingerprint, n.generation, n.expires_at, n.refreshed_at,
		n.next_at, n.failures, n.last_errcode, n.last_error, n.last_error_at
	FROM unnest($8::uuid[], $9::text[], $10::bytea[], $11::bytea[], $12::bigint[], $13::timestamptz[], $14::timestamptz[],
		$15::timestamptz[], $16::int[], $17::int[], $18::text[], $19::timestamptz[])
		AS n (tenant_id, kind, value_sealed, fingerprint, generation, expires_at, refreshed_at,
			next_at, failures, last_errcode, last_error, last_error_at)
	JOIN held USING (tenant_id)
	ORDER BY n.tenant_id, n.kind
	ON CONFLICT (tenant_id, kind) DO UPDATE SET
		value_sealed = COALESCE(EXCLUDED.value_sealed, c.value_sealed), fingerprint = EXCLUDED.fingerprint,
		generation = EXCLUDED.generation, expires_at = EXCLUDED.expires_at, refreshed_at = EXCLUDED.refreshed_at,
		next_at = EXCLUDED.next_at, failures = EXCLUDED.failures, last_errcode = EXCLUDED.last_errcode,
		last_error = EXCLUDED.last_error, last_error_at = EXCLUDED.last_error_at,
		previous_sealed = CASE WHEN c.kind = 'access_token' THEN NULL WHEN EXCLUDED.value_sealed IS NOT NULL THEN c.value_sealed
			WHEN c.previous_expires_at > now() THEN c.previous_sealed END,
		previous_refreshed_at = CASE WHEN EXCLUDED.value_sealed IS NOT NULL THEN c.refreshed_at ELSE c.previous_refreshed_at END,
		previous_expires_at = CASE WHEN EXCLUDED.value_sealed IS NOT NULL THEN c.expires_at ELSE c.previous_expires_at END
	-- A new value follows the generation that the attempt began with, or is not written.
	WHERE c.generation = EXCLUDED.generation - (EXCLUDED.value_sealed IS NOT NULL)::int
)
UPDATE refreshes r SET lease_owner = NULL, lease_until = NULL,
	forced = r.forced AND NOT i.was_forced,
	refetch = CASE WHEN r.refetch = i.refetched THEN '' ELSE r.refetch END,
	refetch_after = CASE i.refetched WHEN 'access_token' THEN r.refetch_after ELSE GREATEST(r.refetch_after, now() + i.refetch_pause) END,
	refused_after = CASE i.refetched WHEN 'access_token' THEN GREATEST(r.refused_after, now() + i.refetch_pause) ELSE r.refused_after END,
	due_at = CASE WHEN r.forced AND NOT i.was_forced OR r.refetch NOT IN ('', i.refetched) THEN r.due_at
		WHEN i.failures = 0 AND i.parked_reason = '' AND r.used_at + $22::interval < i.due_at THEN 'infinity'
		ELSE i.due_at END,
	failures = i.failures, parked_reason = i.parked_reason, parked_version = i.parked_version
FROM item i JOIN held USING (tenant_id)
WHERE r.tenant_id = i.tenant_id
RETURNING r.tenant_id`

// save writes outcomes down in one round trip and says of which tenants. After a
// refresh that was asked for every replica is told to read again; then it takes a
// transaction.
func (s *store) save(ctx context.Context, outcomes []*outcome) (map[uuid.UUID]bool, error) {
	args := append(saveArgs(outcomes), s.idleFor())
	told := slices.ContainsFunc(outcomes, func(o *outcome) bool { return o.lease.asked() })
	saved := map[uuid.UUID]bool{}
	write := func(q interface {
		Query(context.Context, string, ...any) (pgx.Rows, error)
	}) error {
		rows, err := q.Query(ctx, saveSQL, args...)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		for _, id := range ids {
			saved[id] = true
		}
		return err
	}
	var err error
	if !told {
		err = write(s.pool)
	} else {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if err := write(tx); err != nil {
				return err
			}
			for _, o := range outcomes {
				if !o.lease.asked() || !saved[o.lease.TenantID] {
					continue
				}
				if err := changes.Append(ctx, tx, changes.Credentials, o.lease.TenantID.String()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("save credentials of %d tenants: %w", len(outcomes), err)
	}
	return saved, nil
}

func saveArgs(outcomes []*outcome) []any {
	outcomes = slices.SortedFunc(slices.Values(outcomes), func(a, b *outcome) int {
		return bytes.Compare(a.lease.TenantID[:], b.lease.TenantID[:])
	})
	n := len(outcomes)
	ids, owners := make([]uuid.UUID, n), make([]uuid.UUID, n)
	due, failures := make([]pgtype.Timestamptz, n), make([]int, n)
	parked, versions, forced := make([]string, n), make([]*int64, n), make([]bool, n)
	refetched, pauses := make([]string, n), make([]*time.Duration, n)
	var c credentialColumns
	for i, o := range outcomes {
		ids[i], owners[i] = o.lease.TenantID, o.lease.owner
		due[i] = orInfinity(o.dueAt)
		failures[i], parked[i], forced[i] = min(o.failures, maxFailures), string(o.parked), o.lease.Forced
		refetched[i] = string(o.lease.Refetch)
		if o.pause != 0 {
			pauses[i] = &o.pause
		}
		if o.parkedAt != 0 {
			versions[i] = &o.parkedAt
		}
		for _, n := range o.credentials {
			c.add(o.lease.TenantID, n)
		}
	}
	return []any{
		ids, owners, due, failures, parked, versions, forced,
		c.ids, c.kinds, c.sealed, c.fingerprints, c.generations, c.expires, c.refreshed, c.next, c.failures, c.errcodes, c.errors, c.errorAts,
		refetched, pauses,
	}
}

const maxFailures = 1_000_000 // the ladder ends long before

// credentialColumns are credentials as unnest takes them.
type credentialColumns struct {
	ids                  []uuid.UUID
	kinds                []string
	sealed, fingerprints [][]byte
	generations          []int64
	expires, refreshed   []*time.Time
	next                 []pgtype.Timestamptz
	failures             []int
	errcodes             []*int32
	errors               []string
	errorAts             []*time.Time
}

func (c *credentialColumns) add(id uuid.UUID, n newCredential) {
	c.ids = append(c.ids, id)
	c.kinds = append(c.kinds, string(n.Kind))
	c.sealed = append(c.sealed, n.sealed)
	c.fingerprints = append(c.fingerprints, n.Fingerprint)
	c.generations = append(c.generations, n.Generation)
	c.expires = append(c.expires, orNil(n.ExpiresAt))
	c.refreshed = append(c.refreshed, orNil(n.RefreshedAt))
	c.next = append(c.next, orInfinity(n.NextAt))
	c.failures = append(c.failures, min(n.Failures, maxFailures))
	c.errcodes = append(c.errcodes, n.Errcode)
	c.errors = append(c.errors, n.Error)
	c.errorAts = append(c.errorAts, n.ErrorAt)
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func orInfinity(t time.Time) pgtype.Timestamptz {
	if t.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}
	}
	return pgtype.Timestamptz{Time: t, Valid: true}
}

// giveBack ends leases of tenants for which nothing was tried: they are due as before.
func (s *store) giveBack(ctx context.Context, leases []*lease) error {
	ids, owners := make([]uuid.UUID, len(leases)), make([]uuid.UUID, len(leases))
	for i, l := range leases {
		ids[i], owners[i] = l.TenantID, l.owner
	}
	const q = `
UPDATE refreshes r SET lease_owner = NULL, lease_until = NULL
FROM unnest($1::uuid[], $2::uuid[]) AS i (tenant_id, owner)
WHERE r.tenant_id = i.tenant_id AND r.lease_owner = i.owner`
	if _, err := s.pool.Exec(ctx, q, ids, owners); err != nil {
		return fmt.Errorf("give back %d tenants: %w", len(leases), err)
	}
	return nil
}
