package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/changes"
	"suitesign/wecom"
)

// A domainTable is where the domains of one kind of owner are: tenants have
// theirs, and a suite has some for all its tenants. The two tables have the same
// columns, so the statements are the same but for two names.
type domainTable struct {
	table, owner string // constants of this file, never input
	topic        changes.Topic

	create, update, remove audit.Action
}

var (
	tenantDomains = domainTable{"tenant_domains", "tenant_id", changes.Tenant,
		audit.TenantDomainCreate, audit.TenantDomainUpdate, audit.TenantDomainDelete}
	suiteDomains = domainTable{"suite_domains", "suite_id", changes.Suite,
		audit.SuiteDomainCreate, audit.SuiteDomainUpdate, audit.SuiteDomainDelete}
)

const domainColumns = `host, port, exact, allow_http, verification_name, verification_content, version, created_at, updated_at, check_result`

// PutTenantDomain stores a domain that a tenant trusts, new or in place of the one
// with the same host and port, and reports whether it is new. ifVersion, unless
// nil, is the version of the stored one that the caller has seen.
func (s *Store) PutTenantDomain(ctx context.Context, id uuid.UUID, d TrustedDomain, ifVersion *int64) (TrustedDomain, bool, error) {
	return s.putDomain(ctx, tenantDomains, id.String(), d, ifVersion)
}

// GetTenantDomain answers with one domain of a tenant.
func (s *Store) GetTenantDomain(ctx context.Context, id uuid.UUID, d Domain) (TrustedDomain, error) {
	return s.getDomain(ctx, tenantDomains, id.String(), d)
}

// ListTenantDomains answers with the domains of a tenant, without those of its suite.
func (s *Store) ListTenantDomains(ctx context.Context, id uuid.UUID) ([]TrustedDomain, error) {
	ds, err := s.listDomains(ctx, tenantDomains, id.String())
	if err == nil && len(ds) == 0 {
		_, err = s.Get(ctx, id) // an unknown tenant is not one without domains
	}
	return ds, err
}

// DeleteTenantDomain removes a domain of a tenant.
func (s *Store) DeleteTenantDomain(ctx context.Context, id uuid.UUID, d Domain, ifVersion *int64) error {
	return s.deleteDomain(ctx, tenantDomains, id.String(), d, ifVersion)
}

// PutSuiteDomain is PutTenantDomain for every tenant of a suite.
func (s *Store) PutSuiteDomain(ctx context.Context, suite wecom.SuiteID, d TrustedDomain, ifVersion *int64) (TrustedDomain, bool, error) {
	return s.putDomain(ctx, suiteDomains, string(suite), d, ifVersion)
}

// GetSuiteDomain answers with one domain of a suite.
func (s *Store) GetSuiteDomain(ctx context.Context, suite wecom.SuiteID, d Domain) (TrustedDomain, error) {
	return s.getDomain(ctx, suiteDomains, string(suite), d)
}

// ListSuiteDomains answers with the domains of a suite; none for an unknown one.
func (s *Store) ListSuiteDomains(ctx context.Context, suite wecom.SuiteID) ([]TrustedDomain, error) {
	return s.listDomains(ctx, suiteDomains, string(suite))
}

// DeleteSuiteDomain removes a domain of a suite.
func (s *Store) DeleteSuiteDomain(ctx context.Context, suite wecom.SuiteID, d Domain, ifVersion *int64) error {
	return s.deleteDomain(ctx, suiteDomains, string(suite), d, ifVersion)
}

func (s *Store) putDomain(ctx context.Context, t domainTable, owner string, d TrustedDomain, ifVersion *int64) (stored TrustedDomain, created bool, err error) {
	if err := CheckVerificationFile(d.VerificationName, d.VerificationContent); err != nil {
		return TrustedDomain{}, false, err
	}
	put := func(tx pgx.Tx) error {
		before, err := t.lock(ctx, tx, owner, d.Domain)
		if err != nil {
			return err
		}
		if ifVersion != nil && (before == nil || before.Version != *ifVersion) {
			return ErrVersion
		}
		q := `
			INSERT INTO ` + t.table + ` AS d (` + t.owner + `, host, port, exact, allow_http, verification_name, verification_content)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (` + t.owner + `, host, port) DO UPDATE
			SET exact = EXCLUDED.exact, allow_http = EXCLUDED.allow_http,
			    verification_name = EXCLUDED.verification_name, verification_content = EXCLUDED.verification_content,
			    version = d.version + 1, updated_at = now()
			RETURNING ` + domainColumns
		rows, err := tx.Query(ctx, q, owner, d.Host, d.Port, d.Exact, d.AllowHTTP, d.VerificationName, d.VerificationContent)
		if err == nil {
			stored, err = pgx.CollectExactlyOneRow(rows, scanDomain)
		}
		if violates(err, foreignKeyViolation) || violates(err, rowSecurity) {
			return fmt.Errorf("%s: %w", t.owner, ErrNotFound)
		}
		if err != nil {
			return err
		}
		if before == nil && stored.Version > 1 {
			return errCameBetween
		}
		if err := t.log(ctx, tx, owner, d.Domain, before, &stored); err != nil {
			return err
		}
		return t.changed(ctx, tx, owner, d.Host)
	}
	err = s.inTx(ctx, put)
	if errors.Is(err, errCameBetween) {
		err = s.inTx(ctx, put) // now it is found
	}
	if err != nil {
		return TrustedDomain{}, false, fmt.Errorf("put domain %s: %w", d.Domain, err)
	}
	return stored, stored.Version == 1, nil
}

func (s *Store) getDomain(ctx context.Context, t domainTable, owner string, d Domain) (TrustedDomain, error) {
	q := `SELECT ` + domainColumns + ` FROM ` + t.table + ` WHERE ` + t.owner + ` = $1 AND host = $2 AND port = $3`
	rows, err := s.Pool.Query(ctx, q, owner, d.Host, d.Port)
	var got TrustedDomain
	if err == nil {
		got, err = pgx.CollectExactlyOneRow(rows, scanDomain)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return TrustedDomain{}, fmt.Errorf("domain %s: %w", d, err)
	}
	return got, nil
}

func (s *Store) listDomains(ctx context.Context, t domainTable, owner string) ([]TrustedDomain, error) {
	q := `SELECT ` + domainColumns + ` FROM ` + t.table + ` WHERE ` + t.owner + ` = $1 ORDER BY host, port`
	rows, err := s.Pool.Query(ctx, q, owner)
	var ds []TrustedDomain
	if err == nil {
		ds, err = pgx.CollectRows(rows, scanDomain)
	}
	if err != nil {
		return nil, fmt.Errorf("list domains: %w", err)
	}
	return ds, nil
}

func (s *Store) deleteDomain(ctx context.Context, t domainTable, owner string, d Domain, ifVersion *int64) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		before, err := t.lock(ctx, tx, owner, d)
		if err != nil {
			return err
		}
		if ifVersion != nil && (before == nil || before.Version != *ifVersion) {
			return ErrVersion
		}
		if before == nil {
			return ErrNotFound
		}
		q := `DELETE FROM ` + t.table + ` WHERE ` + t.owner + ` = $1 AND host = $2 AND port = $3`
		if _, err := tx.Exec(ctx, q, owner, d.Host, d.Port); err != nil {
			return err
		}
		if err := t.log(ctx, tx, owner, d, before, nil); err != nil {
			return err
		}
		return t.changed(ctx, tx, owner, d.Host)
	})
	if err != nil {
		return fmt.Errorf("delete domain %s: %w", d, err)
	}
	return nil
}

// errCameBetween is a domain that somebody stored while it was being stored.
var errCameBetween = errors.New("the domain came in between")

// lock holds the stored domain until the transaction ends; nil where there is none.
func (t domainTable) lock(ctx context.Context, tx pgx.Tx, owner string, d Domain) (*TrustedDomain, error) {
	q := `SELECT ` + domainColumns + ` FROM ` + t.table + ` WHERE ` + t.owner + ` = $1 AND host = $2 AND port = $3 FOR UPDATE`
	rows, err := tx.Query(ctx, q, owner, d.Host, d.Port)
	if err != nil {
		return nil, err
	}
	held, err := pgx.CollectExactlyOneRow(rows, scanDomain)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &held, nil
}

// log writes what became of a domain: of a tenant's, under its suite too.
func (t domainTable) log(ctx context.Context, tx pgx.Tx, owner string, d Domain, before, after *TrustedDomain) error {
	e := audit.Entry{Action: t.update, TargetID: d.String(), SuiteID: owner, Before: auditedDomain(before), After: auditedDomain(after)}
	switch {
	case before == nil:
		e.Action = t.create
	case after == nil:
		e.Action = t.remove
	}
	if t.topic == changes.Tenant {
		if err := tx.QueryRow(ctx, `SELECT id, suite_id FROM tenants WHERE id = $1`, owner).Scan(&e.TenantID, &e.SuiteID); err != nil {
			return err
		}
	}
	return audit.Append(ctx, tx, e)
}

// changed tells the replicas whose domains changed, and of which host's pages.
func (t domainTable) changed(ctx context.Context, tx pgx.Tx, owner, host string) error {
	if err := changes.Append(ctx, tx, t.topic, owner); err != nil {
		return err
	}
	return changes.Append(ctx, tx, changes.Hosts, host)
}

func scanDomain(row pgx.CollectableRow) (TrustedDomain, error) {
	var d TrustedDomain
	err := row.Scan(&d.Host, &d.Port, &d.Exact, &d.AllowHTTP, &d.VerificationName, &d.VerificationContent, &d.Version, &d.CreatedAt, &d.UpdatedAt, &d.Check)
	return d, err
}

// VerificationFile answers with the content of the ownership file that is stored
// for a host and a name; ErrNotFound without one. The host may carry a port, as a
// Host header does: which entry of the host holds the file does not matter.
func (s *Store) VerificationFile(ctx context.Context, host, name string) (string, error) {
	if !verificationName.MatchString(name) {
		return "", fmt.Errorf("verification file: %w", ErrNotFound)
	}
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	const q = `
		SELECT verification_content FROM (
			SELECT verification_content, updated_at FROM tenant_domains WHERE host = $1 AND verification_name = $2
			UNION ALL
			SELECT verification_content, updated_at FROM suite_domains WHERE host = $1 AND verification_name = $2
		) f
		ORDER BY updated_at DESC LIMIT 1`
	var content string
	err := s.Pool.QueryRow(ctx, q, host, name).Scan(&content)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("verification file: %w", err)
	}
	return content, nil
}
