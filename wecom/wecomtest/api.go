package wecomtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"suitesign/wecom"
)

const maxBody = 1 << 20

// endpoint is one call of the platform.
type endpoint struct {
	api  string // as it is named in calls, faults and limits
	path string // below /cgi-bin/
	post bool   // parameters come as a JSON object
	run  func(*Server, *call) (reply, *refusal)
}

var endpoints = []endpoint{
	{"get_suite_token", "service/get_suite_token", true, (*Server).getSuiteToken},
	{"get_provider_token", "service/get_provider_token", true, (*Server).getProviderToken},
	{"get_pre_auth_code", "service/get_pre_auth_code", false, (*Server).getPreAuthCode},
	{"set_session_info", "service/set_session_info", true, (*Server).setSessionInfo},
	{"get_permanent_code", "service/get_permanent_code", true, (*Server).getPermanentCode},
	{"v2/get_permanent_code", "service/v2/get_permanent_code", true, (*Server).getPermanentCodeV2},
	{"get_auth_info", "service/get_auth_info", true, (*Server).getAuthInfo},
	{"v2/get_auth_info", "service/v2/get_auth_info", true, (*Server).getAuthInfoV2},
	{"get_corp_token", "service/get_corp_token", true, (*Server).getCorpToken},
	{"get_admin_list", "service/get_admin_list", true, (*Server).getAdminList},
	{"agent/get_admin_list", "agent/get_admin_list", true, (*Server).agentGetAdminList},
	{"agent/get_permissions", "agent/get_permissions", true, (*Server).agentGetPermissions},
	{"agent/list", "agent/list", false, (*Server).agentList},
	{"agent/get", "agent/get", false, (*Server).agentGet},
	{"gettoken", "gettoken", false, (*Server).getToken},
	{"getcallbackip", "getcallbackip", false, (*Server).getIPs},
	{"get_api_domain_ip", "get_api_domain_ip", false, (*Server).getIPs},
	{"corpid_to_opencorpid", "service/corpid_to_opencorpid", true, (*Server).toOpenCorpID},
	{"get_jsapi_ticket", "get_jsapi_ticket", false, (*Server).getJSAPITicket},
	{"ticket/get", "ticket/get", false, (*Server).getAgentTicket},
}

var endpointByPath = func() map[string]*endpoint {
	m := make(map[string]*endpoint, len(endpoints))
	for i := range endpoints {
		m["/cgi-bin/"+endpoints[i].path] = &endpoints[i]
	}
	return m
}()

// apiName is the name that an API is counted under, whatever way it is written:
// /cgi-bin/service/get_corp_token and get_corp_token are one.
func apiName(s string) string {
	s = strings.TrimPrefix(s, "/")
	s = strings.TrimPrefix(s, "cgi-bin/")
	return strings.TrimPrefix(s, "service/")
}

func knownAPI(name string) bool {
	for i := range endpoints {
		if endpoints[i].api == name {
			return true
		}
	}
	return false
}

// call is one call of an API.
type call struct {
	*endpoint
	query url.Values
	body  map[string]json.RawMessage
	bad   *refusal // the body could not be read
	empty bool     // there was no body at all
	ip    string
	at    time.Time

	// Who calls about whom, as far as the parameters tell; for counting only.
	suiteID wecom.SuiteID
	corp    *corp
	app     *app
}

// str is a text parameter of the body; absent, null or of another type it is empty.
func (c *call) str(name string) string {
	var s string
	if json.Unmarshal(c.body[name], &s) != nil {
		return ""
	}
	return s
}

// reply is the keys of a successful answer, in order.
type reply []field

type field struct {
	name  string
	value any
}

// ok is a reply that says so. Some replies have no errcode for historical reasons.
func ok(fields ...field) reply {
	return append(reply{{"errcode", 0}, {"errmsg", "ok"}}, fields...)
}

func (r reply) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(f.name)
		value, err := json.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	e := endpointByPath[r.URL.Path]
	if e == nil {
		notFound(w, r)
		return
	}
	c := readCall(e, r)
	s.mu.Lock()
	c.at = s.now()
	s.identify(c)
	entry := s.ledger.count(c)
	refused := s.limit(c)
	leave := s.enter(c, &refused)
	var f *activeFault
	if refused == nil {
		f = s.takeFault(c)
	}
	if f != nil { // counted before the client can notice
		entry.faulted(f)
	}
	s.mu.Unlock()
	defer leave()

	if f != nil && f.before(s, w, r) {
		return
	}
	s.mu.Lock()
	var out reply
	if refused == nil {
		out, refused = s.work(c)
	}
	entry.done(refused)
	s.mu.Unlock()
	s.logCall(r, c, refused)
	if refused != nil {
		out = reply{{"errcode", refused.code}, {"errmsg", refused.errmsg(c.at, c.ip)}}
	}
	if f != nil {
		f.write(s, w, r, out)
		return
	}
	write(w, out)
}

func (s *Server) logCall(r *http.Request, c *call, refused *refusal) {
	level, code := slog.LevelDebug, 0
	if refused != nil {
		level, code = slog.LevelInfo, refused.code
	}
	attrs := []slog.Attr{slog.String("api", c.api), slog.String("suite_id", string(c.suiteID)), slog.Int("errcode", code)}
	if c.corp != nil {
		attrs = append(attrs, slog.String("corp_id", string(c.corp.CorpID)))
	}
	s.cfg.Log.LogAttrs(r.Context(), level, "call", attrs...)
}

// work does what the call asks for.
func (s *Server) work(c *call) (reply, *refusal) {
	if c.bad != nil {
		return nil, c.bad
	}
	out, refused := c.run(s, c)
	if refused != nil {
		s.countWrongSecret(c, refused)
	}
	return out, refused
}

func readCall(e *endpoint, r *http.Request) *call {
	c := &call{endpoint: e, query: r.URL.Query(), ip: clientIP(r)}
	if !e.post {
		return c
	}
	if r.Method != http.MethodPost { // a GET has no body, so every parameter is missing
		c.empty = true
		return c
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil || len(b) > maxBody:
		c.bad = refuse(47001)
	case len(bytes.TrimSpace(b)) == 0:
		c.empty = true
	default:
		if json.Unmarshal(b, &c.body) != nil || c.body == nil {
			c.bad = refuse(47001)
		}
	}
	return c
}

// identify finds out on whose behalf a call is made, however wrong it may be.
func (s *Server) identify(c *call) {
	for _, name := range []string{"suite_access_token", "access_token", "provider_access_token"} {
		if cred := s.creds[c.query.Get(name)]; cred != nil {
			if cred.suite != nil {
				c.suiteID = cred.suite.SuiteID
			}
			if cred.app != nil {
				c.app, c.corp, c.suiteID = cred.app, cred.app.corp, cred.app.suiteID()
			}
		}
	}
	if id := c.str("suite_id"); id != "" && s.suites[wecom.SuiteID(id)] != nil {
		c.suiteID = wecom.SuiteID(id)
	}
	if code := s.authCodes[c.str("auth_code")]; code != nil {
		c.corp = code.app.corp
	}
	for _, id := range []string{c.str("auth_corpid"), c.query.Get("corpid"), c.str("corpid")} {
		if co := s.corps[wecom.CorpID(id)]; co != nil {
			c.corp = co
		}
	}
	if a := s.secrets[c.query.Get("corpsecret")]; a != nil && a.corp == c.corp {
		c.app, c.suiteID = a, a.suiteID()
	}
	if c.app == nil && c.corp != nil {
		if su := s.suites[c.suiteID]; su != nil {
			c.app = su.apps[c.corp.CorpID]
		}
	}
}

func clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func write(w http.ResponseWriter, out reply) {
	b, err := json.Marshal(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeBytes(w, b)
}

func writeBytes(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(b) //nolint:gosec // JSON, and said to be; the client may have left
}

// cut ends a connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if errors.Is(err, http.ErrNotSupported) {
		panic(http.ErrAbortHandler) // HTTP/2: resets the stream
	}
	if err == nil {
		_ = conn.Close()
	}
}
