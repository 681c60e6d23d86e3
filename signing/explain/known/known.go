package known

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"suitesign/reach"
	"suitesign/signing"
	"suitesign/signing/explain"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom"
	"suitesign/wecom/jsapi"
)

// A Reader reads what the service knows. All of its fields but Now are needed.
type Reader struct {
	Suites    *suite.Store
	Tenants   *tenant.Store
	Tickets   *ticket.Source
	Directory *signing.Directory // says whom a page means

	Now func() time.Time // time.Now unless set
}

// How many are read that a page could be confused with: suites, tenants of one
// corp, and tenants of one suite. A suite can have a hundred thousand corps; the
// mistakes that are looked for are made with those at hand.
const (
	maxSuites = 1000
	maxCorp   = 50
	maxSuite  = 400
)

// Explain reads what is known about a question and answers it.
func (r *Reader) Explain(ctx context.Context, q explain.Question) (explain.Report, error) {
	k, err := r.Read(ctx, q)
	if err != nil {
		return explain.Report{}, err
	}
	return explain.Explain(q, k), nil
}

// Read reads what is known about a question.
func (r *Reader) Read(ctx context.Context, q explain.Question) (explain.Known, error) {
	k := explain.Known{Now: r.now()}
	suites, err := r.suites(ctx)
	if err != nil {
		return k, err
	}
	for id := range suites {
		k.Suites = append(k.Suites, string(id))
	}
	slices.Sort(k.Suites)
	found, err := r.whom(ctx, q, &k)
	if err != nil {
		return k, err
	}
	if found != nil {
		app := &explain.App{Tenant: *found, Kind: jsapi.Kind(suites[found.SuiteID].Kind)}
		if app.Trusts, err = r.trusts(ctx, found); err != nil {
			return k, err
		}
		k.App = app
	}
	if own, ok := suites[suiteOf(q, found)]; ok {
		k.ProviderCorpID = string(own.ProviderCorpID)
	}
	others, err := r.others(ctx, q, found)
	if err != nil {
		return k, err
	}
	for _, t := range others {
		k.Others = append(k.Others, explain.App{Tenant: t, Kind: jsapi.Kind(suites[t.SuiteID].Kind)})
	}
	return k, r.hold(ctx, &k)
}

// Own reads what is known about a question and of nobody but the tenant that the
// page means: for who may not hear of others, and to be cheap. Of a page that
// means none it tells why in Lookup.
func (r *Reader) Own(ctx context.Context, q explain.Question) (explain.Known, error) {
	k := explain.Known{Now: r.now()}
	page, err := tenant.PageOf(explain.PageURL(q.URL))
	if err != nil {
		k.Lookup = explain.NothingToFind
		return k, nil //nolint:nilerr // that it is no page is told, not refused
	}
	if q.SuiteID != "" {
		switch _, err := r.Suites.Get(ctx, wecom.SuiteID(q.SuiteID)); {
		case !plausible(q.SuiteID) || errors.Is(err, suite.ErrNotFound):
			k.Lookup = explain.NoSuite
			return k, nil
		case err != nil:
			return k, err
		}
	}
	id, err := r.Directory.Whom(ctx, q.SuiteID, q.CorpID, page)
	if k.Lookup, err = lookup(err); err != nil || k.Lookup != explain.Found {
		return k, err
	}
	t, err := r.Tenants.Get(ctx, id)
	if errors.Is(err, tenant.ErrNotFound) { // gone meanwhile
		k.Lookup = explain.NoTenant
		return k, nil
	}
	if err != nil {
		return k, err
	}
	of, err := r.Suites.Get(ctx, t.SuiteID)
	if err != nil {
		return k, err
	}
	k.App = &explain.App{Tenant: t, Kind: jsapi.Kind(of.Kind)}
	k.Suites, k.ProviderCorpID = []string{string(of.ID)}, string(of.ProviderCorpID)
	if k.App.Trusts, err = r.trusts(ctx, &t); err != nil {
		return k, err
	}
	return k, r.hold(ctx, &k)
}

func (r *Reader) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

func (r *Reader) suites(ctx context.Context) (map[wecom.SuiteID]suite.Suite, error) {
	all := map[wecom.SuiteID]suite.Suite{}
	var after wecom.SuiteID
	const page = 200
	for len(all) < maxSuites {
		list, err := r.Suites.List(ctx, after, page)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			all[s.ID], after = s, s.ID
		}
		if len(list) < page {
			break
		}
	}
	return all, nil
}

// whom finds the tenant that a page means, and says in k how that ended.
func (r *Reader) whom(ctx context.Context, q explain.Question, k *explain.Known) (*tenant.Tenant, error) {
	if q.SuiteID != "" && !slices.Contains(k.Suites, q.SuiteID) {
		k.Lookup = explain.NoSuite
		return nil, nil
	}
	if _, bound := reach.Of(ctx); bound {
		return r.only(ctx, q, k) // the directory knows tenants that the key does not reach
	}
	page, pageErr := tenant.PageOf(explain.PageURL(q.URL))
	if pageErr != nil && (q.SuiteID == "" || q.CorpID == "") {
		return r.only(ctx, q, k)
	}
	id, err := r.Directory.Whom(ctx, q.SuiteID, q.CorpID, page)
	if k.Lookup, err = lookup(err); err != nil || k.Lookup != explain.Found {
		return nil, err
	}
	t, err := r.Tenants.Get(ctx, id)
	if errors.Is(err, tenant.ErrNotFound) { // gone meanwhile
		k.Lookup = explain.NoTenant
		return nil, nil
	}
	return &t, err
}

// lookup is what the directory's answer means.
func lookup(err error) (explain.Lookup, error) {
	switch {
	case errors.Is(err, signing.ErrTenantNotFound):
		return explain.NoTenant, nil
	case errors.Is(err, signing.ErrTenantAmbiguous):
		return explain.SeveralFit, nil
	case errors.Is(err, signing.ErrUntrusted):
		return explain.NobodyTrusts, nil
	}
	return explain.Found, err
}

// only finds the tenant that the ids alone leave, for a URL that has no host, or
// for a key whose tenants alone count.
func (r *Reader) only(ctx context.Context, q explain.Question, k *explain.Known) (*tenant.Tenant, error) {
	k.Lookup = explain.NothingToFind
	_, bound := reach.Of(ctx) // a bound key may reach one tenant only, and then means it
	if q.SuiteID == "" && q.CorpID == "" && !bound || !plausible(q.CorpID) {
		return nil, nil
	}
	ts, _, err := r.Tenants.List(ctx, tenant.Filter{SuiteID: wecom.SuiteID(q.SuiteID), CorpID: wecom.CorpID(q.CorpID)}, uuid.Nil, 2)
	switch {
	case err != nil:
		return nil, err
	case len(ts) == 0:
		k.Lookup = explain.NoTenant
	case len(ts) > 1:
		k.Lookup = explain.SeveralFit
	default:
		k.Lookup = explain.Found
		return &ts[0], nil
	}
	return nil, nil
}

// plausible reports whether a text can be asked for at all.
func plausible(id string) bool {
	return len(id) <= 128 && utf8.ValidString(id) && !strings.Contains(id, "\x00")
}

// trusts are a tenant's domains, and its suite's.
func (r *Reader) trusts(ctx context.Context, t *tenant.Tenant) ([]tenant.TrustedDomain, error) {
	own, err := r.Tenants.ListTenantDomains(ctx, t.ID)
	if err != nil && !errors.Is(err, tenant.ErrNotFound) {
		return nil, err
	}
	shared, err := r.Tenants.ListSuiteDomains(ctx, t.SuiteID)
	return append(own, shared...), err
}

func suiteOf(q explain.Question, found *tenant.Tenant) wecom.SuiteID {
	if found != nil {
		return found.SuiteID
	}
	return wecom.SuiteID(q.SuiteID)
}

// others are whom a page can be confused with: the same corp's other suites, by
// any form of its id, ids that differ in case only, and other corps of the suite.
func (r *Reader) others(ctx context.Context, q explain.Question, found *tenant.Tenant) ([]tenant.Tenant, error) {
	var out []tenant.Tenant
	add := func(ts []tenant.Tenant, err error) error {
		for _, t := range ts {
			same := func(o tenant.Tenant) bool { return o.ID == t.ID }
			if (found == nil || t.ID != found.ID) && !slices.ContainsFunc(out, same) {
				out = append(out, t)
			}
		}
		return err
	}
	forms := []wecom.CorpID{wecom.CorpID(q.CorpID)}
	if found != nil {
		forms = append([]wecom.CorpID{found.CorpID}, found.Aliases...)
	}
	for _, form := range forms {
		if form == "" || !plausible(string(form)) {
			continue
		}
		ts, _, err := r.Tenants.List(ctx, tenant.Filter{CorpID: form}, uuid.Nil, maxCorp)
		if err := add(ts, err); err != nil {
			return nil, err
		}
	}
	if found == nil && q.CorpID != "" && plausible(q.CorpID) {
		if err := add(r.Tenants.Alike(ctx, wecom.CorpID(strings.TrimSpace(q.CorpID)), maxCorp)); err != nil {
			return nil, err
		}
	}
	id := suiteOf(q, found)
	if !plausible(string(id)) {
		return out, nil
	}
	var after uuid.UUID
	for read := 0; read < maxSuite; read += tenant.MaxList {
		ts, next, err := r.Tenants.List(ctx, tenant.Filter{SuiteID: id}, after, tenant.MaxList)
		if err := add(ts, err); err != nil {
			return nil, err
		}
		if next == uuid.Nil {
			break
		}
		after = next
	}
	return out, nil
}

// kinds are the credentials that a page is signed with, or should not be.
var kinds = map[ticket.Kind]explain.TicketKind{
	ticket.JSAPITicket: explain.ConfigTicket, ticket.AgentConfig: explain.AgentTicket, ticket.AccessToken: explain.AccessToken,
}

// hold reads the tickets of all of them at once.
func (r *Reader) hold(ctx context.Context, k *explain.Known) error {
	apps := map[uuid.UUID]*explain.App{}
	if k.App != nil {
		apps[k.App.ID] = k.App
	}
	for i := range k.Others {
		apps[k.Others[i].ID] = &k.Others[i]
	}
	ids := make([]uuid.UUID, 0, len(apps))
	for id := range apps {
		ids = append(ids, id)
	}
	held, err := r.Tickets.Held(ctx, ids)
	for _, h := range held {
		a := apps[h.TenantID]
		a.Tickets = append(a.Tickets, explain.Ticket{Kind: kinds[h.Kind], Value: h.Value, Live: h.Live, FetchedAt: h.FetchedAt, ExpiresAt: h.ExpiresAt})
	}
	return err
}
