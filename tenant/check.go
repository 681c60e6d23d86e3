package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/changes"
	"suitesign/wecom"
)

// ErrCheckedLately is returned for a domain that was looked at a moment ago.
var ErrCheckedLately = errors.New("domain was checked a moment ago")

// A DomainCheck is what was found when a domain was looked at from outside. It
// informs an admin; that a domain is trusted does not hang on it.
type DomainCheck struct {
	CheckedAt time.Time   `json:"checked_at"`
	Items     []CheckItem `json:"items"`
}

// A CheckItem is one thing that was looked at.
type CheckItem struct {
	Name  string     `json:"name"`            // dns, tls, file, redirect_domain
	State CheckState `json:"state"`           // how it is
	Code  string     `json:"code"`            // what exactly was found
	Found string     `json:"found,omitempty"` // an address, a name, a status
	Until *time.Time `json:"until,omitempty"` // the certificate's end
}

// CheckState is how something is.
type CheckState string

// The states.
const (
	CheckOK      CheckState = "ok"
	CheckWarning CheckState = "warning"
	CheckFailed  CheckState = "failed"
	CheckSkipped CheckState = "skipped"
)

// OK reports whether nothing failed.
func (c DomainCheck) OK() bool {
	return !slices.ContainsFunc(c.Items, func(i CheckItem) bool { return i.State == CheckFailed })
}

// BeginTenantDomainCheck answers with a domain that is to be checked, once in every
// so long over all replicas: ErrCheckedLately before, ErrNotFound without one.
func (s *Store) BeginTenantDomainCheck(ctx context.Context, id uuid.UUID, d Domain, apart time.Duration) (TrustedDomain, error) {
	return s.beginCheck(ctx, tenantDomains, id.String(), d, apart)
}

// SaveTenantDomainCheck stores what was found.
func (s *Store) SaveTenantDomainCheck(ctx context.Context, id uuid.UUID, d Domain, c DomainCheck) (TrustedDomain, error) {
	return s.saveCheck(ctx, tenantDomains, id.String(), d, c)
}

// BeginSuiteDomainCheck is BeginTenantDomainCheck for a suite's domain.
func (s *Store) BeginSuiteDomainCheck(ctx context.Context, id wecom.SuiteID, d Domain, apart time.Duration) (TrustedDomain, error) {
	return s.beginCheck(ctx, suiteDomains, string(id), d, apart)
}

// SaveSuiteDomainCheck stores what was found.
func (s *Store) SaveSuiteDomainCheck(ctx context.Context, id wecom.SuiteID, d Domain, c DomainCheck) (TrustedDomain, error) {
	return s.saveCheck(ctx, suiteDomains, string(id), d, c)
}

func (s *Store) beginCheck(ctx context.Context, t domainTable, owner string, d Domain, apart time.Duration) (TrustedDomain, error) {
	q := `UPDATE ` + t.table + ` SET check_begun_at = now()
		WHERE ` + t.owner + ` = $1 AND host = $2 AND port = $3 AND (check_begun_at IS NULL OR check_begun_at <= now() - $4::interval)
		RETURNING ` + domainColumns
	rows, err := s.Pool.Query(ctx, q, owner, d.Host, d.Port, apart)
	var got TrustedDomain
	if err == nil {
		got, err = pgx.CollectExactlyOneRow(rows, scanDomain)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		if _, err = s.getDomain(ctx, t, owner, d); err == nil {
			err = ErrCheckedLately
		}
	}
	if err != nil {
		return TrustedDomain{}, fmt.Errorf("check domain %s: %w", d, err)
	}
	return got, nil
}

func (s *Store) saveCheck(ctx context.Context, t domainTable, owner string, d Domain, c DomainCheck) (stored TrustedDomain, err error) {
	result, err := json.Marshal(c)
	if err != nil {
		return TrustedDomain{}, fmt.Errorf("check of domain %s: %w", d, err)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		q := `UPDATE ` + t.table + ` SET check_result = $4 WHERE ` + t.owner + ` = $1 AND host = $2 AND port = $3 RETURNING ` + domainColumns
		rows, err := tx.Query(ctx, q, owner, d.Host, d.Port, result)
		if err == nil {
			stored, err = pgx.CollectExactlyOneRow(rows, scanDomain)
		}
		if errors.Is(err, pgx.ErrNoRows) { // removed meanwhile
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		return t.logCheck(ctx, tx, owner, d)
	})
	if err != nil {
		return TrustedDomain{}, fmt.Errorf("check of domain %s: %w", d, err)
	}
	return stored, nil
}

// logCheck writes who had a domain checked.
func (t domainTable) logCheck(ctx context.Context, tx pgx.Tx, owner string, d Domain) error {
	e := audit.Entry{Action: audit.SuiteDomainCheck, TargetID: d.String(), SuiteID: owner}
	if t.topic == changes.Tenant {
		e.Action = audit.TenantDomainCheck
		if err := tx.QueryRow(ctx, `SELECT id, suite_id FROM tenants WHERE id = $1`, owner).Scan(&e.TenantID, &e.SuiteID); err != nil {
			return err
		}
	}
	return audit.Append(ctx, tx, e)
}
