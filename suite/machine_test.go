package suite_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"suitesign/migrations/pgtest"
	"suitesign/secret"
	"suitesign/secret/secrettest"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/wecom"
)

// anyOrder is the model: what happened to some corps of one suite, in its true
// order, and what the platform said of it.
type anyOrder struct {
	id      wecom.SuiteID
	start   time.Time
	said    []string
	last    map[wecom.CorpID]string // the code of the consent in force, "" once it is cancelled
	ticket  string
	seconds int
}

// happens lets the next thing happen, some time after the one before.
func (m *anyOrder) happens(t *rapid.T, n int) {
	m.seconds += rapid.IntRange(1, 100).Draw(t, "seconds")
	at := m.start.Add(time.Duration(m.seconds) * time.Second)
	corp := wecom.CorpID(rapid.SampledFrom([]string{"wwa", "wwb", "wwc"}).Draw(t, "corp"))
	say := func(infoType string, more ...string) {
		m.said = append(m.said, strings.ReplaceAll(message(infoType, at, more...), string(suiteID), string(m.id)))
	}
	switch rapid.SampledFrom([]string{"install", "install", "uninstall", "change", "ticket"}).Draw(t, "what") {
	case "install":
		m.last[corp] = fmt.Sprintf("%s-%s-%d", m.id, corp, n)
		say("create_auth", "AuthCode", m.last[corp])
	case "uninstall":
		if m.last[corp] == "" {
			return
		}
		m.last[corp] = ""
		say("cancel_auth", "AuthCorpId", string(corp))
	case "change":
		say("change_auth", "AuthCorpId", string(corp))
	case "ticket":
		m.ticket = fmt.Sprintf("%s-ticket-%d", m.id, n)
		say("suite_ticket", "SuiteTicket", m.ticket)
	}
}

// afterwards is a platform to which all of it has happened already: every code
// can be exchanged once, and an authorization stands or is gone for good.
type afterwards struct {
	mu     sync.Mutex
	models map[wecom.SuiteID]*anyOrder
	spent  map[string]bool
}

func (p *afterwards) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in map[string]string
	_ = json.NewDecoder(r.Body).Decode(&in)
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]any{"errcode": 0, "errmsg": "ok"}
	id, _, _ := strings.Cut(r.URL.Query().Get("suite_access_token"), "/")
	switch {
	case strings.HasSuffix(r.URL.Path, "/get_suite_token"):
		out["suite_access_token"], out["expires_in"] = in["suite_id"]+"/token", 7200
	case strings.HasSuffix(r.URL.Path, "/get_permanent_code"):
		code := in["auth_code"]
		parts := strings.Split(code, "-")
		if p.spent[code] {
			out["errcode"] = 40078
			break
		}
		p.spent[code] = true
		out["permanent_code"] = "permanent-" + code
		out["auth_corp_info"] = map[string]any{"corpid": parts[1], "corp_name": "Corp"}
	case strings.HasSuffix(r.URL.Path, "/get_auth_info"):
		if p.models[wecom.SuiteID(id)].last[wecom.CorpID(in["auth_corpid"])] == "" {
			out["errcode"] = 40084
			break
		}
		out["auth_corp_info"] = map[string]any{"corpid": in["auth_corpid"], "corp_name": "Corp"}
		out["auth_info"] = map[string]any{"agent": []any{map[string]any{"agentid": 1000001, "name": "App"}}}
	default:
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(out)
}

// However late, often and disordered the callbacks come, and whoever works when:
// in the end everything is as if they had come in order.
func TestAnyOrderEndsInTheOrderOfEvents(t *testing.T) {
	t.Parallel()
	platform := &afterwards{models: map[wecom.SuiteID]*anyOrder{}, spent: map[string]bool{}}
	server := httptest.NewServer(platform)
	t.Cleanup(server.Close)
	pool, ring := pgtest.New(t), secrettest.New(t)
	var replicas []*replica
	for range 2 {
		client := &wecom.Client{BaseURL: server.URL}
		t.Cleanup(client.CloseIdleConnections)
		r := &replica{pool: pool, store: &suite.Store{Pool: pool, Ring: ring, Tenants: &tenant.Store{Pool: pool}}}
		r.tokens = &suite.Tokens{Store: r.store, WeCom: client}
		r.exchanger = &suite.Exchanger{Store: r.store, WeCom: client, Tokens: r.tokens, Log: quiet()}
		r.callbacks = &suite.Callbacks{Store: r.store, Within: 30 * time.Second}
		r.worker = &suite.Worker{Store: r.store, Exchanger: r.exchanger, Log: quiet()}
		replicas = append(replicas, r)
	}
	key, err := wecom.ParseCallbackKey(goodToken, goodKey)
	must(t, err)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		m := &anyOrder{id: wecom.SuiteID("ww" + itoa(n)), start: time.Now().Add(-time.Hour).Truncate(time.Second), last: map[wecom.CorpID]string{}}
		for i := range rapid.IntRange(1, 12).Draw(rt, "events") {
			m.happens(rt, i)
		}
		m.seconds++
		m.ticket = string(m.id) + "-ticket-last"
		m.said = append(m.said, strings.ReplaceAll(message("suite_ticket", m.start.Add(time.Duration(m.seconds)*time.Second), "SuiteTicket", m.ticket), string(suiteID), string(m.id)))
		platform.mu.Lock()
		platform.models[m.id] = m
		platform.mu.Unlock()
		_, err := replicas[0].store.Create(t.Context(), newSuite(m.id, suite.ThirdParty))
		must(t, err)

		order := rapid.Permutation(append(m.said, rapid.SliceOfN(rapid.SampledFrom(m.said), 0, 5).Draw(rt, "repeated")...)).Draw(rt, "order")
		for _, text := range order {
			r := rapid.SampledFrom(replicas).Draw(rt, "replica")
			body, q, err := key.Seal([]byte(text), string(m.id), "1700000000", uuid.NewString())
			must(t, err)
			if err := r.callbacks.Receive(context.Background(), m.id, suite.CommandDoor, q, body); err != nil {
				rt.Fatalf("Receive = %v", err)
			}
			if rapid.Bool().Draw(rt, "work") {
				if _, err := r.worker.RunOnce(t.Context()); err != nil {
					rt.Fatalf("RunOnce = %v", err)
				}
			}
		}
		finishAll(t, replicas[0])
		m.check(rt, t, replicas[0], ring)
	})
}

// finishAll works until nothing is left to do.
func finishAll(t *testing.T, r *replica) {
	t.Helper()
	for range 3 {
		for _, q := range []string{
			`UPDATE exchanges SET due_at = now() WHERE due_at > now()`,
			`UPDATE callback_events SET due_at = now() WHERE due_at > now()`,
			`UPDATE authorizations SET info_due_at = now() WHERE info_due_at > now()`,
		} {
			_, err := r.pool.Exec(t.Context(), q)
			must(t, err)
		}
		_, err := r.worker.RunOnce(t.Context())
		must(t, err)
	}
}

func (m *anyOrder) check(rt *rapid.T, t *testing.T, r *replica, ring *secret.Keyring) {
	t.Helper()
	var sealed []byte
	must(t, r.pool.QueryRow(t.Context(), `SELECT ticket_sealed FROM suite_tickets WHERE suite_id = $1`, m.id).Scan(&sealed))
	ticket, err := ring.Open(sealed, secret.Binding{Table: "suite_tickets", Column: "ticket_sealed", Row: string(m.id)})
	must(t, err)
	if got := ticket.Reveal(); got != m.ticket {
		rt.Errorf("suite_ticket = %q, want %q", got, m.ticket)
	}
	for corp, code := range m.last {
		got, err := r.store.Tenants.Find(t.Context(), m.id, corp)
		if err != nil {
			rt.Errorf("tenant %s: %v", corp, err)
			continue
		}
		all, err := r.store.Authorizations(t.Context(), []uuid.UUID{got.ID})
		must(t, err)
		a, ok := all[got.ID]
		switch {
		case code == "" && (got.Status != tenant.Cancelled || ok):
			rt.Errorf("%s is %s with an authorization %v, want cancelled without", corp, got.Status, ok)
		case code != "" && (got.Status != tenant.Active || a.PermanentCode.Reveal() != "permanent-"+code):
			rt.Errorf("%s is %s with %q, want active with the code of %q", corp, got.Status, a.PermanentCode.Reveal(), code)
		case code != "" && len(got.Agents) != 1:
			rt.Errorf("%s has agents %v", corp, got.Agents)
		}
	}
	var left int
	const q = `SELECT (SELECT count(*) FROM callback_events WHERE suite_id = $1 AND state = 'pending')
		+ (SELECT count(*) FROM exchanges WHERE suite_id = $1 AND state NOT IN ('done', 'failed'))`
	must(t, r.pool.QueryRow(t.Context(), q, m.id).Scan(&left))
	if left != 0 {
		rt.Errorf("%d events or exchanges are not finished", left)
	}
}
