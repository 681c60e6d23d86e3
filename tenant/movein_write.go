package tenant

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/changes"
	"suitesign/wecom"
)

// write stores what was planned, each table with one statement.
func (m *moving) write(ctx context.Context, tx pgx.Tx) error {
	for _, step := range []func(context.Context, pgx.Tx) error{
		m.insertTenants, m.updateTenants, m.insertForms, m.replaceAgents, m.putDomains, m.log, m.tell,
	} {
		if err := step(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func (m *moving) insertTenants(ctx context.Context, tx pgx.Tx) error {
	if len(m.made) == 0 {
		return nil
	}
	rows := pgx.CopyFromSlice(len(m.made), func(n int) ([]any, error) {
		a := m.list[m.made[n]]
		return []any{a.ID, string(a.SuiteID), string(a.CorpID), cut(a.Name, maxName), a.Disabled != nil && *a.Disabled, m.consentedAt(a)}, nil
	})
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"tenants"}, []string{"id", "suite_id", "corp_id", "name", "disabled", "authorized_at"}, rows)
	return err
}

func (m *moving) updateTenants(ctx context.Context, tx pgx.Tx) error {
	if len(m.changed) == 0 {
		return nil
	}
	var ids []uuid.UUID
	var names []string
	var authorized, disabled []bool
	var at []time.Time
	for _, c := range m.changed {
		ids, names, at = append(ids, c.id), append(names, c.name), append(at, c.authorizedAt)
		authorized, disabled = append(authorized, c.authorized), append(disabled, c.disabled)
	}
	const q = `
		UPDATE tenants t
		SET name = v.name, authorized = v.authorized, disabled = v.disabled, authorized_at = v.authorized_at,
		    cancelled_at = CASE WHEN v.authorized THEN NULL ELSE t.cancelled_at END,
		    health = CASE WHEN t.authorized THEN t.health ELSE 'pending' END,
		    last_error = CASE WHEN t.authorized THEN t.last_error ELSE '' END,
		    last_errcode = CASE WHEN t.authorized THEN t.last_errcode END,
		    last_error_at = CASE WHEN t.authorized THEN t.last_error_at END,
		    version = t.version + 1, updated_at = now()
		FROM unnest($1::uuid[], $2::text[], $3::bool[], $4::bool[], $5::timestamptz[]) AS v (id, name, authorized, disabled, authorized_at)
		WHERE t.id = v.id`
	_, err := tx.Exec(ctx, q, ids, names, authorized, disabled, at)
	return err
}

func (m *moving) insertForms(ctx context.Context, tx pgx.Tx) error {
	if len(m.forms) == 0 {
		return nil
	}
	rows := pgx.CopyFromSlice(len(m.forms), func(n int) ([]any, error) {
		f := m.forms[n]
		return []any{string(f.suite), string(f.corp), f.id, f.alias}, nil
	})
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"tenant_corp_ids"}, []string{"suite_id", "corp_id", "tenant_id", "is_alias"}, rows)
	return err
}

func (m *moving) replaceAgents(ctx context.Context, tx pgx.Tx) error {
	if len(m.cleared) > 0 {
		if _, err := tx.Exec(ctx, `DELETE FROM agents WHERE tenant_id = ANY($1)`, m.cleared); err != nil {
			return err
		}
	}
	if len(m.agents) == 0 {
		return nil
	}
	rows := pgx.CopyFromSlice(len(m.agents), func(n int) ([]any, error) {
		a := m.agents[n]
		return []any{a.id, int64(a.ID), a.Name, int16(a.AuthMode)}, nil //nolint:gosec // 0 or 1
	})
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"agents"}, []string{"tenant_id", "agent_id", "name", "auth_mode"}, rows)
	return err
}

func (m *moving) putDomains(ctx context.Context, tx pgx.Tx) error {
	if len(m.domains) == 0 {
		return nil
	}
	var ids []uuid.UUID
	var hosts, names, contents []string
	var ports []int32
	var exact, http []bool
	for _, d := range m.domains {
		ids, hosts, ports = append(ids, d.id), append(hosts, d.Host), append(ports, int32(d.Port)) //nolint:gosec // a port
		exact, http = append(exact, d.Exact), append(http, d.AllowHTTP)
		names, contents = append(names, d.VerificationName), append(contents, d.VerificationContent)
	}
	const q = `
		INSERT INTO tenant_domains AS d (tenant_id, host, port, exact, allow_http, verification_name, verification_content)
		SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bool[], $5::bool[], $6::text[], $7::text[])
		ON CONFLICT (tenant_id, host, port) DO UPDATE
		SET exact = EXCLUDED.exact, allow_http = EXCLUDED.allow_http,
		    verification_name = EXCLUDED.verification_name, verification_content = EXCLUDED.verification_content,
		    version = d.version + 1, updated_at = now()`
	_, err := tx.Exec(ctx, q, ids, hosts, ports, exact, http, names, contents)
	return err
}

// log writes what became of each tenant, in one statement.
func (m *moving) log(ctx context.Context, tx pgx.Tx) error {
	var entries []audit.Entry
	for _, i := range m.made {
		a := m.list[i]
		after := fieldsOf(a.Name, true, a.Disabled != nil && *a.Disabled)
		after["suite_id"], after["corp_id"] = a.SuiteID, a.CorpID
		if len(a.Aliases) > 0 {
			after["aliases_added"] = a.Aliases
		}
		if len(a.Agents) > 0 {
			after["agents"] = auditedAgents(tidy(a.Agents))["agents"]
		}
		domains := map[string]audit.Fields{}
		for _, d := range a.Domains {
			domains[d.String()] = auditedDomain(&d)
		}
		if len(domains) > 0 {
			after["domains"] = domains
		}
		entries = append(entries, importEntry(a.ID, a.SuiteID, nil, after))
	}
	for _, c := range m.changed {
		entries = append(entries, importEntry(c.id, c.suite, c.before, c.after))
	}
	return audit.AppendAll(ctx, tx, entries)
}

func importEntry(id uuid.UUID, suite wecom.SuiteID, before, after audit.Fields) audit.Entry {
	return audit.Entry{Action: audit.TenantImport, TargetID: id.String(), SuiteID: string(suite), TenantID: id, Before: before, After: after}
}

func fieldsOf(name string, authorized, disabled bool) audit.Fields {
	status := Active
	switch {
	case !authorized:
		status = Cancelled
	case disabled:
		status = Disabled
	}
	return audit.Fields{"name": cut(name, maxName), "status": status}
}

// tell lets the replicas hear of the whole batch at once. Of a tenant that is new
// nobody holds anything but refusals, which live for a second; which tenant a page
// leads to may be another one for any host.
func (m *moving) tell(ctx context.Context, tx pgx.Tx) error {
	var suites []string
	for _, c := range m.changed {
		suites = append(suites, string(c.suite))
	}
	slices.Sort(suites)
	for _, suite := range slices.Compact(suites) {
		if err := changes.Append(ctx, tx, changes.Tenants, suite); err != nil {
			return err
		}
	}
	if len(m.made) == 0 && len(m.changed) == 0 {
		return nil
	}
	return changes.Append(ctx, tx, changes.Hosts, "")
}
