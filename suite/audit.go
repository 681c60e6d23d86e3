package suite

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/wecom"
)

// audited shows a suite as the admin API does; of its secrets, that they are there.
func (s Suite) audited() audit.Fields {
	return audit.Fields{
		"kind": s.Kind, "name": s.Name, "provider_corp_id": s.ProviderCorpID, "install_test_mode": s.InstallTestMode,
		"suite_secret": audit.SetIf(s.SuiteSecretSet), "callback_token": audit.SetIf(s.CallbackTokenSet),
		"encoding_aes_key": audit.SetIf(s.EncodingAESKeySet),
	}
}

// logSuite writes what became of a suite.
func logSuite(ctx context.Context, tx pgx.Tx, action audit.Action, id wecom.SuiteID, before, after audit.Fields) error {
	return audit.Append(ctx, tx, audit.Entry{
		Action: action, TargetID: string(id), SuiteID: string(id), Before: before, After: after,
	})
}

// logUpdate writes what became of a suite. A suite_secret that is entered again
// counts as another one: it is tried again.
func logUpdate(ctx context.Context, tx pgx.Tx, before, after Suite, secretEntered bool, pair rotation) error {
	fields := after.audited()
	mark := func(field string, was, changed bool) {
		if was && changed {
			fields[field] = audit.Changed
		}
	}
	mark("suite_secret", before.SuiteSecretSet, secretEntered)
	mark("callback_token", before.CallbackTokenSet, pair.tokenChanged)
	mark("encoding_aes_key", before.EncodingAESKeySet, pair.keyChanged)
	return logSuite(ctx, tx, audit.SuiteUpdate, after.ID, before.audited(), fields)
}

// logSecret writes that an internal tenant has another secret.
func logSecret(ctx context.Context, tx pgx.Tx, id uuid.UUID, suite wecom.SuiteID) error {
	return audit.Append(ctx, tx, audit.Entry{
		Action: audit.TenantUpdate, TargetID: id.String(), SuiteID: string(suite), TenantID: id,
		Before: audit.Fields{"secret": audit.Set}, After: audit.Fields{"secret": audit.Changed},
	})
}

// logCode writes that another permanent_code took the place of the one in force.
func logCode(ctx context.Context, tx pgx.Tx, action audit.Action, id uuid.UUID, suite wecom.SuiteID) error {
	return audit.Append(audit.AsWeCom(ctx), tx, audit.Entry{
		Action: action, TargetID: id.String(), SuiteID: string(suite), TenantID: id,
		Before: audit.Fields{"permanent_code": audit.Set}, After: audit.Fields{"permanent_code": audit.Changed},
	})
}

// logRetry writes that an event's work is to be done again.
func logRetry(ctx context.Context, tx pgx.Tx, e retried) error {
	entry := audit.Entry{Action: audit.EventRetry, TargetID: e.id.String(), SuiteID: string(e.suite)}
	if e.tenant != nil {
		entry.TenantID = *e.tenant
	}
	return audit.Append(ctx, tx, entry)
}
