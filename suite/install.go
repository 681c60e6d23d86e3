package suite

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/secret"
	"suitesign/wecom"
)

// ErrState is returned for a way back from an installation that this browser did
// not begin, or began too long ago, or has used already.
var ErrState = errors.New("unknown, expired or used install state")

const (
	stateLives   = 20 * time.Minute // as long as a pre_auth_code does (protocol.md 1.3, A3)
	maxState     = 128              // characters: more is 84025
	exchangeWait = 8 * time.Second  // how long the way back waits for the exchange
)

// Installs is the install page's side of an authorization.
type Installs struct {
	Store      *Store
	WeCom      *wecom.Client
	Tokens     *Tokens
	Exchanger  *Exchanger
	PublicURL  string       // where the way back leads, e.g. https://sign.example.com
	InstallURL string       // the platform's page, https://open.work.weixin.qq.com/3rdapp/install
	Log        *slog.Logger // nil: slog.Default()
}

// Start is the beginning of an installation.
type Start struct {
	URL    string        // where to send the browser
	Cookie secret.String // what its cookie must hold when it comes back
	MaxAge time.Duration // of the cookie
}

// Page says what an install page may show of a suite, and whether there is one:
// internal suites are not installed. ErrNotFound.
func (in *Installs) Page(ctx context.Context, id wecom.SuiteID) (name string, err error) {
	s, err := in.Store.Get(ctx, id)
	if err != nil {
		return "", err
	}
	if s.Kind == Internal {
		return "", fmt.Errorf("suite %s: %w", id, ErrNotFound)
	}
	return s.Name, nil
}

// Start begins an installation: it fetches a pre_auth_code and binds a state to
// the browser. Called on the click, not when the page is shown: each costs a call.
// ErrNotFound, ErrNoSuiteTicket, ErrSuiteBlocked, ErrSuiteUnavailable.
func (in *Installs) Start(ctx context.Context, id wecom.SuiteID) (Start, error) {
	s, err := in.Store.Get(ctx, id)
	if err != nil {
		return Start{}, err
	}
	if s.Kind == Internal {
		return Start{}, fmt.Errorf("suite %s: %w", id, ErrNotFound)
	}
	code, err := withToken(ctx, in.Tokens, id, func(t wecom.SuiteAccessToken) (wecom.PreAuthCode, error) {
		g, err := in.WeCom.PreAuthCode(ctx, t)
		if err == nil && s.InstallTestMode {
			// Without it an unpublished suite cannot be installed; it is wanted for
			// each pre_auth_code anew (developer.work.weixin.qq.com/document/path/90602).
			err = in.WeCom.SetSessionInfo(ctx, t, g.Value, wecom.AuthTypeTest)
		}
		return g.Value, err
	})
	if err != nil {
		return Start{}, fmt.Errorf("suite %s: pre_auth_code: %w", id, err)
	}
	state, cookie := rand.Text(), rand.Text() // 26 characters of [A-Z2-7], 130 bits
	const q = `INSERT INTO install_states (state_digest, cookie_digest, suite_id, expires_at) VALUES ($1, $2, $3, now() + $4::interval)`
	if _, err := in.Store.Pool.Exec(ctx, q, digestOf(secret.New(state)), digestOf(secret.New(cookie)), id, stateLives); err != nil {
		return Start{}, fmt.Errorf("suite %s: install state: %w", id, fromDriver(err))
	}
	return Start{URL: in.link(id, code, state), Cookie: secret.New(cookie), MaxAge: stateLives}, nil
}

// link is the platform's install page. Encode encodes redirect_uri once.
func (in *Installs) link(id wecom.SuiteID, code wecom.PreAuthCode, state string) string {
	q := url.Values{
		"suite_id":      {string(id)},
		"pre_auth_code": {code.Reveal()},
		"redirect_uri":  {in.PublicURL + "/install/" + url.PathEscape(string(id)) + "/redirect"},
		"state":         {state},
	}
	return in.InstallURL + "?" + q.Encode()
}

// Finish takes the way back. The state is used up and the exchange written down
// together, so that no code is lost in between; then the exchange is tried at
// once, and where it takes long, [Installs.Status] tells on.
// ErrState, ErrCode, ErrNotFound.
func (in *Installs) Finish(ctx context.Context, id wecom.SuiteID, state, cookie string, authCode secret.String) (uuid.UUID, error) {
	if !wellFormedState(state) || !wellFormedState(cookie) {
		return uuid.Nil, fmt.Errorf("suite %s: %w", id, ErrState)
	}
	var x Exchange
	err := pgx.BeginFunc(ctx, in.Store.Pool, func(tx pgx.Tx) error {
		const use = `
UPDATE install_states SET used_at = now()
WHERE state_digest = $1 AND cookie_digest = $2 AND suite_id = $3 AND used_at IS NULL AND expires_at > now()
RETURNING state_digest`
		stateSum, cookieSum := sha256.Sum256([]byte(state)), sha256.Sum256([]byte(cookie))
		var digest []byte
		err := tx.QueryRow(ctx, use, stateSum[:], cookieSum[:], id).Scan(&digest)
		if errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("suite %s: %w", id, ErrState)
		} else if err != nil {
			return fmt.Errorf("suite %s: install state: %w", id, err)
		}
		if x, err = begin(ctx, in.Store, tx, id, authCode, SiteDoor, time.Time{}); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE install_states SET exchange_id = $2 WHERE state_digest = $1`, digest, x.ID)
		return err
	})
	if err != nil {
		return uuid.Nil, err
	}
	in.try(ctx, x.ID)
	return x.ID, nil
}

// try runs the exchange for as long as the browser may wait. The exchange itself
// goes on when that is over, or the browser gone: its code works once.
func (in *Installs) try(ctx context.Context, id uuid.UUID) {
	ctx, cancel := context.WithTimeout(ctx, exchangeWait)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- in.Exchanger.Run(ctx, id) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		log := in.Log
		if log == nil {
			log = slog.Default()
		}
		log.WarnContext(ctx, "installation not finished yet", "exchange_id", id, "error", err)
	}
}

// Progress is what the page after an installation may show to whoever has its address.
type Progress struct {
	State ExchangeState
	Ready bool // the tenant is authorized and its agents are known
}

// Status tells how far an exchange of this suite is. ErrNotFound.
func (in *Installs) Status(ctx context.Context, id wecom.SuiteID, exchange uuid.UUID) (Progress, error) {
	const q = `
SELECT x.state, x.state = 'done' AND EXISTS (
	SELECT FROM authorizations a WHERE a.tenant_id = x.tenant_id AND a.info_due_at IS NULL AND a.blocked_version IS DISTINCT FROM a.version)
FROM exchanges x WHERE x.id = $1 AND x.suite_id = $2`
	var p Progress
	if err := in.Store.Pool.QueryRow(ctx, q, exchange, id).Scan(&p.State, &p.Ready); err != nil {
		return Progress{}, fmt.Errorf("exchange %s: %w", exchange, fromDriver(err))
	}
	return p, nil
}

func wellFormedState(s string) bool {
	if s == "" || len(s) > maxState {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
