package tenant

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/wecom"
)

// audited is what the audit log tells of a tenant's row.
type audited struct {
	suite                     wecom.SuiteID
	corp                      wecom.CorpID
	name                      string
	status                    Status
	authorized, disabled, was bool // was: the row exists
	version                   int64
	authorizedAt              time.Time
}

// How a row is read: as the transaction sees it, held until its end against
// other changes, or held against everything, for it is about to go.
const (
	justRead = ""
	toChange = " FOR NO KEY UPDATE"
	toRemove = " FOR UPDATE"
)

// readAudited reads a tenant's row. Without one it answers ErrNotFound.
func readAudited(ctx context.Context, tx pgx.Tx, id uuid.UUID, how string) (audited, error) {
	a := audited{was: true}
	const q = `SELECT suite_id, corp_id, name, status, authorized, disabled, version, authorized_at FROM tenants WHERE id = $1`
	err := tx.QueryRow(ctx, q+how, id).Scan(&a.suite, &a.corp, &a.name, &a.status, &a.authorized, &a.disabled, &a.version, &a.authorizedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return audited{}, ErrNotFound
	}
	return a, err
}

// fields are the audit log's; nil where there is no row.
func (a audited) fields() audit.Fields {
	if !a.was {
		return nil
	}
	f := audit.Fields{"suite_id": a.suite, "corp_id": a.corp, "name": a.name, "status": a.status}
	if a.disabled && !a.authorized {
		f["disabled"] = true // what the status does not tell: it will be disabled when it comes back
	}
	return f
}

// log writes what became of a tenant.
func (a audited) log(ctx context.Context, tx pgx.Tx, action audit.Action, id uuid.UUID, before, after audit.Fields) error {
	return audit.Append(ctx, tx, audit.Entry{
		Action: action, TargetID: id.String(), SuiteID: string(a.suite), TenantID: id, Before: before, After: after,
	})
}

// logUpdate writes what became of the row that was locked before.
func (a audited) logUpdate(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	now, err := readAudited(ctx, tx, id, justRead)
	if err != nil {
		return err
	}
	return a.log(ctx, tx, audit.TenantUpdate, id, a.fields(), now.fields())
}

// logActivation writes what an activation changed, in the caller's words. What a
// caller does in several steps it writes down itself, and gives no word here.
func logActivation(ctx context.Context, tx pgx.Tx, id uuid.UUID, before audited, action audit.Action) error {
	if action == "" {
		return nil
	}
	now, err := readAudited(ctx, tx, id, justRead)
	if err != nil {
		return err
	}
	return now.log(ctx, tx, action, id, before.fields(), now.fields())
}

// auditedAgents shows agents as the admin API does.
func auditedAgents(agents []Agent) audit.Fields {
	type agent struct {
		ID   wecom.AgentID `json:"agent_id"`
		Name string        `json:"name"`
	}
	shown := make([]agent, len(agents))
	for i, a := range agents {
		shown[i] = agent{a.ID, a.Name}
	}
	return audit.Fields{"agents": shown}
}

// auditedDomain shows a domain as the admin API does; nil where there is none.
func auditedDomain(d *TrustedDomain) audit.Fields {
	if d == nil {
		return nil
	}
	f := audit.Fields{"exact": d.Exact, "allow_http": d.AllowHTTP}
	if d.VerificationName != "" {
		f["verification_file"] = map[string]string{"name": d.VerificationName, "content": d.VerificationContent}
	}
	return f
}

func logAlias(ctx context.Context, tx pgx.Tx, action audit.Action, id uuid.UUID, suite wecom.SuiteID, corp wecom.CorpID) error {
	return audit.Append(ctx, tx, audit.Entry{Action: action, TargetID: string(corp), SuiteID: string(suite), TenantID: id})
}
