package imports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
)

const importColumns = `id, state, format, on_conflict, sha256, created_by, total, created, updated, unchanged, skipped, failed, created_at, started_at, finished_at`

func scanImport(row pgx.CollectableRow) (i Import, err error) {
	err = row.Scan(&i.ID, &i.State, &i.Format, &i.OnConflict, &i.SHA256, &i.CreatedBy,
		&i.Counts.Total, &i.Counts.Created, &i.Counts.Updated, &i.Counts.Unchanged, &i.Counts.Skipped, &i.Counts.Failed,
		&i.CreatedAt, &i.StartedAt, &i.FinishedAt)
	return i, err
}

// Get finds an import. ErrNotFound.
func (s *Store) Get(ctx context.Context, id uuid.UUID) (Import, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+importColumns+` FROM imports WHERE id = $1`, id)
	if err != nil {
		return Import{}, fmt.Errorf("import %s: %w", id, err)
	}
	got, err := pgx.CollectExactlyOneRow(rows, scanImport)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Import{}, fmt.Errorf("import %s: %w", id, err)
	}
	return got, nil
}

// List answers with up to limit imports, the newest first, from the one before
// the cursor on (uuid.Max: from the newest).
func (s *Store) List(ctx context.Context, before uuid.UUID, limit int) ([]Import, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+importColumns+` FROM imports WHERE id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list imports: %w", err)
	}
	out, err := pgx.CollectRows(rows, scanImport)
	if err != nil {
		return nil, fmt.Errorf("list imports: %w", err)
	}
	return out, nil
}

// Rows answers with up to limit rows of an import behind a line, in the order of
// the file; of one state, or of all.
func (s *Store) Rows(ctx context.Context, id uuid.UUID, state RowState, after, limit int) ([]Row, error) {
	if _, err := s.Get(ctx, id); err != nil {
		return nil, err
	}
	q := `
SELECT line, state, suite_id, corp_id, CASE WHEN state IN ('pending', 'cancelled') THEN NULL ELSE tenant_id END, faults
FROM import_rows WHERE import_id = $1 AND line > $2`
	args := []any{id, after, limit}
	if state != "" {
		q += ` AND state = $4`
		if state == RowFailed {
			q += ` AND state = 'failed'` // as the index has it
		}
		args = append(args, state)
	}
	rows, err := s.Pool.Query(ctx, q+` ORDER BY line LIMIT $3`, args...)
	if err != nil {
		return nil, fmt.Errorf("rows of import %s: %w", id, err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Row, error) {
		var r Row
		var faults []byte
		err := row.Scan(&r.Line, &r.State, &r.SuiteID, &r.CorpID, &r.TenantID, &faults)
		if err == nil && faults != nil {
			err = json.Unmarshal(faults, &r.Faults)
		}
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("rows of import %s: %w", id, err)
	}
	return out, nil
}

// Cancel ends an import; what moved in already stays. Cancelling again is no
// error. ErrNotFound, ErrFinished.
func (s *Store) Cancel(ctx context.Context, id uuid.UUID) error {
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		// The row is held: a worker that writes a batch down comes before or after.
		var state State
		err := tx.QueryRow(ctx, `SELECT state FROM imports WHERE id = $1 FOR UPDATE`, id).Scan(&state)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrNotFound
		case err != nil:
			return err
		case state == Done:
			return ErrFinished
		case state == Cancelled:
			return nil
		}
		const end = `UPDATE imports SET state = 'cancelled', finished_at = now(), lease_owner = NULL, lease_until = NULL WHERE id = $1`
		if _, err := tx.Exec(ctx, end, id); err != nil {
			return err
		}
		const forget = `UPDATE import_rows SET state = 'cancelled', sealed = NULL WHERE import_id = $1 AND state = 'pending'`
		if _, err := tx.Exec(ctx, forget, id); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Action: audit.ImportCancel, TargetID: id.String(),
			Before: audit.Fields{"state": state}, After: audit.Fields{"state": Cancelled}})
	})
	if err != nil {
		return fmt.Errorf("cancel import %s: %w", id, err)
	}
	return nil
}
