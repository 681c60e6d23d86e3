package stats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Snapshot is what was counted of one suite, or of all.
type Snapshot struct {
	Tenants     []TenantCount     `json:"tenants"`
	Credentials []CredentialCount `json:"credentials"`
	Callbacks   []CallbackCount   `json:"callbacks"`
	Budgets     Budgets           `json:"budgets"` // of all suites together
}

// TenantCount is how many tenants have a status and health.
type TenantCount struct {
	Status string `json:"status"`
	Health string `json:"health"`
	Count  int64  `json:"count"`
}

// CredentialCount is how many credentials of a kind end within a time.
type CredentialCount struct {
	Kind   string `json:"kind"`
	Bucket string `json:"bucket"`
	Count  int64  `json:"count"`
}

// CallbackCount is how many callbacks of a kind came in the last 24 hours.
type CallbackCount struct {
	InfoType string `json:"info_type"`
	Count    int64  `json:"count"`
}

// Budgets is how much of what WeCom allows is used.
type Budgets struct {
	IPMinute       float64 `json:"ip_minute"` // of the address that has used most, 0 to 1
	IPHour         float64 `json:"ip_hour"`
	CorpsNearLimit int64   `json:"corps_near_limit"`
	AppsNearLimit  int64   `json:"apps_near_limit"`
}

// BudgetUse tells how much of the budgets is used; *ticket.Refresher does.
type BudgetUse func(ctx context.Context) (Budgets, error)

// Roller counts.
type Roller struct {
	Pool    *pgxpool.Pool
	Budgets BudgetUse
	Every   time.Duration // at most so often, over all replicas; 0: a minute
}

const (
	defaultEvery = time.Minute
	share        = 20 // counting takes no more than one part in so many of the time
	patience     = time.Minute
)

// buckets are the times to expiry, by SQL and name.
const buckets = `CASE
	WHEN c.expires_at IS NULL OR c.value_sealed IS NULL THEN 'none'
	WHEN c.expires_at <= now() THEN 'expired'
	WHEN c.expires_at <= now() + interval '5 minutes' THEN '5m'
	WHEN c.expires_at <= now() + interval '30 minutes' THEN '30m'
	WHEN c.expires_at <= now() + interval '1 hour' THEN '1h'
	WHEN c.expires_at <= now() + interval '2 hours' THEN '2h'
	ELSE 'later' END`

// RunOnce counts if it is time and no other replica does, and reports whether it did.
func (r *Roller) RunOnce(ctx context.Context) (bool, error) {
	every := r.Every
	if every == 0 {
		every = defaultEvery
	}
	// Whoever takes the row counts; one that dies meanwhile leaves it for the next after a while.
	const take = `
INSERT INTO stats_rollup AS s (id, next_at) VALUES (1, now() + $1::interval)
ON CONFLICT (id) DO UPDATE SET next_at = now() + $1::interval WHERE s.next_at <= now()`
	tag, err := r.Pool.Exec(ctx, take, patience)
	if err != nil {
		return false, fmt.Errorf("roll up: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	if err := r.count(ctx); err != nil {
		return false, fmt.Errorf("roll up: %w", err)
	}
	wait := max(every, share*time.Since(began))
	if _, err := r.Pool.Exec(ctx, `UPDATE stats_rollup SET next_at = now() + $1::interval WHERE id = 1`, wait); err != nil {
		return true, fmt.Errorf("roll up: %w", err)
	}
	return true, nil
}

func (r *Roller) count(ctx context.Context) error {
	budgets, err := r.Budgets(ctx)
	if err != nil {
		return err
	}
	all := map[string]*Snapshot{"": {}}
	of := func(suite string) *Snapshot {
		if all[suite] == nil {
			all[suite] = &Snapshot{}
		}
		return all[suite]
	}
	for _, q := range []struct {
		sql string
		add func(s *Snapshot, a, b string, n int64)
	}{
		{`SELECT suite_id, status, health, count(*) FROM tenants GROUP BY GROUPING SETS ((suite_id, status, health), (status, health)) ORDER BY 1, 2, 3`,
			func(s *Snapshot, a, b string, n int64) { s.Tenants = append(s.Tenants, TenantCount{a, b, n}) }},
		{`SELECT t.suite_id, c.kind, ` + buckets + ` AS bucket, count(*) FROM credentials c JOIN tenants t ON t.id = c.tenant_id
			GROUP BY GROUPING SETS ((t.suite_id, c.kind, bucket), (c.kind, bucket)) ORDER BY 1, 2, 3`,
			func(s *Snapshot, a, b string, n int64) {
				s.Credentials = append(s.Credentials, CredentialCount{a, b, n})
			}},
		{`SELECT suite_id, info_type, '', count(*) FROM callback_events WHERE received_at > now() - interval '24 hours'
			GROUP BY GROUPING SETS ((suite_id, info_type), (info_type)) ORDER BY 1, 2`,
			func(s *Snapshot, a, _ string, n int64) { s.Callbacks = append(s.Callbacks, CallbackCount{a, n}) }},
	} {
		rows, err := r.Pool.Query(ctx, q.sql)
		if err != nil {
			return err
		}
		var suite *string
		var a, b string
		var n int64
		if _, err := pgx.ForEachRow(rows, []any{&suite, &a, &b, &n}, func() error {
			if suite == nil {
				q.add(of(""), a, b, n)
			} else {
				q.add(of(*suite), a, b, n)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return r.store(ctx, all, budgets)
}

// store replaces what was counted before, all of it at once.
func (r *Roller) store(ctx context.Context, all map[string]*Snapshot, budgets Budgets) error {
	var suites []string
	var data []string
	for suite, s := range all {
		s.Budgets = budgets
		b, err := json.Marshal(s)
		if err != nil {
			return err
		}
		suites, data = append(suites, suite), append(data, string(b))
	}
	const put = `
INSERT INTO stats_snapshots AS s (suite_id, as_of, data)
SELECT v.suite_id, now(), v.data::jsonb FROM unnest($1::text[], $2::text[]) AS v (suite_id, data) ORDER BY v.suite_id
ON CONFLICT (suite_id) DO UPDATE SET as_of = EXCLUDED.as_of, data = EXCLUDED.data`
	return pgx.BeginFunc(ctx, r.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, put, suites, data); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM stats_snapshots WHERE suite_id <> ALL ($1)`, suites)
		return err
	})
}

// Snapshot answers with what was counted last of a suite ("": of all), and when.
// A suite of which nothing is known, and a service that has not counted yet, have a
// zero time.
func Latest(ctx context.Context, pool *pgxpool.Pool, suite string) (Snapshot, time.Time, error) {
	var s Snapshot
	var at time.Time
	const q = `SELECT as_of, data FROM stats_snapshots WHERE suite_id = $1`
	err := pool.QueryRow(ctx, q, suite).Scan(&at, &s)
	if errors.Is(err, pgx.ErrNoRows) {
		// A suite without a tenant has no row; it was counted with all the others.
		err = pool.QueryRow(ctx, q, "").Scan(&at, &s)
		s = Snapshot{Budgets: s.Budgets}
		if errors.Is(err, pgx.ErrNoRows) {
			return Snapshot{}, time.Time{}, nil
		}
	}
	if err != nil {
		return Snapshot{}, time.Time{}, fmt.Errorf("stats: %w", err)
	}
	return s, at, nil
}
