package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Action says what was done to what kind of thing: "suite.update". What stands
// before the dot is the kind of the target.
type Action string

// TargetKind is the kind of thing that the action is done to.
func (a Action) TargetKind() string {
	kind, _, _ := strings.Cut(string(a), ".")
	return kind
}

// Entry is one change of one thing.
//
// Before without After is something that was removed, After without Before
// something that was made, both something that was changed: if nothing differs,
// there is no entry. Neither is a deed that changes no field (a refresh, a
// retry): it is always written.
type Entry struct {
	Action   Action
	TargetID string    // what the thing is called in the admin API
	SuiteID  string    // the suite that it belongs to, or is; "" for none
	TenantID uuid.UUID // the tenant that it belongs to, or is; zero for none
	Before   Fields
	After    Fields
}

// errAction keeps an entry out that nobody could find again.
var errAction = errors.New("the action is not kind.verb, or has no target")

// Append writes an entry for a change that tx makes, in the name of the actor
// whom ctx tells. It belongs after the change: what was refused leaves no entry.
func Append(ctx context.Context, tx pgx.Tx, e Entry) error {
	row, err := e.row(From(ctx))
	if err != nil || row == nil {
		return err
	}
	const q = `
INSERT INTO audit_log (id, actor_kind, actor, api_key_id, ip, request_id, action, target_kind, target_id, suite_id, tenant_id, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	if _, err := tx.Exec(ctx, q, row...); err != nil {
		return fmt.Errorf("append audit entry %s: %w", e.Action, err)
	}
	return nil
}

// AppendAll is Append for what one transaction does to many things.
func AppendAll(ctx context.Context, tx pgx.Tx, entries []Entry) error {
	who := From(ctx)
	var rows [][]any
	for _, e := range entries {
		row, err := e.row(who)
		if err != nil {
			return err
		}
		if row != nil {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	columns := []string{"id", "actor_kind", "actor", "api_key_id", "ip", "request_id", "action", "target_kind", "target_id", "suite_id", "tenant_id", "before", "after"}
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"audit_log"}, columns, pgx.CopyFromRows(rows)); err != nil {
		return fmt.Errorf("append %d audit entries: %w", len(rows), err)
	}
	return nil
}

// row is an entry as it is stored; nil where nothing changed.
func (e Entry) row(who Actor) ([]any, error) {
	kind, verb, _ := strings.Cut(string(e.Action), ".")
	if kind == "" || verb == "" || e.TargetID == "" {
		return nil, fmt.Errorf("append audit entry %q: %w", e.Action, errAction)
	}
	was, is, err := diff(e.Before, e.After)
	if err != nil {
		return nil, fmt.Errorf("append audit entry %s: %w", e.Action, err)
	}
	if e.Before != nil && e.After != nil && len(was) == 0 && len(is) == 0 {
		return nil, nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("append audit entry %s: %w", e.Action, err)
	}
	return []any{id, string(who.Kind), who.Name, orNull(who.APIKeyID), who.IP, who.RequestID,
		string(e.Action), kind, e.TargetID, e.SuiteID, orNull(e.TenantID), jsonOrNull(e.Before, was), jsonOrNull(e.After, is)}, nil
}

func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// jsonOrNull tells a side that was not given from one of which nothing differs.
func jsonOrNull(given Fields, kept map[string]json.RawMessage) any {
	if given == nil {
		return nil
	}
	return kept
}
