package e2e

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// What the tests of the contract share. They hold the built binary to what is
// promised to the outside, so nothing here is the product's own code: envelopes
// are sealed and signatures are computed anew.

// anonymous asks a public endpoint, in English unless the header says otherwise.
func anonymous(t *testing.T, method, target string, header map[string]string) answer {
	t.Helper()
	all := map[string]string{"Accept-Language": "en"}
	for k, v := range header {
		all[k] = v
	}
	return call(t, method, target, all, nil)
}

// problem is RFC 9457 as the contract promises it.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id"`
}

// wantProblem holds an answer to a status and code and to what every problem has.
func wantProblem(t *testing.T, what string, a answer, status int, code string) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Errorf("%s: %s is no JSON: %v", what, a, err)
		return p
	}
	if a.status != status || p.Code != code {
		t.Errorf("%s = %s, want %d %s", what, a, status, code)
		return p
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s: Content-Type %q", what, got)
	}
	if p.Status != a.status || p.Detail == "" || p.Title == "" || p.Type == "" || p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("%s: %s is not whole (X-Request-Id %q)", what, a, a.header.Get("X-Request-Id"))
	}
	if (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && a.header.Get("Retry-After") == "" {
		t.Errorf("%s: %d without Retry-After", what, status)
	}
	return p
}

// tickets are the simulator's tickets of a tenant that live now: jsapi_ticket and agent_config.
func (w *world) tickets(suite, corp string) (config, agent string) {
	w.t.Helper()
	type credential struct {
		Value string `json:"value"`
		Live  bool   `json:"live"`
	}
	var state struct {
		Suites []struct {
			Corps []struct {
				JSAPI []credential `json:"jsapi_tickets"`
				Agent []credential `json:"agent_tickets"`
			} `json:"corps"`
		} `json:"suites"`
	}
	if err := w.try(http.MethodGet, w.simURL+"/sim/state?"+url.Values{"suite_id": {suite}, "corp_id": {corp}}.Encode(), nil, nil, &state); err != nil {
		w.t.Fatal(err)
	}
	last := func(list []credential) string {
		for _, c := range slices.Backward(list) {
			if c.Live {
				return c.Value
			}
		}
		return ""
	}
	for _, s := range state.Suites {
		for _, c := range s.Corps {
			return last(c.JSAPI), last(c.Agent)
		}
	}
	w.t.Fatalf("the simulator knows no %s/%s", suite, corp)
	return "", ""
}

// wantSignature holds a signature to the four fields, byte for byte.
func wantSignature(t *testing.T, what, ticket, page string, s signature) {
	t.Helper()
	sum := sha1.Sum([]byte("jsapi_ticket=" + ticket + "&noncestr=" + s.NonceStr + "&timestamp=" + s.Timestamp + "&url=" + page))
	if want := hex.EncodeToString(sum[:]); ticket == "" || s.Signature != want {
		t.Errorf("%s: signature = %q, want %q: not over these bytes of the URL", what, s.Signature, want)
	}
}

// envelope seals what the platform would, and what it never would.
type envelope struct {
	token string
	key   []byte
}

func (s testSuite) envelope() envelope {
	key, err := base64.StdEncoding.DecodeString(s.AESKey + "=")
	if err != nil {
		panic(err) // the harness made it
	}
	return envelope{s.Token, key}
}

// encrypt is random(16) | length | message | receiveid, padded to 32 bytes.
func (e envelope) encrypt(message, receiveID string) string {
	plain := binary.BigEndian.AppendUint32(randomBytes(16), uint32(len(message)))
	plain = append(append(plain, message...), receiveID...)
	pad := 32 - len(plain)%32
	return e.encryptRaw(append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...))
}

// encryptRaw encrypts whole blocks as they are.
func (e envelope) encryptRaw(plain []byte) string {
	block, err := aes.NewCipher(e.key)
	if err != nil {
		panic(err)
	}
	out := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, e.key[:16]).CryptBlocks(out, plain)
	return base64.StdEncoding.EncodeToString(out)
}

// query signs an encrypted text: msg_signature, timestamp and nonce.
func (e envelope) query(timestamp, nonce, encrypt string) url.Values {
	parts := []string{e.token, timestamp, nonce, encrypt}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return url.Values{"msg_signature": {hex.EncodeToString(sum[:])}, "timestamp": {timestamp}, "nonce": {nonce}}
}

func body(encrypt string) string {
	return "<xml><ToUserName><![CDATA[to]]></ToUserName><AgentID><![CDATA[]]></AgentID><Encrypt><![CDATA[" + encrypt + "]]></Encrypt></xml>"
}

func now() string { return fmt.Sprint(time.Now().Unix()) }

// callbackURL is where a push or a verification with this query goes.
func (r *replica) callbackURL(suite, door string, query url.Values) string {
	return r.public + "/callback/" + suite + "/" + door + "?" + query.Encode()
}

// push seals a message as the platform does, in an envelope of its own each time, and posts it.
func (s testSuite) push(r *replica, door, receiveID, message string) (answer, error) {
	e := s.envelope()
	encrypt := e.encrypt(message, receiveID)
	return ask(http.MethodPost, r.callbackURL(s.ID, door, e.query(now(), hex.EncodeToString(randomBytes(8)), encrypt)),
		map[string]string{"Content-Type": "text/xml"}, body(encrypt))
}

// mustPush pushes by the command URL, sealed for the suite, and wants it acknowledged.
func (s testSuite) mustPush(t *testing.T, r *replica, message string) {
	t.Helper()
	s.mustPushTo(t, r, "command", s.ID, message)
}

// mustPushTo delivers again what could not be stored in time, as the platform does.
func (s testSuite) mustPushTo(t *testing.T, r *replica, door, receiveID, message string) {
	t.Helper()
	for try := 1; ; try++ {
		a, err := s.push(r, door, receiveID, message)
		if err != nil {
			t.Error(err)
			return
		}
		if try < 4 && a.status == http.StatusInternalServerError && a.code() == "callback_not_stored" {
			continue
		}
		wantSuccess(t, "push of "+message, a)
		return
	}
}

// wantSuccess holds an answer to the seven bytes.
func wantSuccess(t *testing.T, what string, a answer) {
	t.Helper()
	if a.status != http.StatusOK || string(a.body) != "success" {
		t.Errorf("%s = %d %q, want 200 and exactly success", what, a.status, a.body)
	}
}

// event is a message in the suite's shape. Further elements are name, text, name, text …
func (s testSuite) event(infoType string, at time.Time, more ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<xml><SuiteId><![CDATA[%s]]></SuiteId><InfoType><![CDATA[%s]]></InfoType><TimeStamp>%d</TimeStamp>", s.ID, infoType, at.Unix())
	for i := 0; i+1 < len(more); i += 2 {
		fmt.Fprintf(&b, "<%s><![CDATA[%s]]></%[1]s>", more[i], more[i+1])
	}
	return b.String() + "</xml>"
}

// storedEvent is one of /v1/events.
type storedEvent struct {
	ID         string  `json:"id"`
	Door       string  `json:"door"`
	InfoType   string  `json:"info_type"`
	CorpID     *string `json:"corp_id"`
	State      string  `json:"state"`
	Deliveries int     `json:"deliveries"`
	Error      *string `json:"error"`
}

// events are the stored callbacks of a suite with an InfoType.
func (w *world) events(suite, infoType string) []storedEvent {
	w.t.Helper()
	var list struct{ Items []storedEvent }
	w.api(http.MethodGet, "/v1/events?"+url.Values{"suite_id": {suite}, "info_type": {infoType}, "limit": {"200"}}.Encode(), http.StatusOK, nil, &list)
	return list.Items
}

// install has a corp install by the market and waits until it signs a page, if one is given.
func (w *world) install(suite, corp, page string, more ...any) {
	w.t.Helper()
	in := map[string]any{"suite_id": suite, "corp_id": corp, "door": "market"}
	for i := 0; i+1 < len(more); i += 2 {
		in[more[i].(string)] = more[i+1]
	}
	w.simulate("install", in, nil)
	if page != "" {
		w.waitSigned(w.replicas[0], page, suite, corp, 10*time.Second)
	}
}

// trust makes a tenant trust a domain.
func (w *world) trust(tenant, domain string, options map[string]any) {
	w.t.Helper()
	if options == nil {
		options = map[string]any{}
	}
	w.api(http.MethodPut, "/v1/tenants/"+tenant+"/domains/"+url.PathEscape(domain), http.StatusOK, options, nil)
}

// scalar reads one value from a database.
func scalar[T any](t *testing.T, database, sql string, args ...any) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatalf("connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	var v T
	if err := conn.QueryRow(ctx, sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// metric adds up the samples of a metric of a replica whose labels contain all of some texts.
func (w *world) metric(r *replica, name string, labels ...string) float64 {
	w.t.Helper()
	a := call(w.t, http.MethodGet, r.admin+"/metrics", nil, nil)
	sum := 0.0
lines:
	for line := range strings.SplitSeq(string(a.body), "\n") {
		if !strings.HasPrefix(line, name+"{") {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(line, l) {
				continue lines
			}
		}
		var v float64
		if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &v); err == nil {
			sum += v
		}
	}
	return sum
}
