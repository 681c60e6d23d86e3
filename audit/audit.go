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
	kind, verb, _ := strings.Cut(string(e.Action), ".")
	if kind == "" || verb == "" || e.TargetID == "" {
		return fmt.Errorf("append audit entry %q: %w", e.Action, errAction)
	}
	was, is, err := diff(e.Before, e.After)
	if err != nil {
		return fmt.Errorf("append audit entry %s: %w", e.Action, err)
	}
	if e.Before != nil && e.After != nil && len(was) == 0 && len(is) == 0 {
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("append audit entry %s: %w", e.Action, err)
	}
	who := From(ctx)
	const q = `
INSERT INTO audit_log (id, actor_kind, actor, api_key_id, ip, request_id, action, target_kind, target_id, suite_id, tenant_id, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	_, err = tx.Exec(ctx, q, id, who.Kind, who.Name, orNull(who.APIKeyID), who.IP, who.RequestID,
		e.Action, kind, e.TargetID, e.SuiteID, orNull(e.TenantID), jsonOrNull(e.Before, was), jsonOrNull(e.After, is))
	if err != nil {
		return fmt.Errorf("append audit entry %s: %w", e.Action, err)
	}
	return nil
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
