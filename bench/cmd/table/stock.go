package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/secret"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// Tenants in numbers do not come through the front door: a hundred thousand
// installations would be a measurement of their own. They are corps' own apps, their
// rows are copied into the database as the rooms would have left them, sealed with
// the keyring of the service, and the simulator knows the same secrets.

const (
	stockSuite = "bench"
	stockAgent = 1000002
)

func stockCorp(i int) wecom.CorpID { return wecom.CorpID(fmt.Sprintf("wwstock%08d", i)) }
func stockHost(i int) string       { return fmt.Sprintf("corp%d.example.com", i) }
func stockSecret(i int) string     { return fmt.Sprintf("secret-of-%08d", i) }

// stock says what the tenants hold.
type stock struct {
	tenants  int
	platform bool                                    // the simulator knows them
	left     func(i int) (time.Duration, bool)       // how long their credentials live yet; false: they have none
	due      func(i int) (in time.Duration, ok bool) // when they are due; false: never, they are idle
}

// database is one of its own, migrated and empty, so that nothing measured before is in the way.
func (h *house) fresh(ctx context.Context, name string) (*pgxpool.Pool, error) {
	h.db = strings.ReplaceAll(name, " ", "_")
	if err := h.database.EnsureDatabase(ctx, h.db); err != nil {
		return nil, err
	}
	if err := h.command(ctx, "..", h.environ(), h.file("suitesign"), "migrate", "up"); err != nil {
		return nil, err
	}
	return pgxpool.New(ctx, h.database.URL(h.db))
}

const stockBatch = 5000

// fill puts tenants into a database.
func (h *house) fill(ctx context.Context, pool *pgxpool.Pool, s stock) error {
	say("storing %d tenants", s.tenants)
	master, err := secret.ParseMasterKey(secret.New(h.masterKey))
	if err != nil {
		return err
	}
	ring, _, err := secret.LoadOrCreate(ctx, pool, master)
	if err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, `INSERT INTO suites (suite_id, kind, name) VALUES ($1, 'internal', 'bench')`, stockSuite); err != nil {
		return err
	}
	for from := 0; from < s.tenants; from += stockBatch {
		if err := h.fillBatch(ctx, pool, ring, s, from, min(from+stockBatch, s.tenants)); err != nil {
			return err
		}
	}
	// As autovacuum leaves it. What is empty stays unknown: told that a table has no row,
	// the planner reads it whole for as long as it believes that.
	for _, table := range []string{"suites", "tenants", "tenant_corp_ids", "agents", "tenant_domains", "authorizations", "refreshes", "credentials"} {
		n, err := counted(ctx, pool, `SELECT count(*) FROM (SELECT FROM `+table+` LIMIT 1) AS one`)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if _, err := pool.Exec(ctx, `VACUUM ANALYZE `+table); err != nil {
			return err
		}
	}
	return nil
}

// rows of the tables, in the order in which they refer to each other.
type rows struct {
	tenants, forms, agents, domains, authorizations, refreshes, credentials [][]any
}

func (h *house) fillBatch(ctx context.Context, pool *pgxpool.Pool, ring *secret.Keyring, s stock, from, to int) error {
	var all rows
	for i := from; i < to; i++ {
		if err := all.add(ring, s, i); err != nil {
			return err
		}
		if s.platform {
			app := wecomtest.App{AgentID: stockAgent, Secret: stockSecret(i)}
			if _, err := h.sim.PutCorp(wecomtest.Corp{CorpID: stockCorp(i), Apps: []wecomtest.App{app}}); err != nil {
				return err
			}
		}
	}
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		for _, t := range []struct {
			table   string
			columns string
			rows    [][]any
		}{
			{"tenants", "id suite_id corp_id name health authorized_at", all.tenants},
			{"tenant_corp_ids", "suite_id corp_id tenant_id is_alias", all.forms},
			{"agents", "tenant_id agent_id", all.agents},
			{"tenant_domains", "tenant_id host", all.domains},
			{"authorizations", "tenant_id suite_id corp_id permanent_code_sealed authorized_at", all.authorizations},
			{"refreshes", "tenant_id suite_id corp_id due_at used_at", all.refreshes},
			{"credentials", "tenant_id kind value_sealed fingerprint generation expires_at refreshed_at next_at", all.credentials},
		} {
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.table}, strings.Fields(t.columns), pgx.CopyFromRows(t.rows)); err != nil {
				return fmt.Errorf("copy into %s: %w", t.table, err)
			}
		}
		return nil
	})
}

// life of what the platform hands out.
const life = 2 * time.Hour

func (r *rows) add(ring *secret.Keyring, s stock, i int) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	now, corp := time.Now(), string(stockCorp(i))
	code, err := ring.Seal(secret.New(stockSecret(i)), secret.Binding{Table: "authorizations", Column: "permanent_code_sealed", Row: id.String()})
	if err != nil {
		return err
	}
	health := "pending"
	if left, ok := s.left(i); ok {
		health = "ok"
		for _, kind := range []string{"access_token", "jsapi_ticket", "agent_config"} {
			value := fmt.Sprintf("%s-%08d-%s", kind, i, strings.Repeat("x", 40))
			sealed, err := ring.Seal(secret.New(value), secret.Binding{Table: "credentials", Column: "value_sealed", Row: id.String() + "/" + kind})
			if err != nil {
				return err
			}
			next := now.Add(left - 35*time.Minute)
			r.credentials = append(r.credentials, []any{id, kind, sealed, []byte(value), int64(1), now.Add(left), now.Add(left - life), next})
		}
	}
	due, used := pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}, now.Add(-1000*time.Hour) // idle for long
	if in, ok := s.due(i); ok {
		due, used = pgtype.Timestamptz{Time: now.Add(in), Valid: true}, now
	}
	r.tenants = append(r.tenants, []any{id, stockSuite, corp, fmt.Sprintf("Corp %d", i), health, now})
	r.forms = append(r.forms, []any{stockSuite, corp, id, false})
	r.agents = append(r.agents, []any{id, int64(stockAgent)})
	r.domains = append(r.domains, []any{id, stockHost(i)})
	r.authorizations = append(r.authorizations, []any{id, stockSuite, corp, code, now})
	r.refreshes = append(r.refreshes, []any{id, stockSuite, corp, due, used})
	return nil
}

func none(int) (time.Duration, bool)   { return 0, false }
func atOnce(int) (time.Duration, bool) { return 0, true }

// counted reads one number.
func counted(ctx context.Context, pool *pgxpool.Pool, sql string, args ...any) (n int64, err error) {
	err = pool.QueryRow(ctx, sql, args...).Scan(&n)
	return n, err
}

var errNotYet = errors.New("not yet")
