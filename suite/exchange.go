package suite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/secret"
	"suitesign/wecom"
)

// ExchangeDoor is where an auth_code came from.
type ExchangeDoor string

// The doors of an auth_code.
const (
	MarketDoor ExchangeDoor = "market" // create_auth: the app market, or a template's QR code
	SiteDoor   ExchangeDoor = "site"   // the redirect after an installation from our own page
	ResetDoor  ExchangeDoor = "reset"  // reset_permanent_code: a customised app has a new secret
)

// ExchangeState is how far an exchange is.
type ExchangeState string

// The states of an exchange. The last three are final.
const (
	ExchangePending   ExchangeState = "pending"   // the code is not exchanged yet
	ExchangeExchanged ExchangeState = "exchanged" // the permanent_code is stored
	ExchangeDone      ExchangeState = "done"      // the tenant is authorized
	ExchangeFailed    ExchangeState = "failed"    // the platform says that this is no auth_code
	ExchangeLost      ExchangeState = "needs_reauthorization"
)

// Final reports whether nothing more happens to the exchange.
func (s ExchangeState) Final() bool { return s != ExchangePending && s != ExchangeExchanged }

// codeLives is how long an auth_code can be exchanged (protocol.md 1.4).
const codeLives = 10 * time.Minute

// ErrCode is returned for an auth_code that cannot be one.
var ErrCode = errors.New("not an auth_code")

// maxCode is the length in bytes up to which a code is taken: the platform promises 512.
const maxCode = 512

// Exchange is one auth_code and what became of it.
type Exchange struct {
	ID           uuid.UUID
	SuiteID      wecom.SuiteID
	Door         ExchangeDoor
	State        ExchangeState
	AuthorizedAt time.Time
	CorpID       wecom.CorpID // "" until the code is exchanged
	TenantID     *uuid.UUID   // nil until it is done
	Attempts     int
	Unknown      bool // a get_permanent_code was sent and its answer never read
	LastErrcode  *int
	LastError    string
	CreatedAt    time.Time
	FinishedAt   *time.Time
}

const exchangeColumns = `x.id, x.suite_id, x.door, x.state, x.authorized_at, x.corp_id, x.tenant_id, x.attempts,
	x.unknown_outcome, x.last_errcode, x.last_error, x.created_at, x.finished_at`

// exchangeAgain is what a known code does: nothing but be written, and that the
// consent cannot be younger than what either door says of it.
const exchangeAgain = `ON CONFLICT (suite_id, code_digest) DO UPDATE SET
		authorized_at = CASE WHEN x.state = 'pending' THEN LEAST(x.authorized_at, EXCLUDED.authorized_at) ELSE x.authorized_at END
	RETURNING ` + exchangeColumns

func scanExchange(row pgx.CollectableRow) (Exchange, error) {
	return pgx.RowToStructByPos[Exchange](row)
}

// Begin writes down that a code is to be exchanged; [Exchanger].Run, or a Worker,
// does it. A code that is known, from whichever door, is the same exchange.
// The zero authorizedAt means now. ErrNotFound, ErrCode.
func (e *Exchanger) Begin(ctx context.Context, id wecom.SuiteID, code secret.String, door ExchangeDoor, authorizedAt time.Time) (Exchange, error) {
	return begin(ctx, e.Store, e.Store.Pool, id, code, door, authorizedAt)
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func begin(ctx context.Context, s *Store, q querier, id wecom.SuiteID, code secret.String, door ExchangeDoor, at time.Time) (Exchange, error) {
	if !visibleASCII(code.Reveal(), maxCode) {
		return Exchange{}, fmt.Errorf("suite %s: %w", id, ErrCode)
	}
	x := uuid.Must(uuid.NewV7())
	sealed, err := seal(s.Ring, code, boundRow("exchanges", "code_sealed", x))
	if err != nil {
		return Exchange{}, fmt.Errorf("suite %s: %w", id, err)
	}
	var told *time.Time
	if !at.IsZero() {
		told = &at
	}
	const insert = `
INSERT INTO exchanges AS x (id, suite_id, code_digest, code_sealed, door, authorized_at, due_at)
VALUES ($1, $2, $3, $4, $5, COALESCE($6, date_trunc('second', now())), now())
` + exchangeAgain
	rows, err := q.Query(ctx, insert, x, id, digestOf(code), sealed, door, told)
	if err != nil {
		return Exchange{}, fmt.Errorf("suite %s: begin exchange: %w", id, err)
	}
	out, err := pgx.CollectExactlyOneRow(rows, scanExchange)
	if err != nil {
		return Exchange{}, fmt.Errorf("suite %s: begin exchange: %w", id, fromDriver(err))
	}
	return out, nil
}

// Get finds an exchange. ErrNotFound.
func (e *Exchanger) Get(ctx context.Context, id uuid.UUID) (Exchange, error) {
	rows, err := e.Store.Pool.Query(ctx, `SELECT `+exchangeColumns+` FROM exchanges x WHERE x.id = $1`, id)
	if err != nil {
		return Exchange{}, fmt.Errorf("exchange %s: %w", id, err)
	}
	x, err := pgx.CollectExactlyOneRow(rows, scanExchange)
	if err != nil {
		return Exchange{}, fmt.Errorf("exchange %s: %w", id, fromDriver(err))
	}
	return x, nil
}
