package suite

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"suitesign/secret"
)

// Each push is one statement, so that it costs one round trip and is there as a
// whole or not at all. The known digest is updated rather than passed over: a
// statement that writes nothing waits for no standby, and would acknowledge what
// only a primary that is about to die has seen.
//
// $1 id, $2 suite_id, $3 digest, $4 door, $5 info_type, $6 corp_id, $7 event time
// or NULL, $8 sealed payload, $9 state, $10 receiveid.
const (
	// A time far ahead counts as now: it would outlive everything that is true.
	eventTime = `CASE WHEN $7::timestamptz > now() + interval '10 minutes' THEN date_trunc('second', now()) ELSE $7::timestamptz END`

	// What tells no time happened when it came.
	effectiveTime = `COALESCE(` + eventTime + `, date_trunc('second', now()))`

	eventColumns = `INSERT INTO callback_events AS e (id, suite_id, digest, door, info_type, corp_id, event_time, payload_sealed,
		state, receive_id, exchange_id, due_at, received_at, last_received_at, finished_at)`

	// What came by the wrong URL first may come by the right one.
	eventAgain = `ON CONFLICT (suite_id, digest) DO UPDATE SET
		deliveries = e.deliveries + 1,
		last_received_at = now(),
		state       = CASE WHEN e.state = 'ignored' THEN EXCLUDED.state ELSE e.state END,
		exchange_id = CASE WHEN e.state = 'ignored' THEN EXCLUDED.exchange_id ELSE e.exchange_id END,
		due_at      = CASE WHEN e.state = 'ignored' THEN EXCLUDED.due_at ELSE e.due_at END,
		finished_at = CASE WHEN e.state = 'ignored' THEN EXCLUDED.finished_at ELSE e.finished_at END
	RETURNING e.id, e.state, e.deliveries, COALESCE(e.event_time, date_trunc('second', e.received_at)) AS at`

	takeEvent = eventColumns + `
	VALUES ($1, $2, $3, $4, $5, $6, ` + eventTime + `, $8, $9, $10, NULL,
		CASE WHEN $9 = 'pending' THEN now() + interval '2 seconds' END, now(), now(), CASE WHEN $9 <> 'pending' THEN now() END)
	` + eventAgain

	// $11 sealed ticket, $12 its fingerprint. A repeated ticket is not younger than it was.
	takeTicket = `
WITH event AS (` + takeEvent + `),
ticket AS (
	INSERT INTO suite_tickets AS t (suite_id, ticket_sealed, fingerprint, pushed_at, received_at)
	VALUES ($2, $11, $12, ` + effectiveTime + `, now())
	ON CONFLICT (suite_id) DO UPDATE SET
		ticket_sealed = EXCLUDED.ticket_sealed,
		fingerprint = EXCLUDED.fingerprint,
		pushed_at = EXCLUDED.pushed_at,
		generation = t.generation + (t.fingerprint <> EXCLUDED.fingerprint)::int,
		received_at = CASE WHEN t.fingerprint = EXCLUDED.fingerprint THEN t.received_at ELSE now() END
	WHERE t.pushed_at <= EXCLUDED.pushed_at
	RETURNING t.suite_id
),
woken AS (
	UPDATE exchanges SET due_at = now()
	WHERE suite_id IN (SELECT suite_id FROM ticket) AND state = 'pending' AND due_at > now()
)
SELECT id, state, deliveries, at FROM event`

	// What comes by the data URL may only speak of the corp it is sealed for.
	takeChange = `
WITH meant AS (
	SELECT c.tenant_id FROM tenant_corp_ids c
	WHERE c.suite_id = $2 AND c.corp_id = $6
		AND ($4 = 'command' OR EXISTS (
			SELECT FROM tenant_corp_ids r WHERE r.suite_id = $2 AND r.corp_id = $10 AND r.tenant_id = c.tenant_id))
),
event AS (` + eventColumns + `
	SELECT $1, $2, $3, $4, $5, $6, ` + eventTime + `, $8,
		CASE WHEN $4 = 'command' OR EXISTS (SELECT FROM meant) THEN $9 ELSE 'ignored' END,
		$10, NULL, NULL, now(), now(), now()
	` + eventAgain + `
),
due AS (
	UPDATE authorizations a SET info_due_at = clock_timestamp(), info_attempts = 0
	FROM meant WHERE a.tenant_id = meant.tenant_id
)
SELECT id, state, deliveries, at FROM event`

	// $11 id of a new exchange, $12 digest of the code, $13 sealed code, $14 door of the exchange.
	takeExchange = `
WITH exchange AS (
	INSERT INTO exchanges AS x (id, suite_id, code_digest, code_sealed, door, authorized_at, due_at)
	VALUES ($11, $2, $12, $13, $14, ` + effectiveTime + `, now())
	` + exchangeAgain + `
),
event AS (` + eventColumns + `
	SELECT $1, $2, $3, $4, $5, COALESCE(NULLIF(x.corp_id, ''), $6), ` + eventTime + `, $8,
		CASE WHEN x.state IN ('pending', 'exchanged') THEN $9 WHEN x.state = 'done' THEN 'done' ELSE 'failed' END,
		$10, x.id, NULL, now(), now(), x.finished_at
	FROM exchange x
	` + eventAgain + `
)
SELECT id, state, deliveries, at FROM event`
)

// takeAfter is how long to wait before a push is stored once more that PostgreSQL
// gave up for the sake of another transaction. The platform would deliver it again, but only
// seconds later and three times at most.
var takeAfter = []time.Duration{10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond}

// take stores a push and does what it says. It reports whether the push was known.
func (s *Store) take(ctx context.Context, p push) (again bool, err error) {
	for _, wait := range takeAfter {
		if again, err = s.takeOnce(ctx, p); !givenUp(err) {
			return again, err
		}
		select {
		case <-ctx.Done():
			return false, err
		case <-time.After(wait + rand.N(wait)): //nolint:gosec // jitter, so that the two do not meet again
		}
	}
	return s.takeOnce(ctx, p)
}

// givenUp tells whether PostgreSQL rolled a transaction back so that another one can go on.
func givenUp(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == serializationFailure || pg.Code == deadlockDetected)
}

// SQLSTATEs of what may be tried again as it is.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

func (s *Store) takeOnce(ctx context.Context, p push) (again bool, err error) {
	payload, err := seal(s.Ring, secret.New(string(p.message)), boundRow("callback_events", "payload_sealed", p.id))
	if err != nil {
		return false, err
	}
	args := []any{p.id, p.suite, p.digest, p.door, p.name, p.event.Corp(), p.toldAt(), payload, p.state(), p.receiver}
	var k known
	switch p.act {
	case actTicket:
		k, err = s.takeTicket(ctx, p, args)
	case actExchange:
		k, err = s.takeExchange(ctx, p, args)
	case actChange:
		k, err = s.taken(ctx, takeChange, args...)
	case actCancel:
		k, err = s.takeCancel(ctx, p, args)
	default:
		k, err = s.taken(ctx, takeEvent, args...)
	}
	return k.deliveries > 1, err
}

// taken runs one of the statements above.
func (s *Store) taken(ctx context.Context, q string, args ...any) (known, error) {
	var k known
	if err := s.Pool.QueryRow(ctx, q, args...).Scan(&k.id, &k.state, &k.deliveries, &k.at); err != nil {
		return known{}, fmt.Errorf("store event: %w", fromDriver(err))
	}
	return k, nil
}

func (s *Store) takeTicket(ctx context.Context, p push, args []any) (known, error) {
	ticket := p.event.SuiteTicket.String
	sealed, err := seal(s.Ring, ticket, bound("suite_tickets", "ticket_sealed", p.suite))
	if err != nil {
		return known{}, err
	}
	return s.taken(ctx, takeTicket, append(args, sealed, digestOf(ticket))...)
}

func (s *Store) takeExchange(ctx context.Context, p push, args []any) (known, error) {
	door := MarketDoor
	if p.event.InfoType == infoResetPermanentCode {
		door = ResetDoor
	}
	id := uuid.Must(uuid.NewV7())
	sealed, err := seal(s.Ring, p.event.AuthCode, boundRow("exchanges", "code_sealed", id))
	if err != nil {
		return known{}, err
	}
	return s.taken(ctx, takeExchange, append(args, id, digestOf(p.event.AuthCode), sealed, door)...)
}

// digestOf is SHA-256 of a value: it is known again without being kept readable.
func digestOf(v secret.String) []byte {
	sum := sha256.Sum256([]byte(v.Reveal()))
	return sum[:]
}
