package imports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/audit"
	"suitesign/secret"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
)

// Store keeps imports.
type Store struct {
	Pool    *pgxpool.Pool
	Ring    secret.Sealer
	Suites  *suite.Store
	Tenants *tenant.Store
	MaxRows int  // of one file; 0: 1,000,000
	Demo    bool // names under localhost may be trusted

	once  sync.Once
	slots chan struct{}
}

const (
	defaultMaxRows = 1_000_000
	uploads        = 2 // at once, by one replica: each holds the ids of its rows
	stageBatch     = 2000
	// An upload that stops coming, or whose replica died, is forgotten after this.
	receiveFor = 2 * time.Minute
)

// File is a file to be taken in.
type File struct {
	Format     Format
	OnConflict OnConflict
	By         string // the name of the key
	Body       io.Reader
}

// Take stages a file, to be worked off later. If it fails nothing is left of it.
// ErrFile, ErrTooLarge, ErrBusy.
func (s *Store) Take(ctx context.Context, f File) (Import, error) {
	leave, err := s.enter()
	if err != nil {
		return Import{}, err
	}
	defer leave()
	id, err := uuid.NewV7()
	if err != nil {
		return Import{}, err
	}
	if err := s.begin(ctx, id, f); err != nil {
		return Import{}, err
	}
	got, err := s.stage(ctx, id, f)
	if err != nil {
		drop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // the upload may be what broke
		defer cancel()
		if _, gone := s.Pool.Exec(drop, `DELETE FROM imports WHERE id = $1`, id); gone != nil {
			err = errors.Join(err, gone) // the worker removes it later
		}
		return Import{}, err
	}
	return got, nil
}

func (s *Store) enter() (leave func(), err error) {
	s.once.Do(func() { s.slots = make(chan struct{}, uploads) })
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	default:
		return nil, ErrBusy
	}
}

func (s *Store) begin(ctx context.Context, id uuid.UUID, f File) error {
	const q = `
INSERT INTO imports (id, state, format, on_conflict, created_by, actor, lease_until) VALUES ($1, 'receiving', $2, $3, $4, $5, now() + $6::interval)`
	if _, err := s.Pool.Exec(ctx, q, id, f.Format, f.OnConflict, f.By, audit.From(ctx), receiveFor); err != nil {
		return fmt.Errorf("begin import: %w", err)
	}
	return nil
}

// read hands out the rows of a file, checked, in groups.
func (s *Store) read(ctx context.Context, f File, group func([]*Record) error) (digest []byte, err error) {
	kinds, err := s.kinds(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	in, err := newReader(f.Format, io.TeeReader(f.Body, sum), s.Demo)
	if err != nil {
		return nil, err
	}
	file := &checks{kinds: kinds, had: map[suite.Corp]int{}}
	limit := s.MaxRows
	if limit <= 0 {
		limit = defaultMaxRows
	}
	var rows []*Record
	for total := 0; ; {
		r, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if total++; total > limit {
			return nil, fmt.Errorf("%w: more than %d rows", ErrTooLarge, limit)
		}
		if len(r.faults) == 0 || r.SuiteID != "" {
			r.check(file)
		}
		if rows = append(rows, r); len(rows) == stageBatch {
			if err := group(rows); err != nil {
				return nil, err
			}
			rows = rows[:0]
		}
	}
	return sum.Sum(nil), group(rows)
}

func (s *Store) kinds(ctx context.Context) (map[wecom.SuiteID]suite.Kind, error) {
	out := map[wecom.SuiteID]suite.Kind{}
	var after wecom.SuiteID
	for {
		list, err := s.Suites.List(ctx, after, 200)
		if err != nil || len(list) == 0 {
			return out, err
		}
		for _, one := range list {
			out[one.ID], after = one.Kind, one.ID
		}
	}
}

// stage stores what comes and closes the upload.
func (s *Store) stage(ctx context.Context, id uuid.UUID, f File) (Import, error) {
	var counts Counts
	digest, err := s.read(ctx, f, func(rows []*Record) error { return s.stageRows(ctx, id, rows, &counts) })
	if err != nil {
		return Import{}, err
	}
	if counts.Total == 0 {
		return Import{}, errNoRows
	}
	const q = `
UPDATE imports SET state = 'pending', sha256 = $2, total = $3, skipped = $4, failed = $5, lease_until = NULL
WHERE id = $1 AND state = 'receiving'`
	err = pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, q, id, digest, counts.Total, counts.Skipped, counts.Failed)
		if err == nil && tag.RowsAffected() == 0 {
			err = errUploadLost
		}
		if err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Action: audit.ImportCreate, TargetID: id.String(), After: audit.Fields{
			"format": f.Format, "on_conflict": f.OnConflict, "sha256": hex.EncodeToString(digest), "total": counts.Total}})
	})
	if err != nil {
		return Import{}, fmt.Errorf("end of upload: %w", err)
	}
	return s.Get(ctx, id)
}

var (
	errNoRows     = &FileError{0, "The file has no rows.", "文件没有数据行。"}
	errUploadLost = errors.New("the upload took too long and was forgotten")
)

func (s *Store) stageRows(ctx context.Context, id uuid.UUID, rows []*Record, counts *Counts) error {
	source := make([][]any, 0, len(rows))
	for _, r := range rows {
		state, values, err := s.stageRow(id, r)
		if err != nil {
			return err
		}
		counts.Total++
		counts.add(state)
		source = append(source, values)
	}
	return pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE imports SET lease_until = now() + $2::interval WHERE id = $1 AND state = 'receiving'`, id, receiveFor)
		if err == nil && tag.RowsAffected() == 0 {
			err = errUploadLost
		}
		if err != nil {
			return fmt.Errorf("stage rows: %w", err)
		}
		columns := []string{"import_id", "line", "state", "suite_id", "corp_id", "tenant_id", "sealed", "faults"}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"import_rows"}, columns, pgx.CopyFromRows(source)); err != nil {
			return fmt.Errorf("stage rows: %w", err)
		}
		return nil
	})
}

func (s *Store) stageRow(id uuid.UUID, r *Record) (RowState, []any, error) {
	suiteID, corpID := r.shownIDs()
	if len(r.faults) > 0 {
		told, err := json.Marshal(r.faults)
		return RowFailed, []any{id, int32(r.Line), string(RowFailed), suiteID, corpID, nil, nil, told}, err //nolint:gosec // bounded by the file's size
	}
	if r.Status == tenant.Cancelled { // there is nothing to move: only a new authorization helps
		return RowSkipped, []any{id, int32(r.Line), string(RowSkipped), suiteID, corpID, nil, nil, nil}, nil //nolint:gosec // as above
	}
	own, err := uuid.NewV7()
	if err != nil {
		return "", nil, err
	}
	sealed, err := s.sealRow(id, r)
	return RowPending, []any{id, int32(r.Line), string(RowPending), suiteID, corpID, own, sealed, nil}, err //nolint:gosec // as above
}

// shownIDs are the ids of a row as they can be shown: what is no id is left out.
func (r *Record) shownIDs() (suiteID, corpID string) {
	if tenant.CheckCorpID(wecom.CorpID(r.SuiteID)) == nil {
		suiteID = string(r.SuiteID)
	}
	if tenant.CheckCorpID(r.CorpID) == nil {
		corpID = string(r.CorpID)
	}
	return suiteID, corpID
}
