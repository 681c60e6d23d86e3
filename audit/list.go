package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/reach"
)

// ErrNotFound is returned where no entry has that id, or has it any more.
var ErrNotFound = errors.New("no such audit entry")

// Record is an entry as it is kept.
type Record struct {
	ID         uuid.UUID
	At         time.Time
	Actor      Actor
	Action     Action
	TargetKind string
	TargetID   string
	SuiteID    string          // "" for none
	TenantID   uuid.UUID       // zero for none
	Before     json.RawMessage // an object; nil where there is no such side
	After      json.RawMessage
}

const recordColumns = `id, at, actor_kind, actor, api_key_id, ip, request_id, action, target_kind, target_id, suite_id, tenant_id, before, after`

func scanRecord(row pgx.CollectableRow) (Record, error) {
	var r Record
	var key, tenant *uuid.UUID
	err := row.Scan(&r.ID, &r.At, &r.Actor.Kind, &r.Actor.Name, &key, &r.Actor.IP, &r.Actor.RequestID,
		&r.Action, &r.TargetKind, &r.TargetID, &r.SuiteID, &tenant, &r.Before, &r.After)
	if key != nil {
		r.Actor.APIKeyID = *key
	}
	if tenant != nil {
		r.TenantID = *tenant
	}
	return r, err
}

// Log reads the audit log, or of it what a bound context reaches: changes to its
// suites and tenants, not those to API keys.
type Log struct {
	Pool reach.DB
}

// Filter selects entries; empty fields select all.
type Filter struct {
	ActorKind  ActorKind
	Actor      string
	APIKeyID   uuid.UUID
	Action     Action
	TargetKind string
	TargetID   string
	SuiteID    string
	TenantID   uuid.UUID
	Since      time.Time // of then or later
	Until      time.Time // before then
}

// Cursor is the entry after which a list goes on; the zero one is before the newest.
type Cursor struct {
	At time.Time
	ID uuid.UUID
}

// Cursor is where a list goes on after the entry.
func (r Record) Cursor() Cursor { return Cursor{At: r.At, ID: r.ID} }

// where is the condition of a list. Only what is asked for is in it, so that each
// combination has a plan, and an index, of its own.
type where struct {
	conditions []string
	args       []any
}

// add adds a condition whose ? stand for the arguments in their order.
func (w *where) add(asked bool, condition string, args ...any) {
	if !asked {
		return
	}
	for _, arg := range args {
		condition = strings.Replace(condition, "?", w.arg(arg), 1)
	}
	w.conditions = append(w.conditions, condition)
}

// arg adds an argument and is its place.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

func (f Filter) where(after Cursor) where {
	var w where
	w.add(f.ActorKind != "", `actor_kind = ?`, f.ActorKind)
	w.add(f.Actor != "", `actor = ?`, f.Actor)
	w.add(f.APIKeyID != uuid.Nil, `api_key_id = ?`, f.APIKeyID)
	w.add(f.Action != "", `action = ?`, f.Action)
	w.add(f.TargetKind != "", `target_kind = ?`, f.TargetKind)
	w.add(f.TargetID != "", `target_id = ?`, f.TargetID)
	w.add(f.SuiteID != "", `suite_id = ? AND suite_id <> ''`, f.SuiteID)
	w.add(f.TenantID != uuid.Nil, `tenant_id = ?`, f.TenantID)
	w.add(!f.Since.IsZero(), `at >= ?`, f.Since)
	w.add(!f.Until.IsZero(), `at < ?`, f.Until)
	w.add(after != Cursor{}, `(at, id) < (?, ?)`, after.At, after.ID)
	return w
}

// List answers with up to limit entries after the cursor, the newest first.
func (l *Log) List(ctx context.Context, f Filter, after Cursor, limit int) ([]Record, error) {
	if suite, one := reach.OneSuite(ctx); one && f.SuiteID == "" {
		f.SuiteID = suite
	}
	w := f.where(after)
	w.conditions = append(w.conditions, reach.Condition(ctx, `suite_id = ANY (%s) AND suite_id <> ''`, `tenant_id = ANY (%s)`, w.arg))
	q := `SELECT ` + recordColumns + ` FROM audit_log WHERE ` + strings.Join(w.conditions, ` AND `) + ` ORDER BY at DESC, id DESC LIMIT $` + strconv.Itoa(len(w.args)+1)
	rows, err := l.Pool.Query(ctx, q, append(w.args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("list audit log: %w", err)
	}
	out, err := pgx.CollectRows(rows, scanRecord)
	if err != nil {
		return nil, fmt.Errorf("list audit log: %w", err)
	}
	return out, nil
}

// exportBatch is how many entries are read at once, so that an export neither
// holds a transaction open nor the whole log in memory.
const exportBatch = 1000

// All answers with every entry that a filter selects, the newest first. Entries
// that come meanwhile are newer than those, and not among them.
func (l *Log) All(ctx context.Context, f Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var after Cursor
		for {
			batch, err := l.List(ctx, f, after, exportBatch)
			if err != nil {
				yield(Record{}, err)
				return
			}
			for _, r := range batch {
				if !yield(r, nil) {
					return
				}
				after = r.Cursor()
			}
			if len(batch) < exportBatch {
				return
			}
		}
	}
}

// Get finds an entry. ErrNotFound.
func (l *Log) Get(ctx context.Context, id uuid.UUID) (Record, error) {
	rows, err := l.Pool.Query(ctx, `SELECT `+recordColumns+` FROM audit_log WHERE id = $1`, id)
	if err != nil {
		return Record{}, fmt.Errorf("audit entry %s: %w", id, err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRecord)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Record{}, fmt.Errorf("audit entry %s: %w", id, err)
	}
	return r, nil
}
