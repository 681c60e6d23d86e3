package imports

import (
	"context"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
)

// Export says what is written out.
type Export struct {
	Format  Format
	Filter  tenant.Filter
	Secrets bool // with permanent_codes and secrets
}

// Export writes tenants as they can be imported, page by page of a keyset: no
// transaction stays open while a slow reader takes them. An export with secrets is
// in the audit log before its first byte.
func (s *Store) Export(ctx context.Context, e Export, w io.Writer) error {
	kinds, err := s.kinds(ctx)
	if err != nil {
		return err
	}
	if e.Secrets {
		if err := s.note(ctx, e); err != nil {
			return err
		}
	}
	out, err := NewWriter(e.Format, w)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	for after := (tenant.Cursor{}); ; {
		page, next, err := s.Tenants.Wholes(ctx, e.Filter, after)
		if err != nil {
			return err
		}
		if err := s.exportPage(ctx, e, kinds, page, out); err != nil {
			return err
		}
		if next == (tenant.Cursor{}) {
			return nil
		}
		after = next
	}
}

func (s *Store) exportPage(ctx context.Context, e Export, kinds map[wecom.SuiteID]suite.Kind, page []tenant.Whole, out *Writer) error {
	var codes map[uuid.UUID]suite.Authorization
	if e.Secrets {
		ids := make([]uuid.UUID, len(page))
		for i, t := range page {
			ids[i] = t.ID
		}
		var err error
		if codes, err = s.Suites.Authorizations(ctx, ids); err != nil {
			return err
		}
	}
	for _, t := range page {
		r := Record{SuiteID: t.SuiteID, CorpID: t.CorpID, Aliases: t.Aliases, Name: t.Name, Agents: t.Agents, Domains: t.Domains,
			AuthorizedAt: t.AuthorizedAt, Status: t.Status}
		if a, ok := codes[t.ID]; ok && kinds[t.SuiteID] == suite.Internal {
			r.Secret = a.PermanentCode
		} else if ok {
			r.PermanentCode = a.PermanentCode
		}
		if err := out.Write(r); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// note writes down who takes secrets out.
func (s *Store) note(ctx context.Context, e Export) error {
	return pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		return audit.Append(ctx, tx, audit.Entry{Action: audit.ExportCreate, TargetID: "tenants", SuiteID: string(e.Filter.SuiteID), After: audit.Fields{
			"format": e.Format, "include": "secrets", "suite_id": none(string(e.Filter.SuiteID)), "corp_id": none(string(e.Filter.CorpID)),
			"status": none(string(e.Filter.Status)), "health": none(string(e.Filter.Health)), "q": none(e.Filter.Query)}})
	})
}

// none leaves out a filter that was not given.
func none(v string) any {
	if v == "" {
		return nil
	}
	return v
}
