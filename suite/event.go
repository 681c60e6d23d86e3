package suite

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/reach"
	"suitesign/wecom"
)

// EventState is what became of a callback.
type EventState string

// The states of an event.
const (
	eventPending EventState = "pending" // its work is still to be done
	eventDone    EventState = "done"
	eventFailed  EventState = "failed"  // its exchange came to nothing
	eventIgnored EventState = "ignored" // kept and acknowledged; nothing follows from it
)

// Event is a callback as admins see it. What it said is sealed and never shown.
type Event struct {
	ID             uuid.UUID
	SuiteID        wecom.SuiteID
	Door           Door
	InfoType       string
	CorpID         wecom.CorpID // "" where it names none
	State          EventState
	Deliveries     int
	Attempts       int
	LastErrcode    *int
	LastError      string
	EventTime      *time.Time // its own TimeStamp
	ReceivedAt     time.Time
	LastReceivedAt time.Time
	NextAttemptAt  *time.Time
	FinishedAt     *time.Time
}

// What an auth_code led to is told by its exchange: its attempts always, the rest
// as long as it is under way.
const eventFrom = `e.id, e.suite_id, e.door, e.info_type, e.corp_id, e.state, e.deliveries,
	COALESCE(x.attempts, e.attempts), COALESCE(p.last_errcode, e.last_errcode), COALESCE(NULLIF(p.last_error, ''), e.last_error),
	e.event_time, e.received_at, e.last_received_at, COALESCE(p.due_at, e.due_at), e.finished_at
	FROM callback_events e LEFT JOIN exchanges x ON x.id = e.exchange_id
	LEFT JOIN exchanges p ON p.id = e.exchange_id AND e.state = 'pending'`

func scanEvent(row pgx.CollectableRow) (Event, error) { return pgx.RowToStructByPos[Event](row) }

// EventFilter selects events; empty fields select all.
type EventFilter struct {
	SuiteID  wecom.SuiteID
	CorpID   wecom.CorpID
	InfoType string
	State    EventState
}

// EventCursor is the event after which a list goes on; the zero one is before the newest.
type EventCursor struct {
	ReceivedAt time.Time
	ID         uuid.UUID
}

// ofTenants are the callbacks of tenants: those that name their corp in any form. The
// corps alone are what the index knows, beside other conditions, too.
const ofTenants = `e.corp_id = ANY (ARRAY(SELECT c.corp_id FROM tenant_corp_ids c WHERE c.tenant_id = ANY (%[1]s))) AND e.corp_id <> ''
	AND (e.suite_id, e.corp_id) IN (SELECT c.suite_id, c.corp_id FROM tenant_corp_ids c WHERE c.tenant_id = ANY (%[1]s))`

// Events lists callbacks, newest first or with up oldest first, at most limit of them after
// the cursor. What the filter does not ask for is not in the query, so that the planner sees
// which index it is about.
func (s *Store) Events(ctx context.Context, f EventFilter, after EventCursor, up bool, limit int) ([]Event, error) {
	args := []any{limit}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	conditions := []string{reach.Condition(ctx, `e.suite_id = ANY (%s)`, ofTenants, arg)}
	add := func(condition string, values ...any) {
		places := make([]any, len(values))
		for i, v := range values {
			places[i] = arg(v)
		}
		conditions = append(conditions, fmt.Sprintf(condition, places...))
	}
	if suite, one := reach.OneSuite(ctx); one && f.SuiteID == "" {
		f.SuiteID = wecom.SuiteID(suite)
	}
	if f.SuiteID != "" {
		add("e.suite_id = %s", f.SuiteID)
	}
	if f.InfoType != "" {
		add("e.info_type = %s", f.InfoType)
	}
	if f.State != "" {
		add("e.state = %s", f.State)
	}
	if f.CorpID != "" {
		add("e.corp_id = %s AND e.corp_id <> ''", f.CorpID) // the index leaves out those that name none
	}
	direction, beyond := "DESC", "<"
	if up {
		direction, beyond = "ASC", ">"
	}
	if !after.ReceivedAt.IsZero() {
		add("(e.received_at, e.id) "+beyond+" (%s, %s)", after.ReceivedAt, after.ID)
	}
	q := `SELECT ` + eventFrom + ` WHERE ` + strings.Join(conditions, " AND ") +
		` ORDER BY e.received_at ` + direction + `, e.id ` + direction + ` LIMIT $1`
	rows, err := s.Pool.Query(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	out, err := pgx.CollectRows(rows, scanEvent)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return out, nil
}

// Event finds a callback. ErrNotFound.
func (s *Store) Event(ctx context.Context, id uuid.UUID) (Event, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+eventFrom+` WHERE e.id = $1`, id)
	if err != nil {
		return Event{}, fmt.Errorf("event %s: %w", id, err)
	}
	out, err := pgx.CollectExactlyOneRow(rows, scanEvent)
	if err != nil {
		return Event{}, fmt.Errorf("event %s: %w", id, fromDriver(err))
	}
	return out, nil
}

// known is what is known of an event once it is stored.
type known struct {
	id         uuid.UUID
	state      EventState
	deliveries int
	at         time.Time
}

// finish ends an event's work.
func (s *Store) finish(ctx context.Context, id uuid.UUID, state EventState, why error) error {
	const q = `
UPDATE callback_events SET state = $2, finished_at = now(), due_at = NULL, lease_owner = NULL, lease_until = NULL,
	last_errcode = $3, last_error = $4
WHERE id = $1`
	code, text := failure(why)
	if _, err := s.Pool.Exec(ctx, q, id, state, code, text); err != nil {
		return fmt.Errorf("finish event %s: %w", id, err)
	}
	return nil
}

// dueNow hands an event to the workers. One that was finished before keeps the
// time, by which they know it.
func (s *Store) dueNow(ctx context.Context, id uuid.UUID) error {
	const q = `UPDATE callback_events SET state = 'pending', due_at = now(), lease_owner = NULL, lease_until = NULL WHERE id = $1`
	if _, err := s.Pool.Exec(ctx, q, id); err != nil {
		return fmt.Errorf("event %s: %w", id, err)
	}
	return nil
}
