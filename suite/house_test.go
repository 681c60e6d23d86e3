package suite_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/migrations/pgtest"
	"suitesign/secret"
	"suitesign/secret/secrettest"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

const (
	suiteID  wecom.SuiteID = "ww00000000000000a1"
	template wecom.SuiteID = "dk00000000000000b2"
	provider wecom.CorpID  = "wwprovider00000001"
	acme     wecom.CorpID  = "wwacme"
)

// replica is one process's worth of the room.
type replica struct {
	pool      *pgxpool.Pool
	store     *suite.Store
	tokens    *suite.Tokens
	exchanger *suite.Exchanger
	callbacks *suite.Callbacks
	worker    *suite.Worker
	installs  *suite.Installs
	gate      *gate
}

// house is a database, a platform, and one replica behind the callback URLs.
type house struct {
	*replica
	t    *testing.T
	ring *secret.Keyring
	sim  *wecomtest.Sim
	door *httptest.Server // where the platform's callbacks arrive
}

func newHouse(t *testing.T, opts ...wecomtest.Option) *house {
	t.Helper()
	h := &house{t: t, ring: secrettest.New(t), sim: wecomtest.New(t, opts...)}
	h.replica = h.replicaOn(pgtest.New(t))
	h.door = httptest.NewServer(http.HandlerFunc(h.answer))
	t.Cleanup(h.door.Close)
	return h
}

// replicaOn is another process on the same database.
func (h *house) replicaOn(pool *pgxpool.Pool) *replica {
	h.t.Helper()
	r := &replica{pool: pool, gate: &gate{}}
	client := &wecom.Client{BaseURL: h.sim.URL, HTTP: &http.Client{Transport: r.gate}}
	h.t.Cleanup(client.CloseIdleConnections)
	r.store = &suite.Store{Pool: pool, Ring: h.ring, Tenants: &tenant.Store{Pool: pool}}
	r.tokens = &suite.Tokens{Store: r.store, WeCom: client}
	r.exchanger = &suite.Exchanger{Store: r.store, WeCom: client, Tokens: r.tokens, Log: quiet()}
	r.callbacks = &suite.Callbacks{Store: r.store, Within: 30 * time.Second} // a busy machine is no failure
	r.worker = &suite.Worker{Store: r.store, Exchanger: r.exchanger, Log: quiet()}
	r.installs = &suite.Installs{
		Store: r.store, WeCom: client, Tokens: r.tokens, Exchanger: r.exchanger,
		PublicURL: "https://sign.example.com", InstallURL: h.sim.URL + "/3rdapp/install", Log: quiet(),
	}
	return r
}

// another starts a second replica with connections of its own.
func (h *house) another() *replica {
	h.t.Helper()
	return h.replicaOn(h.newPool(nil))
}

// newPool opens further connections to the test's database.
func (h *house) newPool(change func(*pgxpool.Config)) *pgxpool.Pool {
	h.t.Helper()
	cfg, err := pgxpool.ParseConfig(h.pool.Config().ConnString())
	must(h.t, err)
	cfg.MaxConns = 10
	if change != nil {
		change(cfg)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	must(h.t, err)
	h.t.Cleanup(pool.Close)
	return pool
}

// answer is what web does with a callback, as far as the platform sees it.
func (h *house) answer(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	id, door := wecom.SuiteID(parts[0]), suite.Door(parts[1])
	q := r.URL.Query()
	query := wecom.Query{Signature: q.Get("msg_signature"), Timestamp: q.Get("timestamp"), Nonce: q.Get("nonce")}
	if r.Method == http.MethodGet {
		echo, err := h.callbacks.Verify(r.Context(), id, door, query, q.Get("echostr"))
		if err != nil {
			http.Error(w, "refused", http.StatusForbidden)
			return
		}
		_, _ = w.Write(echo)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = h.callbacks.Receive(r.Context(), id, door, query, body)
	}
	if err != nil {
		http.Error(w, "refused", http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, "success")
}

// addSuite configures a suite on both sides.
func (h *house) addSuite(id wecom.SuiteID, change ...func(*wecomtest.Suite)) wecomtest.Suite {
	h.t.Helper()
	in := wecomtest.Suite{SuiteID: id, ProviderCorpID: provider, CallbackURL: h.door.URL + "/" + string(id)}
	for _, f := range change {
		f(&in)
	}
	su := h.sim.AddSuite(in)
	_, err := h.store.Create(h.t.Context(), suite.New{
		ID: id, Kind: suite.Kind(su.Kind), Name: "Suite", SuiteSecret: secret.New(su.Secret),
		CallbackToken: secret.New(su.Token), EncodingAESKey: secret.New(su.EncodingAESKey), ProviderCorpID: provider,
	})
	must(h.t, err)
	return su
}

// ready is a house with a suite that has its suite_ticket.
func ready(t *testing.T, opts ...wecomtest.Option) *house {
	t.Helper()
	h := newHouse(t, opts...)
	h.addSuite(suiteID)
	h.pushTicket(suiteID)
	return h
}

func (h *house) pushTicket(id wecom.SuiteID) {
	h.t.Helper()
	h.wantTaken(h.sim.PushSuiteTicket(id))
}

// install lets a corp install by the market and does what is due.
func (h *house) install(id wecom.SuiteID, corp wecom.CorpID) tenant.Tenant {
	h.t.Helper()
	h.market(id, corp)
	h.work()
	return h.tenant(id, corp)
}

// market lets a corp install by the market; the exchange is still to be done.
func (h *house) market(id wecom.SuiteID, corp wecom.CorpID) wecomtest.InstallResult {
	h.t.Helper()
	out := h.sim.Install(id, corp, wecomtest.Market)
	h.wantTaken(*out.Delivery)
	return out
}

// wantTaken checks that a push was acknowledged, if need be later than the platform likes.
func (h *house) wantTaken(d wecomtest.Delivery) {
	h.t.Helper()
	if len(d.Attempts) == 0 || d.Attempts[0].Answer != "success" {
		h.t.Fatalf("%s was not acknowledged: %+v", d.Event, d)
	}
}

// work does what is due.
func (h *house) work() suite.Report {
	h.t.Helper()
	r, err := h.worker.RunOnce(h.t.Context())
	must(h.t, err)
	return r
}

// send seals a message as the platform does and hands it to a replica.
func (h *house) send(r *replica, id wecom.SuiteID, door suite.Door, corp wecom.CorpID, message string) error {
	h.t.Helper()
	body, q := h.sim.Seal(id, wecomtest.PushDoor(door), corp, message)
	return r.callbacks.Receive(h.t.Context(), id, door, queryOf(q), body)
}

func queryOf(q url.Values) wecom.Query {
	return wecom.Query{Signature: q.Get("msg_signature"), Timestamp: q.Get("timestamp"), Nonce: q.Get("nonce")}
}

// message writes an event in the suite's shape.
func message(infoType string, at time.Time, more ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<xml><SuiteId><![CDATA[%s]]></SuiteId><InfoType><![CDATA[%s]]></InfoType><TimeStamp>%d</TimeStamp>", suiteID, infoType, at.Unix())
	for i := 0; i+1 < len(more); i += 2 {
		fmt.Fprintf(&b, "<%s><![CDATA[%s]]></%[1]s>", more[i], more[i+1])
	}
	return b.String() + "</xml>"
}

func (h *house) tenant(id wecom.SuiteID, corp wecom.CorpID) tenant.Tenant {
	h.t.Helper()
	t, err := h.store.Tenants.Find(h.t.Context(), id, corp)
	must(h.t, err)
	return t
}

// authorization answers with the tenant's, and whether it has one.
func (h *house) authorization(id uuid.UUID) (suite.Authorization, bool) {
	h.t.Helper()
	all, err := h.store.Authorizations(h.t.Context(), []uuid.UUID{id})
	must(h.t, err)
	a, ok := all[id]
	return a, ok
}

// events lists all events, newest first.
func (h *house) events(f suite.EventFilter) []suite.Event {
	h.t.Helper()
	list, err := h.store.Events(h.t.Context(), f, suite.EventCursor{}, false, 200)
	must(h.t, err)
	return list
}

// exchanges lists all exchanges, oldest first.
func (h *house) exchanges() []suite.Exchange {
	h.t.Helper()
	rows, err := h.pool.Query(h.t.Context(), `SELECT id FROM exchanges ORDER BY created_at, id`)
	must(h.t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	must(h.t, err)
	var out []suite.Exchange
	for _, id := range ids {
		x, err := h.exchanger.Get(h.t.Context(), id)
		must(h.t, err)
		out = append(out, x)
	}
	return out
}

// exec changes the database behind everybody's back.
func (h *house) exec(q string, args ...any) {
	h.t.Helper()
	_, err := h.pool.Exec(h.t.Context(), q, args...)
	must(h.t, err)
}

func value[T any](h *house, q string, args ...any) T {
	h.t.Helper()
	var v T
	must(h.t, h.pool.QueryRow(h.t.Context(), q, args...).Scan(&v))
	return v
}

// now is the database's time in whole seconds, as the platform tells times.
func (h *house) now() time.Time {
	return value[time.Time](h, `SELECT date_trunc('second', now())`)
}

// due makes everything that waits due now.
func (h *house) due() {
	h.t.Helper()
	h.exec(`UPDATE exchanges SET due_at = now() WHERE due_at > now()`)
	h.exec(`UPDATE callback_events SET due_at = now() WHERE due_at > now()`)
	h.exec(`UPDATE authorizations SET info_due_at = now() WHERE info_due_at > now()`)
	h.exec(`UPDATE suite_tokens SET retry_at = now()`)
}

// calls is how often an API was called.
func (h *house) calls(api string) int { return h.sim.Calls().Count(api, "", "") }

func (h *house) wantCalls(api string, want int) {
	h.t.Helper()
	if got := h.calls(api); got != want {
		h.t.Errorf("calls of %s = %d, want %d", api, got, want)
	}
}

// eventually waits for something that others bring about.
func (h *house) eventually(what string, ok func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited in vain: %s", what)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-h.t.Context().Done():
			h.t.Fatal(h.t.Context().Err())
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error = %v, want %v", err, want)
	}
}

func quiet() *slog.Logger {
	if os.Getenv("SUITE_TEST_LOG") != "" {
		return slog.Default()
	}
	return slog.New(slog.DiscardHandler)
}

func itoa(n int) string { return strconv.Itoa(n) }
