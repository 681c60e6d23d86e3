package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// EventType says what happened. The names are part of the contract of webhooks.
type EventType string

// What happens.
const (
	TenantAuthorized    EventType = "tenant.authorized"    // a corp authorized a suite, for the first time or again
	TenantChanged       EventType = "tenant.changed"       // its agents, name, aliases or switch
	TenantCancelled     EventType = "tenant.cancelled"     // by WeCom, or an admin removed it
	CredentialFailing   EventType = "credential.failing"   //nolint:gosec // G101: a name; the tenant's health turned bad, or bad in another way
	CredentialRecovered EventType = "credential.recovered" //nolint:gosec // G101: a name; and good again
	SuiteTicketLate     EventType = "suite_ticket.late"    // no push for twenty minutes
)

// EventTypes are all of them.
var EventTypes = []EventType{TenantAuthorized, TenantChanged, TenantCancelled, CredentialFailing, CredentialRecovered, SuiteTicketLate}

// Event is something that happened, for who listens. Data holds ids, times and
// words: never a secret, and nothing that an admin or a corp wrote.
type Event struct {
	Type     EventType
	SuiteID  string
	TenantID uuid.UUID // zero: it concerns the suite as a whole
	Data     map[string]any
}

// Emit appends an event to the outbox within the transaction that makes it true:
// it is there exactly when that commits. Where nobody listens to its type nothing
// is written.
func Emit(ctx context.Context, tx pgx.Tx, e Event) error {
	// The function has the owner's rights: a key that is bound to a tenant may tell what it changed.
	const q = `SELECT emit_event($1, $2, $3, $4)`
	if _, err := tx.Exec(ctx, q, e.Type, e.SuiteID, orNull(e.TenantID), e.Data); err != nil {
		return fmt.Errorf("emit %s: %w", e.Type, err)
	}
	return nil
}

// EmitSQL is Emit for many, within another room's statement: SQL that emits an
// event for each row of the query named from, which has the columns type,
// suite_id, tenant_id and data (jsonb; what is null in it is left out). It stands
// in that statement's WITH, or is the statement after it.
func EmitSQL(from string) string {
	return `INSERT INTO outbox (type, suite_id, tenant_id, data)
	SELECT e.type, e.suite_id, e.tenant_id, jsonb_strip_nulls(e.data) FROM ` + from + ` e
	WHERE e.type IN (SELECT w.type FROM outbox_wanted w)`
}

// TakeSQL takes up to limit (SQL, a parameter say) events out of the outbox: it
// stands in the WITH of the statement that hands them on, under the name taken, so
// that they are handed on exactly when they are gone. Several at once share them.
func TakeSQL(limit string) string {
	return `batch AS MATERIALIZED (
	SELECT id FROM outbox ORDER BY at LIMIT ` + limit + ` FOR UPDATE SKIP LOCKED
),
taken AS (
	DELETE FROM outbox o USING batch b WHERE o.id = b.id
	RETURNING o.id, o.at, o.type, o.suite_id, o.tenant_id, o.data
)`
}

// wantsLock orders those who change what is wanted: a number of our own among
// PostgreSQL's advisory locks.
const wantsLock = 0x73756974_6f757462

// Want says which types somebody listens to, as read by the query within tx, which
// answers with one column. Two who change it at once come one after the other, so
// that the second one's query sees what the first one did.
func Want(ctx context.Context, tx pgx.Tx, query string) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(wantsLock)); err != nil {
		return fmt.Errorf("want events: %w", err)
	}
	statement := `WITH wanted (type) AS (` + query + `),
dropped AS (DELETE FROM outbox_wanted WHERE type NOT IN (SELECT type FROM wanted))
INSERT INTO outbox_wanted (type) SELECT DISTINCT type FROM wanted ON CONFLICT DO NOTHING`
	if _, err := tx.Exec(ctx, statement); err != nil {
		return fmt.Errorf("want events: %w", err)
	}
	return nil
}

// eventsKept is how long an event waits to be handed on where no replica works.
const eventsKept = 3 * 24 * time.Hour

// PruneOutbox drops events that nobody handed on for three days, and says how many.
func PruneOutbox(ctx context.Context, pool *pgxpool.Pool) (int64, error) {
	tag, err := pool.Exec(ctx, `DELETE FROM outbox WHERE at < now() - $1::interval`, eventsKept)
	if err != nil {
		return 0, fmt.Errorf("prune the outbox: %w", err)
	}
	return tag.RowsAffected(), nil
}
