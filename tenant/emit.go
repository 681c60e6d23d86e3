package tenant

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/wecom"
)

// What webhooks are told of a tenant: ids, times, its status and health. Names
// are not among it: they are not ours to pass on.

// whom names a tenant in an event.
func whom(id uuid.UUID, suite wecom.SuiteID, corp wecom.CorpID) map[string]any {
	return map[string]any{"tenant_id": id, "suite_id": suite, "corp_id": corp}
}

func emit(ctx context.Context, tx pgx.Tx, what audit.EventType, id uuid.UUID, suite wecom.SuiteID, data map[string]any) error {
	return audit.Emit(ctx, tx, audit.Event{Type: what, SuiteID: string(suite), TenantID: id, Data: data})
}

// emitAuthorized tells that a corp authorized a suite, unless that was known: an
// exchange that is repeated after a crash activates the same consent again.
func emitAuthorized(ctx context.Context, tx pgx.Tx, id uuid.UUID, before audited) error {
	now, err := readAudited(ctx, tx, id, justRead)
	if err != nil {
		return err
	}
	if before.was && before.authorized && !now.authorizedAt.After(before.authorizedAt) {
		return nil
	}
	data := whom(id, now.suite, now.corp)
	data["status"], data["authorized_at"], data["first"] = now.status, now.authorizedAt.UTC().Format(time.RFC3339), !before.was
	return emit(ctx, tx, audit.TenantAuthorized, id, now.suite, data)
}

// emitChanged tells that something of a tenant changed: agents, name, status or aliases.
func emitChanged(ctx context.Context, tx pgx.Tx, id uuid.UUID, changed ...string) error {
	if len(changed) == 0 {
		return nil
	}
	now, err := readAudited(ctx, tx, id, justRead)
	if err != nil {
		return err
	}
	data := whom(id, now.suite, now.corp)
	data["status"], data["changed"] = now.status, changed
	return emit(ctx, tx, audit.TenantChanged, id, now.suite, data)
}

// differs names what an update changes of the row before.
func (a audited) differs(disabled bool, name string) (changed []string) {
	if disabled != a.disabled {
		changed = append(changed, "status")
	}
	if name != a.name {
		changed = append(changed, "name")
	}
	return changed
}

// emitCancelled tells that an authorization is over, and by whose word.
func (a audited) emitCancelled(ctx context.Context, tx pgx.Tx, id uuid.UUID, by string) error {
	data := whom(id, a.suite, a.corp)
	data["by"] = by
	return emit(ctx, tx, audit.TenantCancelled, id, a.suite, data)
}

// By whose word an authorization is over.
const (
	byWeCom = "wecom"
	byAdmin = "admin"
)

// healthEvents are, of rows with the health before and after, those that are told:
// that a tenant turned bad, or bad in another way, or good again. A tenant that got
// its first credentials was never bad.
const healthEvents = `
SELECT CASE WHEN health = 'ok' THEN '` + string(audit.CredentialRecovered) + `' ELSE '` + string(audit.CredentialFailing) + `' END AS type,
	suite_id, id AS tenant_id,
	jsonb_build_object('tenant_id', id, 'suite_id', suite_id, 'corp_id', corp_id, 'health', health, 'previous_health', before, 'errcode', last_errcode) AS data
FROM changed WHERE health <> before AND health <> 'pending' AND NOT (health = 'ok' AND before = 'pending')`
