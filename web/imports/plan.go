package imports

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
)

// item is a row on its way.
type item struct {
	Record
	own    uuid.UUID // the tenant's id if there is none yet
	state  RowState
	tenant uuid.UUID
}

func (x *item) fail(f Fault) { x.state, x.faults, x.tenant = RowFailed, []Fault{f}, uuid.Nil }

// arrivals say what each row asks of the tenant room. A row whose suite went away fails.
func (s *Store) arrivals(ctx context.Context, rows []*item, how OnConflict, at time.Time) ([]*item, []tenant.Arrival, error) {
	kinds, err := s.kinds(ctx)
	if err != nil {
		return nil, nil, err
	}
	cancels, err := s.cancels(ctx, rows)
	if err != nil {
		return nil, nil, err
	}
	var left []*item
	var list []tenant.Arrival
	for _, x := range rows {
		kind, known := kinds[x.SuiteID]
		if !known {
			x.fail(faultSuite)
			continue
		}
		a := tenant.Arrival{
			ID: x.own, SuiteID: x.SuiteID, CorpID: x.CorpID, Aliases: x.Aliases, Name: x.Name, Agents: x.Agents, Domains: x.Domains,
			AuthorizedAt: x.AuthorizedAt, Newer: !x.AuthorizedAt.IsZero() && !x.code().IsZero(),
			CancelledAt: x.lastCancel(cancels), Update: how == Update,
			Incomplete: x.code().IsZero() || kind == suite.Internal && len(x.Agents) == 0,
		}
		if a.AuthorizedAt.IsZero() {
			a.AuthorizedAt = at // when the file came: what the corp cancels after that ends it
		}
		if x.Status != "" {
			disabled := x.Status == tenant.Disabled
			a.Disabled = &disabled
		}
		left, list = append(left, x), append(list, a)
	}
	return left, list, nil
}

func (s *Store) cancels(ctx context.Context, rows []*item) (map[suite.Corp]time.Time, error) {
	var corps []suite.Corp
	for _, x := range rows {
		corps = append(corps, x.forms()...)
	}
	return s.Suites.Cancels(ctx, corps)
}

func (r *Record) forms() []suite.Corp {
	out := []suite.Corp{{SuiteID: r.SuiteID, CorpID: r.CorpID}}
	for _, alias := range r.Aliases {
		out = append(out, suite.Corp{SuiteID: r.SuiteID, CorpID: alias})
	}
	return out
}

func (r *Record) lastCancel(cancels map[suite.Corp]time.Time) (last time.Time) {
	for _, c := range r.forms() {
		if at := cancels[c]; at.After(last) {
			last = at
		}
	}
	return last
}

// arrive notes how a row arrived; an error that is the row's own fails it.
func (x *item) arrive(a tenant.Arrived, internal bool) {
	switch {
	case errors.Is(a.Err, tenant.ErrIncomplete) && internal:
		x.fail(faultNeedsApp)
	case errors.Is(a.Err, tenant.ErrIncomplete):
		x.fail(faultNeedsCode)
	case errors.Is(a.Err, tenant.ErrCancelled):
		x.fail(faultCancelled)
	case errors.Is(a.Err, tenant.ErrConflict):
		x.fail(faultTaken)
	case a.Err != nil:
		x.fail(faultInternal)
	default:
		x.state, x.tenant = RowState(a.How), a.TenantID
	}
}

// Report is what a dry run found: what would become of each row.
type Report struct {
	Counts Counts
	Rows   []Row
}

// Try tells what would become of a file, as far as can be told now. It stores nothing.
func (s *Store) Try(ctx context.Context, f File) (Report, error) {
	leave, err := s.enter()
	if err != nil {
		return Report{}, err
	}
	defer leave()
	var out Report
	_, err = s.read(ctx, f, func(rows []*Record) error {
		for len(rows) > 0 {
			n := min(len(rows), workBatch)
			if err := s.tryRows(ctx, rows[:n], f.OnConflict, &out); err != nil {
				return err
			}
			rows = rows[n:]
		}
		return nil
	})
	if err == nil && out.Counts.Total == 0 {
		err = errNoRows
	}
	return out, err
}

func (s *Store) tryRows(ctx context.Context, rows []*Record, how OnConflict, out *Report) error {
	all := make([]*item, len(rows))
	var good []*item
	for i, r := range rows {
		all[i] = &item{Record: *r, own: uuid.New()}
		switch {
		case len(r.faults) > 0:
			all[i].state = RowFailed
		case r.Status == tenant.Cancelled:
			all[i].state = RowSkipped
		default:
			good = append(good, all[i])
		}
	}
	kinds, err := s.kinds(ctx)
	if err != nil {
		return err
	}
	left, list, err := s.arrivals(ctx, good, how, time.Now())
	if err != nil {
		return err
	}
	arrived, err := s.Tenants.TryMoveIn(ctx, list)
	if err != nil {
		return err
	}
	for i, x := range left {
		x.arrive(arrived[i], kinds[x.SuiteID] == suite.Internal)
		if x.state == RowUnchanged && !x.code().IsZero() {
			if err := s.tryCode(ctx, x); err != nil {
				return err
			}
		}
	}
	for _, x := range all {
		out.Counts.Total++
		out.Counts.add(x.state)
		out.Rows = append(out.Rows, x.row())
	}
	return nil
}

// tryCode tells a row that only brings another code from one that brings nothing new.
func (s *Store) tryCode(ctx context.Context, x *item) error {
	found, err := s.Suites.Authorizations(ctx, []uuid.UUID{x.tenant})
	if err != nil {
		return err
	}
	if a, ok := found[x.tenant]; !ok || !a.PermanentCode.Equal(x.code()) {
		x.state = RowUpdated
	}
	return nil
}

func (x *item) row() Row {
	suiteID, corpID := x.shownIDs()
	r := Row{Line: x.Line, State: x.state, SuiteID: wecom.SuiteID(suiteID), CorpID: wecom.CorpID(corpID), Faults: x.faults}
	if x.tenant != uuid.Nil && x.tenant != x.own {
		r.TenantID = &x.tenant
	}
	return r
}
