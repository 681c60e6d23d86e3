package apikey

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"suitesign/audit"
)

// audited shows a key as the admin API does; never its value, of which not even the hash is told.
func (k Key) audited() audit.Fields {
	f := audit.Fields{"name": k.Name, "scopes": k.Scopes, "expires_at": utc(k.ExpiresAt), "revoked_at": utc(k.RevokedAt)}
	if len(k.SuiteIDs) > 0 {
		f["suite_ids"] = k.SuiteIDs
	}
	if len(k.TenantIDs) > 0 {
		f["tenant_ids"] = k.TenantIDs
	}
	return f
}

func utc(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UTC()
}

// log writes what became of a key.
func (k Key) log(ctx context.Context, tx pgx.Tx, action audit.Action, before, after audit.Fields) error {
	return audit.Append(ctx, tx, audit.Entry{Action: action, TargetID: k.ID.String(), Before: before, After: after})
}
