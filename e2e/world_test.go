package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"crypto/rand"
)

// world is the product with everything around it: a database, the simulator, and
// one or more replicas of the service.
type world struct {
	t         *testing.T
	database  string
	through   string // how the replicas reach the database
	masterKey string
	apiKey    string
	sim       *process
	simURL    string
	replicas  []*replica
}

type replica struct {
	*process
	public, admin string
	environ       []string
}

// options change a world before it starts.
type options struct {
	replicas int      // 1 unless set
	sim      []string // further arguments of wecomsim serve
	environ  []string // further environment of suitesign serve
	database string   // one of the run's server unless set

	// through leads the replicas to the database by another way; straight unless set.
	through func(database string) string
}

// newWorld migrates a new database, starts the simulator and the replicas, and
// waits until they are ready.
func newWorld(t *testing.T, o options) *world {
	t.Helper()
	w := &world{t: t, database: o.database, masterKey: base64.StdEncoding.EncodeToString(randomBytes(32)),
		apiKey: "e2e-" + hex.EncodeToString(randomBytes(20))}
	if w.database == "" {
		w.database = newDatabase(t)
	}
	if w.through = w.database; o.through != nil {
		w.through = o.through(w.database)
	}
	simPort := freePort(t)
	w.simURL = local(simPort)
	w.sim = startProcess(t, "wecomsim", nil, "wecomsim", append([]string{"serve", "--listen", fmt.Sprintf("127.0.0.1:%d", simPort)}, o.sim...)...)
	if out, code := runCommand(t, w.environ(0, 0), "suitesign", "migrate", "up"); code != 0 {
		t.Fatalf("migrate up ended %d:\n%s", code, out)
	}
	for range max(1, o.replicas) {
		w.addReplica(o.environ...)
	}
	eventually(t, 20*time.Second, func() error { return w.try(http.MethodGet, w.simURL+"/sim/calls", nil, nil, nil) })
	for _, r := range w.replicas {
		w.waitReady(r)
	}
	return w
}

func (w *world) environ(public, admin int) []string {
	return []string{
		"SUITESIGN_DATABASE_URL=" + w.through,
		"SUITESIGN_MASTER_KEY=" + w.masterKey,
		"SUITESIGN_BOOTSTRAP_API_KEY=" + w.apiKey,
		"SUITESIGN_WECOM_BASE_URL=" + w.simURL,
		"SUITESIGN_WECOM_INSTALL_URL=" + w.simURL + "/3rdapp/install",
		fmt.Sprintf("SUITESIGN_PUBLIC_ADDR=127.0.0.1:%d", public),
		fmt.Sprintf("SUITESIGN_ADMIN_ADDR=127.0.0.1:%d", admin),
		fmt.Sprintf("SUITESIGN_PUBLIC_URL=http://127.0.0.1:%d", public),
		"SUITESIGN_DRAIN_ACCEPT=300ms",
	}
}

// addReplica starts one more replica on the same database.
func (w *world) addReplica(environ ...string) *replica {
	w.t.Helper()
	public, admin := freePort(w.t), freePort(w.t)
	r := &replica{public: local(public), admin: local(admin), environ: append(w.environ(public, admin), environ...)}
	r.process = startProcess(w.t, fmt.Sprintf("suitesign %d", len(w.replicas)), r.environ, "suitesign", "serve")
	contractKeeper.watch(r.admin)
	w.replicas = append(w.replicas, r)
	return r
}

// restart ends a replica as a crash would and starts it again at the same addresses.
func (w *world) restart(r *replica) {
	w.t.Helper()
	r.kill()
	r.process = startProcess(w.t, r.name+" again", r.environ, "suitesign", "serve")
	w.waitReady(r)
}

func (w *world) waitReady(r *replica) {
	w.t.Helper()
	eventually(w.t, 30*time.Second, func() error {
		select {
		case <-r.ended:
			w.t.Fatalf("%s ended: %v", r.name, r.err)
		default:
		}
		return w.try(http.MethodGet, r.admin+"/readyz", nil, nil, nil)
	})
}

// answer is what a call was answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// code is a problem's code.
func (a answer) code() string {
	var p struct{ Code string }
	_ = json.Unmarshal(a.body, &p)
	return p.Code
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// client follows no redirect: where one leads is part of the answer.
var client = &http.Client{Transport: contractKeeper, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func call(t *testing.T, method, url string, header map[string]string, in any) answer {
	t.Helper()
	a, err := ask(method, url, header, in)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return a
}

func ask(method, url string, header map[string]string, in any) (answer, error) {
	return askWith(client, method, url, header, in)
}

func askWith(client *http.Client, method, url string, header map[string]string, in any) (answer, error) {
	var body io.Reader
	switch v := in.(type) {
	case nil:
	case string:
		body = strings.NewReader(v)
	default:
		data, err := json.Marshal(in)
		if err != nil {
			return answer{}, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, url, body)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range header {
		if k == "Host" {
			req.Host = v
		}
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, data}, err
}

// try calls and reads a 2xx answer; anything else is an error.
func (w *world) try(method, url string, header map[string]string, in, out any) error {
	a, err := ask(method, url, header, in)
	if err != nil {
		return err
	}
	if a.status/100 != 2 {
		return fmt.Errorf("%s %s: %s", method, url, a)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(a.body, out)
}

// simulate calls one of the simulator's controls.
func (w *world) simulate(path string, in, out any) {
	w.t.Helper()
	if err := w.try(http.MethodPost, w.simURL+"/sim/"+path, nil, in, out); err != nil {
		w.t.Fatal(err)
	}
}

// api calls the admin API of the first replica and expects a status.
func (w *world) api(method, path string, want int, in, out any) answer {
	w.t.Helper()
	a := call(w.t, method, w.replicas[0].admin+path, map[string]string{"Authorization": "Bearer " + w.apiKey, "Accept-Language": "en"}, in)
	if a.status != want {
		w.t.Fatalf("%s %s = %s, want %d", method, path, a, want)
	}
	if out != nil {
		if err := json.Unmarshal(a.body, out); err != nil {
			w.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
		}
	}
	return a
}

// testSuite is a suite that both sides know.
type testSuite struct {
	ID, Kind, Secret, Token, AESKey string
}

// suite configures a suite on both sides, has a suite_ticket pushed, and trusts domains for all of its tenants.
func (w *world) suite(id, kind string, domains ...string) testSuite {
	w.t.Helper()
	s := w.suiteWithoutTicket(id, kind, domains...)
	w.pushSuiteTicket(id)
	return s
}

// suiteWithoutTicket is suite before the first push.
func (w *world) suiteWithoutTicket(id, kind string, domains ...string) testSuite {
	w.t.Helper()
	s := testSuite{ID: id, Kind: kind, Secret: hex.EncodeToString(randomBytes(20)), Token: hex.EncodeToString(randomBytes(12)),
		AESKey: hex.EncodeToString(randomBytes(22))[:43]}
	w.api(http.MethodPost, "/v1/suites", http.StatusCreated, map[string]any{"suite_id": id, "kind": kind, "name": "Suite " + id,
		"suite_secret": s.Secret, "callback_token": s.Token, "encoding_aes_key": s.AESKey}, nil)
	for _, d := range domains {
		w.api(http.MethodPut, "/v1/suites/"+id+"/domains/"+url.PathEscape(d), http.StatusOK, map[string]any{}, nil)
	}
	w.simulate("suites", map[string]any{"suite_id": id, "kind": kind, "secret": s.Secret, "token": s.Token, "encoding_aes_key": s.AESKey,
		"callback_url": w.replicas[0].public + "/callback/" + id}, nil)
	return s
}

func (w *world) pushSuiteTicket(id string) {
	w.t.Helper()
	eventually(w.t, 10*time.Second, func() error {
		return w.try(http.MethodPost, w.simURL+"/sim/push-suite-ticket", nil, map[string]any{"suite_id": id}, nil)
	})
}

// signed is the answer of /api/jssdk/signatures.
type signed struct {
	CorpID  string     `json:"corpId"`
	AgentID *int64     `json:"agentId"`
	SuiteID string     `json:"suiteId"`
	Config  signature  `json:"config"`
	Agent   *signature `json:"agent"`
}

type signature struct {
	Timestamp string `json:"timestamp"`
	NonceStr  string `json:"nonceStr"`
	Signature string `json:"signature"`
}

func (r *replica) signURL(endpoint, page, suite, corp string) string {
	q := url.Values{"url": {page}}
	if suite != "" {
		q.Set("suite_id", suite)
	}
	if corp != "" {
		q.Set("corp_id", corp)
	}
	return r.public + "/api/jssdk/" + endpoint + "?" + q.Encode()
}

// waitSigned waits until a replica signs a page for a tenant and has the simulator verify both signatures.
func (w *world) waitSigned(r *replica, page, suite, corp string, limit time.Duration) signed {
	w.t.Helper()
	var s signed
	eventually(w.t, limit, func() error { return w.try(http.MethodGet, r.signURL("signatures", page, suite, corp), nil, nil, &s) })
	w.verify("config", page, suite, s.CorpID, nil, s.Config)
	if s.Agent != nil {
		w.verify("agent_config", page, suite, s.CorpID, s.AgentID, *s.Agent)
	}
	return s
}

// verify holds a signature against the simulator's live ticket, the way the client does.
func (w *world) verify(kind, page, suite, corp string, agent *int64, s signature) {
	w.t.Helper()
	check := map[string]any{"kind": kind, "suite_id": suite, "corp_id": corp, "url": page, "timestamp": s.Timestamp,
		"nonceStr": s.NonceStr, "signature": s.Signature, "jsApiList": []string{"getContext"}}
	if agent != nil {
		check["agent_id"] = *agent
	}
	var verdict struct {
		OK     bool   `json:"ok"`
		Reason string `json:"reason"`
	}
	w.simulate("jsapi", check, &verdict)
	if !verdict.OK {
		w.t.Fatalf("the simulator's client refuses the %s signature of %s: %+v", kind, page, verdict)
	}
}

// calls counts the simulator's calls by API, of one corp and suite where named.
func (w *world) calls(api, suite, corp string) int {
	w.t.Helper()
	var c struct {
		Calls []struct {
			API     string `json:"api"`
			SuiteID string `json:"suite_id"`
			CorpID  string `json:"corp_id"`
			Count   int    `json:"count"`
		} `json:"calls"`
	}
	if err := w.try(http.MethodGet, w.simURL+"/sim/calls", nil, nil, &c); err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, e := range c.Calls {
		if strings.TrimPrefix(strings.TrimPrefix(e.API, "/cgi-bin/"), "service/") == api && (suite == "" || e.SuiteID == suite) && (corp == "" || e.CorpID == corp) {
			n += e.Count
		}
	}
	return n
}

// tenant finds the one tenant of a suite and corp.
func (w *world) tenant(suite, corp string) (t struct {
	ID     string           `json:"id"`
	Status string           `json:"status"`
	Health string           `json:"health"`
	Agents []map[string]any `json:"agents"`
}) {
	w.t.Helper()
	var list struct{ Items []json.RawMessage }
	w.api(http.MethodGet, "/v1/tenants?"+url.Values{"suite_id": {suite}, "corp_id": {corp}}.Encode(), http.StatusOK, nil, &list)
	if len(list.Items) != 1 {
		w.t.Fatalf("%d tenants of %s/%s, want one", len(list.Items), suite, corp)
	}
	if err := json.Unmarshal(list.Items[0], &t); err != nil {
		w.t.Fatal(err)
	}
	return t
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
