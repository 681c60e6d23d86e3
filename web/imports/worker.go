package imports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"suitesign/audit"
	"suitesign/suite"
	"suitesign/tenant"
)

// Worker works imports off. Any number of them work on one database; an import
// is worked off by one at a time.
type Worker struct {
	Store *Store
	Log   *slog.Logger // nil: slog.Default()

	mu      sync.Mutex
	cleaned time.Time
}

const (
	workBatch  = 500
	leaseFor   = 10 * time.Second
	batchFor   = 8 * time.Second  // a batch that takes longer gives up before its lease ends
	roundFor   = 30 * time.Second // then the lease is given back; the next beat goes on
	cleanEvery = time.Minute
	kept       = 30 * 24 * time.Hour // how long what became of an import is told
)

// errLeaseLost ends the work on an import that was cancelled, or that another worker took over.
var errLeaseLost = errors.New("lease lost")

// RunOnce works off what is due until nothing is, or half a minute is over, and
// says how many rows that were. The error is a broken database.
func (w *Worker) RunOnce(ctx context.Context) (rows int, err error) {
	for began := time.Now(); ctx.Err() == nil && time.Since(began) < roundFor; {
		t, ok, err := w.Store.claim(ctx)
		if err != nil {
			return rows, err
		}
		if !ok {
			break
		}
		n, err := w.work(ctx, t, began)
		if rows += n; err != nil {
			return rows, err
		}
	}
	if ctx.Err() == nil && w.timeToClean() {
		err = w.Store.clean(ctx)
	}
	return rows, err
}

// task is a leased import.
type task struct {
	Import
	lease uuid.UUID
	to    int // the last line that is done
	actor audit.Actor
}

func (s *Store) claim(ctx context.Context) (task, bool, error) {
	const q = `
WITH due AS MATERIALIZED (
	SELECT id FROM imports
	WHERE state IN ('pending', 'running') AND (lease_until IS NULL OR lease_until <= now())
	ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE imports i SET state = 'running', started_at = COALESCE(started_at, now()), lease_owner = gen_random_uuid(), lease_until = now() + $1::interval
FROM due WHERE i.id = due.id
RETURNING i.id, i.on_conflict, i.created_at, i.lease_owner, i.worked_to, i.actor`
	var t task
	err := s.Pool.QueryRow(ctx, q, leaseFor).Scan(&t.ID, &t.OnConflict, &t.CreatedAt, &t.lease, &t.to, &t.actor)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, false, nil
	}
	if err != nil {
		return t, false, fmt.Errorf("claim import: %w", err)
	}
	return t, true, nil
}

// work works an import off, batch by batch.
func (w *Worker) work(ctx context.Context, t task, began time.Time) (rows int, err error) {
	for ctx.Err() == nil && time.Since(began) < roundFor {
		n, err := w.batch(ctx, &t)
		rows += n
		if errors.Is(err, errLeaseLost) {
			return rows, nil
		}
		if err != nil {
			return rows, errors.Join(fmt.Errorf("import %s: %w", t.ID, err), w.Store.giveBack(ctx, t))
		}
		if n == 0 {
			w.log().InfoContext(ctx, "import done", "import_id", t.ID)
			return rows, nil
		}
	}
	return rows, w.Store.giveBack(ctx, t)
}

// batch does the next rows and writes down what became of them; with none left it ends the import.
func (w *Worker) batch(ctx context.Context, t *task) (int, error) {
	ctx, cancel := context.WithTimeout(audit.With(ctx, t.actor), batchFor)
	defer cancel()
	rows, err := w.Store.pending(ctx, *t)
	if err != nil {
		return 0, err
	}
	if len(rows) == 0 {
		return 0, w.Store.finish(ctx, *t)
	}
	var sound []*item
	for _, x := range rows {
		if x.state == RowPending {
			sound = append(sound, x)
		}
	}
	if err := w.moveAll(ctx, *t, sound); err != nil {
		return 0, err
	}
	t.to = rows[len(rows)-1].Line
	return len(rows), w.Store.writeDown(ctx, *t, rows)
}

// pending opens the next rows. One that does not open fails alone.
func (s *Store) pending(ctx context.Context, t task) ([]*item, error) {
	const q = `
SELECT line, suite_id, corp_id, tenant_id, sealed FROM import_rows
WHERE import_id = $1 AND line > $2 AND state = 'pending' ORDER BY line LIMIT $3`
	rows, err := s.Pool.Query(ctx, q, t.ID, t.to, workBatch)
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*item, error) {
		x := &item{state: RowPending}
		var sealed []byte
		if err := row.Scan(&x.Line, &x.SuiteID, &x.CorpID, &x.own, &sealed); err != nil {
			return nil, err
		}
		if err := s.openRow(t.ID, &x.Record, sealed); err != nil {
			x.fail(faultInternal)
		}
		return x, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	return list, nil
}

// moveAll moves rows in together, and where the database refuses one of them, each alone.
func (w *Worker) moveAll(ctx context.Context, t task, rows []*item) error {
	err := w.Store.move(ctx, t, rows)
	if err == nil || !refusesData(err) {
		return err
	}
	for _, x := range rows {
		x.state, x.faults = RowPending, nil
		if err := w.Store.move(ctx, t, []*item{x}); err != nil {
			if !refusesData(err) {
				return err
			}
			w.log().ErrorContext(ctx, "a row of an import was refused by the database", "import_id", t.ID, "line", x.Line, "error", err)
			x.fail(faultInternal)
		}
	}
	return nil
}

// refusesData reports that the database refused what it was given, not that it was away.
func refusesData(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (strings.HasPrefix(pe.Code, "22") || strings.HasPrefix(pe.Code, "23")) || errors.Is(err, tenant.ErrNotFound)
}

// move brings rows into the rooms that own what they hold: tenants, then authorizations.
func (s *Store) move(ctx context.Context, t task, rows []*item) error {
	kinds, err := s.kinds(ctx)
	if err != nil {
		return err
	}
	left, list, err := s.arrivals(ctx, rows, t.OnConflict, t.CreatedAt)
	if err != nil {
		return err
	}
	arrived, err := s.Tenants.MoveIn(ctx, list)
	if err != nil {
		return err
	}
	var granted []*item
	for i, x := range left {
		x.arrive(arrived[i], kinds[x.SuiteID] == suite.Internal)
		if x.state != RowFailed && x.state != RowSkipped && !x.code().IsZero() {
			granted = append(granted, x)
		}
	}
	for len(granted) > 0 {
		var again []*item // two rows mean one tenant, by two forms of its corp's id
		met := map[uuid.UUID]bool{}
		var now []*item
		for _, x := range granted {
			if met[x.tenant] {
				again = append(again, x)
				continue
			}
			met[x.tenant] = true
			now = append(now, x)
		}
		if err := s.grant(ctx, t, now); err != nil {
			return err
		}
		granted = again
	}
	return nil
}

func (s *Store) grant(ctx context.Context, t task, rows []*item) error {
	list := make([]suite.Grant, len(rows))
	for i, x := range rows {
		list[i] = suite.Grant{TenantID: x.tenant, SuiteID: x.SuiteID, CorpID: x.CorpID, Aliases: x.Aliases, Code: x.code(),
			AuthorizedAt: x.AuthorizedAt, AgentsKnown: len(x.Agents) > 0}
		if x.AuthorizedAt.IsZero() {
			list[i].AuthorizedAt = t.CreatedAt
		}
	}
	ends, err := s.Suites.MoveIn(ctx, list)
	if err != nil {
		return err
	}
	for i, x := range rows {
		switch {
		case ends[i].Err != nil:
			x.fail(faultCancelled)
		case ends[i].Changed && x.state == RowUnchanged:
			x.state = RowUpdated
		}
	}
	return nil
}

// writeDown notes what became of rows and how far the import is, and forgets what the rows held.
func (s *Store) writeDown(ctx context.Context, t task, rows []*item) error {
	var counts Counts
	lines, states := make([]int32, len(rows)), make([]string, len(rows))
	tenants, faults := make([]*uuid.UUID, len(rows)), make([]*string, len(rows))
	for i, x := range rows {
		counts.add(x.state)
		lines[i], states[i] = int32(x.Line), string(x.state) //nolint:gosec // stored as an integer of 32 bits
		if x.tenant != uuid.Nil {
			tenants[i] = &x.tenant
		}
		if x.faults != nil {
			text, err := json.Marshal(x.faults)
			if err != nil {
				return err
			}
			told := string(text)
			faults[i] = &told
		}
	}
	return pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		const progress = `
UPDATE imports SET worked_to = $3, created = created + $4, updated = updated + $5, unchanged = unchanged + $6, skipped = skipped + $7, failed = failed + $8,
	lease_until = now() + $9::interval
WHERE id = $1 AND lease_owner = $2 AND state = 'running'`
		tag, err := tx.Exec(ctx, progress, t.ID, t.lease, t.to, counts.Created, counts.Updated, counts.Unchanged, counts.Skipped, counts.Failed, leaseFor)
		if err == nil && tag.RowsAffected() == 0 {
			return errLeaseLost
		}
		if err != nil {
			return fmt.Errorf("write down progress: %w", err)
		}
		const q = `
UPDATE import_rows r SET state = v.state, tenant_id = v.tenant_id, faults = v.faults::jsonb, sealed = NULL
FROM unnest($2::int[], $3::text[], $4::uuid[], $5::text[]) AS v (line, state, tenant_id, faults)
WHERE r.import_id = $1 AND r.line = v.line`
		if _, err := tx.Exec(ctx, q, t.ID, lines, states, tenants, faults); err != nil {
			return fmt.Errorf("write down rows: %w", err)
		}
		return nil
	})
}

func (s *Store) finish(ctx context.Context, t task) error {
	const q = `
UPDATE imports SET state = 'done', finished_at = now(), lease_owner = NULL, lease_until = NULL
WHERE id = $1 AND lease_owner = $2 AND state = 'running'`
	if _, err := s.Pool.Exec(ctx, q, t.ID, t.lease); err != nil {
		return fmt.Errorf("end import: %w", err)
	}
	return nil
}

// giveBack lets another worker go on at once.
func (s *Store) giveBack(ctx context.Context, t task) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second) // the lease is given back in any case
	defer cancel()
	const q = `UPDATE imports SET lease_owner = NULL, lease_until = NULL WHERE id = $1 AND lease_owner = $2`
	if _, err := s.Pool.Exec(ctx, q, t.ID, t.lease); err != nil {
		return fmt.Errorf("give import %s back: %w", t.ID, err)
	}
	return nil
}

// clean removes uploads that broke off without a word, and imports that ended long ago.
func (s *Store) clean(ctx context.Context) error {
	const q = `
DELETE FROM imports WHERE state = 'receiving' AND lease_until <= now()
	OR finished_at < now() - $1::interval`
	if _, err := s.Pool.Exec(ctx, q, kept); err != nil {
		return fmt.Errorf("remove old imports: %w", err)
	}
	return nil
}

func (w *Worker) timeToClean() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if !w.cleaned.IsZero() && now.Sub(w.cleaned) < cleanEvery {
		return false
	}
	w.cleaned = now
	return true
}

func (w *Worker) log() *slog.Logger {
	if w.Log != nil {
		return w.Log
	}
	return slog.Default()
}
