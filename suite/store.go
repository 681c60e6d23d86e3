package suite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"suitesign/audit"
	"suitesign/changes"
	"suitesign/reach"
	"suitesign/secret"
	"suitesign/tenant"
	"suitesign/wecom"
)

// Store keeps suites and the authorizations that corps gave them.
type Store struct {
	Pool    reach.DB
	Ring    secret.Sealer
	Tenants *tenant.Store
	Grace   time.Duration // how long the callback pair before the last change is accepted; 0: 24 h
}

const defaultGrace = 24 * time.Hour

// suiteColumns are the columns of a Suite, in the order of its fields.
const suiteColumns = `suite_id, kind, name, provider_corp_id, install_test_mode,
	suite_secret_sealed IS NOT NULL, callback_token_sealed IS NOT NULL, encoding_aes_key_sealed IS NOT NULL,
	CASE WHEN previous_until > now() THEN previous_until END, secret_version, version, created_at, updated_at`

func scanSuite(row pgx.CollectableRow) (Suite, error) { return pgx.RowToStructByPos[Suite](row) }

// Create stores a new suite. ErrInvalid, ErrExists.
func (s *Store) Create(ctx context.Context, n New) (Suite, error) {
	if err := n.Validate(); err != nil {
		return Suite{}, err
	}
	suiteSecret, err1 := seal(s.Ring, n.SuiteSecret, bound("suites", "suite_secret_sealed", n.ID))
	token, err2 := seal(s.Ring, n.CallbackToken, bound("suites", "callback_token_sealed", n.ID))
	key, err3 := seal(s.Ring, n.EncodingAESKey, bound("suites", "encoding_aes_key_sealed", n.ID))
	if err := errors.Join(err1, err2, err3); err != nil {
		return Suite{}, err
	}
	const q = `
INSERT INTO suites (suite_id, kind, name, provider_corp_id, install_test_mode,
	suite_secret_sealed, callback_token_sealed, encoding_aes_key_sealed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING ` + suiteColumns
	return s.write(ctx, n.ID, func(tx pgx.Tx) (Suite, error) {
		rows, err := tx.Query(ctx, q, n.ID, n.Kind, n.Name, n.ProviderCorpID, n.InstallTestMode, suiteSecret, token, key)
		if err != nil {
			return Suite{}, err
		}
		made, err := pgx.CollectExactlyOneRow(rows, scanSuite)
		if err != nil {
			return Suite{}, err
		}
		return made, logSuite(ctx, tx, audit.SuiteCreate, n.ID, nil, made.audited())
	})
}

// write runs one change of a suite in a transaction that also tells the replicas.
func (s *Store) write(ctx context.Context, id wecom.SuiteID, change func(pgx.Tx) (Suite, error)) (Suite, error) {
	var out Suite
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		var err error
		if out, err = change(tx); err != nil {
			return err
		}
		return changes.Append(ctx, tx, changes.Suite, string(id))
	})
	if err != nil {
		return Suite{}, fmt.Errorf("suite %s: %w", id, fromDriver(err))
	}
	return out, nil
}

// Get finds a suite. ErrNotFound.
func (s *Store) Get(ctx context.Context, id wecom.SuiteID) (Suite, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+suiteColumns+` FROM suites WHERE suite_id = $1`, id)
	if err != nil {
		return Suite{}, fmt.Errorf("suite %s: %w", id, err)
	}
	out, err := pgx.CollectExactlyOneRow(rows, scanSuite)
	if err != nil {
		return Suite{}, fmt.Errorf("suite %s: %w", id, fromDriver(err))
	}
	return out, nil
}

// List answers with up to limit suites in the order of their ids, from the one after the cursor on.
func (s *Store) List(ctx context.Context, after wecom.SuiteID, limit int) ([]Suite, error) {
	return s.Page(ctx, after, false, limit)
}

// Page is List, or with down the reverse; no cursor is before the first in either.
func (s *Store) Page(ctx context.Context, after wecom.SuiteID, down bool, limit int) ([]Suite, error) {
	q := `SELECT ` + suiteColumns + ` FROM suites WHERE suite_id > $1 ORDER BY suite_id LIMIT $2`
	if down {
		q = `SELECT ` + suiteColumns + ` FROM suites WHERE $1 = '' OR suite_id < $1 ORDER BY suite_id DESC LIMIT $2`
	}
	rows, err := s.Pool.Query(ctx, q, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list suites: %w", err)
	}
	out, err := pgx.CollectRows(rows, scanSuite)
	if err != nil {
		return nil, fmt.Errorf("list suites: %w", err)
	}
	return out, nil
}

// Delete removes a suite with all that hangs off it. The row is locked first:
// a tenant cannot come in between the question and the deletion.
// ErrNotFound, ErrVersion, ErrHasActiveTenants.
func (s *Store) Delete(ctx context.Context, id wecom.SuiteID, ifVersion *int64) error {
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+suiteColumns+` FROM suites WHERE suite_id = $1 FOR UPDATE`, id)
		if err != nil {
			return err
		}
		gone, err := pgx.CollectExactlyOneRow(rows, scanSuite)
		if err != nil {
			return err
		}
		if ifVersion != nil && *ifVersion != gone.Version {
			return ErrVersion
		}
		var active bool
		const q = `SELECT EXISTS (SELECT FROM tenants WHERE suite_id = $1 AND status = 'active')`
		if err := tx.QueryRow(ctx, q, id).Scan(&active); err != nil {
			return err
		}
		if active {
			return ErrHasActiveTenants
		}
		if _, err := tx.Exec(ctx, `DELETE FROM suites WHERE suite_id = $1`, id); err != nil {
			return err
		}
		if err := logSuite(ctx, tx, audit.SuiteDelete, id, gone.audited(), nil); err != nil {
			return err
		}
		if err := changes.Append(ctx, tx, changes.Suite, string(id)); err != nil {
			return err
		}
		// Its tenants, inactive or not, are no more.
		if err := changes.Append(ctx, tx, changes.Tenants, string(id)); err != nil {
			return err
		}
		return changes.Append(ctx, tx, changes.Hosts, "")
	})
	if err != nil {
		return fmt.Errorf("suite %s: %w", id, fromDriver(err))
	}
	return nil
}

// fromDriver turns what the driver says into the room's own errors.
func fromDriver(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.ConstraintName {
		case "suites_pkey":
			return ErrExists
		case "callback_events_suite", "exchanges_suite", "install_states_suite", "suite_tickets_suite", "suite_tokens_suite":
			return ErrNotFound
		}
	}
	return err
}
