package suite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/secret"
	"suitesign/tenant"
	"suitesign/wecom"
)

// How an exchange can end without a tenant.
var (
	errCodeSpent    = errors.New("WeCom says that the auth_code is used or expired, and nobody has what it was exchanged for: the corp has to authorize the suite again")
	errCodeExpired  = errors.New("the auth_code could not be exchanged within its ten minutes: the corp has to authorize the suite again")
	errConsentGone  = errors.New("the corp has ended the authorization meanwhile")
	errAddressSpent = errors.New("our address has no call for an access_token left for the moment")
	errNotKept      = errors.New("the permanent_code could not be stored")
)

// keepFor is how long a permanent_code waits for a database that is away.
const keepFor = time.Minute

// Exchanger exchanges auth_codes.
type Exchanger struct {
	Store  *Store
	WeCom  *wecom.Client
	Tokens *Tokens
	Log    *slog.Logger // nil: slog.Default()

	// Charge asks whether our address may make one more call for an access_token, and
	// charges it; *ticket.Refresher's ChargeToken does. nil: it always may. A pull that
	// it refuses comes again.
	Charge func(ctx context.Context, tenantID uuid.UUID) (bool, error)
}

// claimed is an exchange under a lease.
type claimed struct {
	Exchange
	lease     lease
	code      []byte // sealed
	permanent []byte // sealed
	corpName  string
	expired   bool // the auth_code's ten minutes are over
}

// Run does what an exchange still needs: the call, the activation, and the first
// pull of the agents. It waits while another holder is at it. The error is why
// there is no tenant, or not yet; what can be tried again is tried by a [Worker].
func (e *Exchanger) Run(ctx context.Context, id uuid.UUID) error {
	for {
		list, err := e.claim(ctx, &id, 1)
		if err != nil {
			return err
		}
		if len(list) == 1 {
			return e.run(ctx, list[0])
		}
		x, soon, err := e.peek(ctx, id)
		switch {
		case err != nil:
			return err
		case x.State == ExchangeDone:
			return nil
		case x.State.Final() || !soon:
			return fmt.Errorf("exchange %s is %s: %s", id, x.State, x.LastError)
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return fmt.Errorf("exchange %s: %w", id, ctx.Err())
		}
	}
}

// peek reads an exchange, and whether something happens to it soon: somebody is
// at it, or it is due.
func (e *Exchanger) peek(ctx context.Context, id uuid.UUID) (x Exchange, soon bool, err error) {
	const q = `SELECT COALESCE(lease_until > now() OR due_at <= now(), false) FROM exchanges WHERE id = $1`
	if err := e.Store.Pool.QueryRow(ctx, q, id).Scan(&soon); err != nil {
		return x, false, fmt.Errorf("exchange %s: %w", id, fromDriver(err))
	}
	x, err = e.Get(ctx, id)
	return x, soon, err
}

// claim leases up to limit exchanges that are due, or the one that is named.
func (e *Exchanger) claim(ctx context.Context, id *uuid.UUID, limit int) ([]claimed, error) {
	const q = `
WITH due AS MATERIALIZED (
	SELECT id FROM exchanges
	WHERE state IN ('pending', 'exchanged') AND due_at <= now() AND (lease_until IS NULL OR lease_until <= now())
		AND ($1::uuid IS NULL OR id = $1)
	ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE exchanges x SET lease_owner = gen_random_uuid(), lease_until = now() + $3::interval, attempts = x.attempts + 1
FROM due WHERE x.id = due.id
RETURNING ` + exchangeColumns + `, x.lease_owner, x.code_sealed, x.permanent_code_sealed, x.corp_name, x.created_at <= now() - $4::interval`
	rows, err := e.Store.Pool.Query(ctx, q, id, limit, leaseFor, codeLives)
	if err != nil {
		return nil, fmt.Errorf("claim exchanges: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (claimed, error) {
		var c claimed
		err := row.Scan(&c.ID, &c.SuiteID, &c.Door, &c.State, &c.AuthorizedAt, &c.CorpID, &c.TenantID, &c.Attempts,
			&c.Unknown, &c.LastErrcode, &c.LastError, &c.CreatedAt, &c.FinishedAt,
			&c.lease, &c.code, &c.permanent, &c.corpName, &c.expired)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim exchanges: %w", err)
	}
	return list, nil
}

// run does one attempt under a lease. A failure is written down before it is returned.
func (e *Exchanger) run(ctx context.Context, x claimed) error {
	ctx, cancel := context.WithTimeout(ctx, attemptFor)
	defer cancel()
	x, err := e.attempt(ctx, x)
	if err == nil || errors.Is(err, errLeaseLost) {
		return err
	}
	// The caller may be gone; what became of its code must be known anyway.
	save, stop := context.WithTimeout(context.WithoutCancel(ctx), saveFor)
	defer stop()
	return fmt.Errorf("exchange %s: %w", x.ID, errors.Join(err, e.failed(save, x, err)))
}

// attempt goes as far as it can, and says how far that was.
func (e *Exchanger) attempt(ctx context.Context, x claimed) (claimed, error) {
	if x.State == ExchangePending {
		var err error
		if x, err = e.exchange(ctx, x); err != nil {
			return x, err
		}
	}
	return x, e.activate(ctx, x)
}

// exchange spends the auth_code and stores what it brings.
func (e *Exchanger) exchange(ctx context.Context, x claimed) (claimed, error) {
	if x.expired {
		return x, errCodeExpired
	}
	code, err := open(e.Store.Ring, x.code, boundRow("exchanges", "code_sealed", x.ID))
	if err != nil {
		return x, err
	}
	got, err := withToken(ctx, e.Tokens, x.SuiteID, func(t wecom.SuiteAccessToken) (wecom.PermanentCode, error) {
		return e.spend(ctx, x, t, code)
	})
	var refused *wecom.Error
	if errors.As(err, &refused) && refused.Code == codeInvalid {
		return e.lookAgain(ctx, x, err)
	}
	if err != nil {
		return x, err
	}
	return e.keep(ctx, x, got)
}

// codeInvalid: the auth_code is unknown, expired, or was exchanged before.
const codeInvalid = 40078

// spend makes the call. The row says so first: the code works once, and whoever
// finds the row after a crash must know that it may be spent. What is sent is not
// taken back when the caller goes: nobody could ask for the answer again.
func (e *Exchanger) spend(ctx context.Context, x claimed, token wecom.SuiteAccessToken, code secret.String) (wecom.PermanentCode, error) {
	const q = `UPDATE exchanges SET unknown_outcome = true WHERE id = $1 AND lease_owner = $2 AND lease_until > now() AND state = 'pending'`
	tag, err := e.Store.Pool.Exec(ctx, q, x.ID, x.lease)
	if err != nil {
		return wecom.PermanentCode{}, err
	}
	if tag.RowsAffected() == 0 {
		return wecom.PermanentCode{}, errLeaseLost
	}
	return e.WeCom.PermanentCode(context.WithoutCancel(ctx), token, code) // at most 4 s
}

// keep stores the permanent_code, whoever holds the lease by now, and even over
// an exchange that was given up: nobody else will ever get it. So it is patient
// with a database that is away.
func (e *Exchanger) keep(ctx context.Context, x claimed, got wecom.PermanentCode) (claimed, error) {
	sealed, err := seal(e.Store.Ring, got.PermanentCode, boundRow("exchanges", "permanent_code_sealed", x.ID))
	if err != nil {
		return x, fmt.Errorf("%w: %w", errNotKept, err)
	}
	const q = `
UPDATE exchanges SET state = 'exchanged', permanent_code_sealed = $2, corp_id = $3, corp_name = $4,
	code_sealed = NULL, unknown_outcome = false, due_at = now(), finished_at = NULL, last_errcode = NULL, last_error = ''
WHERE id = $1 AND permanent_code_sealed IS NULL AND state IN ('pending', 'failed', 'needs_reauthorization')`
	patient, stop := context.WithTimeout(context.WithoutCancel(ctx), keepFor)
	defer stop()
	for {
		save, cancel := context.WithTimeout(patient, saveFor)
		_, err := e.Store.Pool.Exec(save, q, x.ID, sealed, got.CorpID, cut(got.CorpName))
		cancel()
		if err == nil {
			x.State, x.permanent, x.CorpID, x.corpName = ExchangeExchanged, sealed, got.CorpID, cut(got.CorpName)
			return x, nil
		}
		select {
		case <-time.After(lookAgain):
		case <-patient.Done():
			return x, fmt.Errorf("%w: %w", errNotKept, err)
		}
	}
}

// lookAgain is what 40078 asks for: whether an earlier holder, of whom nobody
// heard, has stored what the code was exchanged for.
func (e *Exchanger) lookAgain(ctx context.Context, x claimed, why error) (claimed, error) {
	const q = `SELECT state, permanent_code_sealed, corp_id, corp_name FROM exchanges WHERE id = $1 AND lease_owner = $2`
	err := e.Store.Pool.QueryRow(ctx, q, x.ID, x.lease).Scan(&x.State, &x.permanent, &x.CorpID, &x.corpName)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return x, errLeaseLost
	case err != nil:
		return x, err
	case x.State == ExchangeExchanged && x.permanent != nil:
		return x, nil
	}
	return x, fmt.Errorf("%w (%w)", errCodeSpent, why)
}

// failed writes a failure down: for good, or until the next try.
func (e *Exchanger) failed(ctx context.Context, x claimed, why error) error {
	state, wait := x.State, retryIn(x.Attempts)
	switch class := wecom.Classify(why); {
	case errors.Is(why, errCodeSpent), errors.Is(why, errCodeExpired):
		state = ExchangeLost
	case errors.Is(why, errConsentGone), errors.Is(why, tenant.ErrInvalidCorpID), class == wecom.ClassAuthCode:
		state = ExchangeFailed
	case errors.Is(why, ErrNoSuiteTicket), errors.Is(why, ErrSuiteBlocked), errors.Is(why, ErrSuiteUnavailable):
		wait = retrySoon(x.Attempts)
	case errors.Is(why, context.Canceled):
		wait = 0 // nobody's fault: whoever goes on need not wait
	case class == wecom.ClassIP:
		if err := e.Tokens.BlockIP(ctx, x.SuiteID, why); err != nil {
			return err
		}
	}
	return e.Store.endAttempt(ctx, x, attemptEnd{
		state:   state,
		wait:    wait,
		unknown: x.Unknown || errors.Is(why, wecom.ErrOutcomeUnknown) || errors.Is(why, errNotKept),
		forget:  errors.Is(why, errConsentGone),
		why:     why,
	})
}
