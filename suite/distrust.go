package suite

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pullApart is between the pulls that Distrust makes due: 6,000 a minute, of the 40,000
// that WeCom allows an address (developer.work.weixin.qq.com/document/path/90312).
const pullApart = 10 * time.Millisecond

// Distrusted is what a Distrust did.
type Distrusted struct {
	Suites         int64 // whose suite_access_token is fetched anew
	SuiteTickets   int64 // that are too old to be any use: the next push brings one
	Authorizations int64 // that are read again
}

// Distrust forgets every suite_access_token, and the suite_tickets that are past their
// life; and it has every authorization read again, for what WeCom told of them is not
// all here: after a restore of an older state. Those are spread over the time that they
// take. It may be ended and repeated.
func Distrust(ctx context.Context, pool *pgxpool.Pool, batch int) (d Distrusted, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// A ticket that was refused is told by its generation, and those begin again with the next push.
		const tickets = `
WITH old AS (DELETE FROM suite_tickets WHERE pushed_at < now() - $1::interval RETURNING suite_id),
free AS (UPDATE suite_tokens k SET blocked_ticket = NULL FROM old WHERE k.suite_id = old.suite_id)
SELECT count(*) FROM old`
		if err := tx.QueryRow(ctx, tickets, ticketLives).Scan(&d.SuiteTickets); err != nil {
			return err
		}
		const tokens = `
UPDATE suite_tokens SET token_sealed = NULL, expires_at = NULL, renew_at = NULL, retry_at = NULL, lease_owner = NULL, lease_until = NULL`
		tag, err := tx.Exec(ctx, tokens)
		d.Suites = tag.RowsAffected()
		return err
	})
	if err != nil {
		return d, fmt.Errorf("forget suite_access_tokens: %w", err)
	}
	if d.Authorizations, err = reread(ctx, pool, batch); err != nil {
		return d, fmt.Errorf("read authorizations again: %w", err)
	}
	return d, nil
}

// reread makes the pull of every authorization due that is not refused already.
func reread(ctx context.Context, pool *pgxpool.Pool, batch int) (n int64, err error) {
	const q = `
WITH page AS MATERIALIZED (
	SELECT a.tenant_id FROM authorizations a WHERE a.tenant_id > $1 ORDER BY a.tenant_id LIMIT $2 FOR UPDATE
),
due AS (
	UPDATE authorizations a SET info_due_at = COALESCE(a.info_due_at, now() + $3::interval + random() * (SELECT count(*) FROM page) * $4::interval), info_attempts = 0
	FROM page p, suites s
	WHERE a.tenant_id = p.tenant_id AND s.suite_id = a.suite_id AND s.kind <> 'internal' AND a.blocked_version IS DISTINCT FROM a.version
)
SELECT tenant_id FROM page ORDER BY tenant_id`
	for last := uuid.Nil; ; {
		rows, err := pool.Query(ctx, q, last, batch, time.Duration(n)*pullApart, pullApart)
		if err != nil {
			return n, err
		}
		page, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return n, err
		}
		n += int64(len(page))
		if len(page) < batch {
			return n, nil
		}
		last = page[len(page)-1]
	}
}
