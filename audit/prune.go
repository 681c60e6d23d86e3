package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// MinRetention is how old an entry is at least before it may be removed. The
// table's trigger holds the same.
const MinRetention = 30 * 24 * time.Hour

// ErrTooYoung is returned where entries were to be removed before their time.
var ErrTooYoung = errors.New("audit entries are kept for 30 days or longer")

// Prune removes entries that are older than keep, in batches until a short one,
// and says how many. When ctx ends it stops between two of them.
func Prune(ctx context.Context, pool *pgxpool.Pool, keep time.Duration, batch int) (int64, error) {
	if keep < MinRetention {
		return 0, fmt.Errorf("prune the audit log: %w", ErrTooYoung)
	}
	var removed int64
	for {
		n, err := pruneBatch(ctx, pool, keep, batch)
		removed += n
		if err != nil {
			return removed, fmt.Errorf("prune the audit log: %w", err)
		}
		if n < int64(batch) {
			return removed, nil
		}
	}
}

func pruneBatch(ctx context.Context, pool *pgxpool.Pool, keep time.Duration, batch int) (n int64, err error) {
	const allow = `SELECT set_config('suitesign.audit_prune_before', (now() - $1::interval)::text, true)`
	const q = `
WITH old AS MATERIALIZED (
	SELECT id FROM audit_log WHERE at < now() - $1::interval ORDER BY at, id LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM audit_log a USING old WHERE a.id = old.id`
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, allow, keep); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, q, keep, batch)
		n = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
