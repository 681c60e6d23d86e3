package imports_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/audit"
	"suitesign/migrations/pgtest"
	"suitesign/secret"
	"suitesign/secret/secrettest"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/web/imports"
	"suitesign/wecom"
)

const (
	theirs wecom.SuiteID = "ww00000000000000a1" // third_party
	ours   wecom.SuiteID = "ours"               // internal
)

// house is the room with those below it, on a database of its own.
type house struct {
	t       *testing.T
	pool    *pgxpool.Pool
	tenants *tenant.Store
	suites  *suite.Store
	store   *imports.Store
	worker  *imports.Worker
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, pool: pgtest.New(t)}
	ring := secrettest.New(t)
	h.tenants = &tenant.Store{Pool: h.pool}
	h.suites = &suite.Store{Pool: h.pool, Ring: ring, Tenants: h.tenants}
	h.store = &imports.Store{Pool: h.pool, Ring: ring, Suites: h.suites, Tenants: h.tenants}
	h.worker = &imports.Worker{Store: h.store}
	for _, n := range []suite.New{
		{ID: theirs, Kind: suite.ThirdParty, Name: "Theirs", SuiteSecret: secret.New("s"), CallbackToken: secret.New("t"),
			EncodingAESKey: secret.New("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")},
		{ID: ours, Kind: suite.Internal, Name: "Ours"},
	} {
		_, err := h.suites.Create(t.Context(), n)
		must(t, err)
	}
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// take stages a file.
func (h *house) take(f imports.Format, how imports.OnConflict, text string) imports.Import {
	h.t.Helper()
	ctx := audit.With(h.t.Context(), audit.Actor{Kind: audit.APIKey, Name: "tests", IP: "192.0.2.7"})
	got, err := h.store.Take(ctx, imports.File{Format: f, OnConflict: how, By: "tests", Body: strings.NewReader(text)})
	must(h.t, err)
	return got
}

// run takes a file in, works it off, and answers with what became of it.
func (h *house) run(f imports.Format, how imports.OnConflict, text string) (imports.Import, []imports.Row) {
	h.t.Helper()
	taken := h.take(f, how, text)
	h.workOff()
	return h.ended(taken)
}

func (h *house) workOff() {
	h.t.Helper()
	_, err := h.worker.RunOnce(h.t.Context())
	must(h.t, err)
}

func (h *house) ended(i imports.Import) (imports.Import, []imports.Row) {
	h.t.Helper()
	got, err := h.store.Get(h.t.Context(), i.ID)
	must(h.t, err)
	if got.State != imports.Done {
		h.t.Fatalf("the import is %s, want done", got.State)
	}
	rows, err := h.store.Rows(h.t.Context(), i.ID, "", 0, 10_000)
	must(h.t, err)
	return got, rows
}

// states are those of rows, in their order, with the codes of their faults.
func states(rows []imports.Row) string {
	var out []string
	for _, r := range rows {
		word := string(r.State)
		for _, f := range r.Faults {
			word += ":" + f.Field + ":" + f.Code
		}
		out = append(out, word)
	}
	return strings.Join(out, " ")
}

func (h *house) find(id wecom.SuiteID, corp wecom.CorpID) tenant.Tenant {
	h.t.Helper()
	got, err := h.tenants.Find(h.t.Context(), id, corp)
	must(h.t, err)
	return got
}

// code is the permanent_code in force for a tenant, and its version.
func (h *house) code(t tenant.Tenant) (string, int64) {
	h.t.Helper()
	found, err := h.suites.Authorizations(h.t.Context(), uuids(t))
	must(h.t, err)
	a := found[t.ID]
	return a.PermanentCode.Reveal(), a.Version
}

func (h *house) count(q string, args ...any) (n int) {
	h.t.Helper()
	must(h.t, h.pool.QueryRow(h.t.Context(), q, args...).Scan(&n))
	return n
}

var someTime = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func newID(t *testing.T) uuid.UUID {
	t.Helper()
	id, err := uuid.NewV7()
	must(t, err)
	return id
}

func (h *house) grant(a tenant.Arrival, code string) {
	h.t.Helper()
	_, err := h.suites.MoveIn(h.t.Context(), []suite.Grant{{TenantID: a.ID, SuiteID: a.SuiteID, CorpID: a.CorpID, Code: secret.New(code), AuthorizedAt: a.AuthorizedAt}})
	must(h.t, err)
}

func sortedLines(text string) []string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return lines
}
