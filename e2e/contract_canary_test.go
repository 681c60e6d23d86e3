package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// No secret stands in a log (at debug), a metric, an error, a listing, a command's
// output or, unsealed, in the database, after every error path that can be driven
// from outside was driven.
func TestContractNoSecretIsTold(t *testing.T) {
	t.Parallel()
	const databasePassword = "canary-of-the-database-password"
	proxy := newDBProxy(t)
	w := newWorld(t, options{replicas: 2, environ: []string{"SUITESIGN_LOG_LEVEL=debug"}, through: func(database string) string {
		u, err := url.Parse(proxy.through(database))
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(u.User.Username(), databasePassword) // the server trusts anybody
		return u.String()
	}})
	c := &canaries{world: w, names: map[string]string{}}
	c.add("the database password", databasePassword)
	c.add("the master key", w.masterKey)
	c.add("the bootstrap key", w.apiKey)

	c.wrongAnswersOfWeCom()
	c.forgedCallbacks()
	c.badAdminRequests()
	c.badPages()
	key := c.apiKey()
	c.databaseTrouble(proxy)
	c.commands()

	c.ofTheSimulator()
	c.look(key)
}

// canaries are secrets, and what was said that could hold one.
type canaries struct {
	*world
	mu    sync.Mutex
	names map[string]string // value -> what it is
	said  []string
}

func (c *canaries) add(name, value string) string {
	if len(value) < 12 {
		c.t.Fatalf("%s is too short to be found again: %q", name, value)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names[value] = name
	return value
}

// make makes a canary.
func (c *canaries) make(name string) string {
	return c.add(name, "canary"+hex.EncodeToString(randomBytes(13)))
}

// hear keeps what was answered.
func (c *canaries) hear(method, target string, header map[string]string, in any) answer {
	c.t.Helper()
	a := call(c.t, method, target, header, in)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, fmt.Sprintf("%s: %s %v", method, a, a.header))
	return a
}

func (c *canaries) admin(method, path string, in any, more ...string) answer {
	c.t.Helper()
	header := map[string]string{"Authorization": "Bearer " + c.apiKeyOf()}
	for i := 0; i+1 < len(more); i += 2 {
		header[more[i]] = more[i+1]
	}
	return c.hear(method, c.replicas[0].admin+path, header, in)
}

func (c *canaries) apiKeyOf() string { return c.world.apiKey }

// wrongAnswersOfWeCom has every API answer in every wrong way that the simulator
// knows, with values that are secret in what cannot be read.
func (c *canaries) wrongAnswersOfWeCom() {
	leak := c.make("a token in an answer that cannot be read")
	kinds := map[string]any{"status": 500, "html": 200, "empty": nil, "redirect": c.simURL + "/elsewhere?access_token=" + leak, "drop": nil, "drop_after": nil,
		"malformed": `{"errcode":0,"access_token":"` + leak + `","ticket":"` + leak, "truncated": 60, "big": 2 << 20, "expires_in": -1, "duplicate_keys": nil, "strings": nil, "null": nil,
		"errcode 40001": 40001, "errcode 42001": 42001, "errcode 45009": 45009, "errcode 60020": 60020, "errcode -1": -1, "errcode 40082": 40082, "errcode 40078": 40078, "errcode 99999": 99999}
	corpAPIs := []string{"v2/get_permanent_code", "v2/get_auth_info", "get_corp_token", "get_jsapi_ticket", "ticket/get"}
	n := 0
	for kind, value := range kinds {
		n++
		name, _, _ := strings.Cut(kind, " ")
		// One suite for its own token, and one for what its corps are asked for: a breaker of the first would spare the others.
		own, corps := fmt.Sprintf("ww-own%d", n), fmt.Sprintf("ww-corps%d", n)
		for _, id := range []string{own, corps} {
			s := c.suite(id, "third_party", "corp.example.com")
			c.add("a suite_secret", s.Secret)
			c.add("a callback token", s.Token)
			c.add("an EncodingAESKey", s.AESKey)
		}
		c.simulate("faults", object{"api": "get_suite_token", "suite_id": own, "kind": name, "value": value}, nil)
		c.simulate("install", object{"suite_id": own, "corp_id": "wwown", "door": "market"}, nil)
		for i, api := range corpAPIs {
			corp := fmt.Sprintf("wwcorp%d", i)
			// The first exchange is of a corp that the code has not told yet.
			fault := object{"api": api, "suite_id": corps, "kind": name, "value": value}
			if i > 0 {
				fault["corp_id"] = corp
			}
			c.simulate("faults", fault, nil)
			c.simulate("install", object{"suite_id": corps, "corp_id": corp, "door": "market"}, nil)
		}
	}
	eventually(c.t, 60*time.Second, func() error {
		var left struct{ Faults []object }
		if err := c.try(http.MethodGet, c.simURL+"/sim/faults", nil, nil, &left); err != nil {
			return err
		}
		// Where a breaker opened there is no further call, and its fault stays.
		if most := len(kinds) * (len(corpAPIs) + 1) / 3; len(left.Faults) > most {
			return fmt.Errorf("%d faults were not met yet, at most %d may stay", len(left.Faults), most)
		}
		return nil
	})
	for _, r := range c.replicas {
		for i := range corpAPIs {
			c.hear(http.MethodGet, r.signURL("signatures", pageURL, "ww-corps1", fmt.Sprintf("wwcorp%d", i)), nil, nil)
		}
	}
}

// forgedCallbacks sends what is sealed wrongly, with secrets inside.
func (c *canaries) forgedCallbacks() {
	c.t.Helper()
	s := c.suite("ww-forged", "third_party", "corp.example.com")
	c.add("a callback token", s.Token)
	c.add("an EncodingAESKey", s.AESKey)
	r := c.replicas[0]
	post := func(query url.Values, text string) {
		c.hear(http.MethodPost, r.callbackURL(s.ID, "command", query), map[string]string{"Content-Type": "text/xml"}, text)
	}
	e := s.envelope()
	for _, message := range []string{
		s.event("suite_ticket", time.Now(), "SuiteTicket", c.make("a suite_ticket")), // good
		strings.Replace(s.event("suite_ticket", time.Now(), "SuiteTicket", c.make("a suite_ticket of another suite")), s.ID, "ww-other", 1),
		s.event("create_auth", time.Now(), "AuthCode", c.make("an auth_code that nobody gave")),
		s.event("reset_permanent_code", time.Now(), "AuthCode", c.make("an auth_code for a reset")),
		s.event("unheard_of", time.Now(), "Secret", c.make("a secret of an unknown event")),
		"<xml><SuiteTicket>" + c.make("a suite_ticket in broken XML"), "no XML: " + c.make("a text"), `{"SuiteTicket":"` + c.make("a suite_ticket in JSON") + `"}`,
	} {
		sealed := e.encrypt(message, s.ID)
		post(e.query(now(), "nonce1", sealed), body(sealed))
		post(e.query(now(), "nonce2", sealed+"x"), body(sealed)) // another signature
		other := envelope{s.Token, randomBytes(32)}
		unreadable := other.encrypt(message, s.ID)
		post(other.query(now(), "nonce3", unreadable), body(unreadable)) // another key
		post(e.query(now(), "nonce4", sealed), message)                  // not sealed at all
		c.hear(http.MethodGet, r.callbackURL(s.ID, "command", e.query(now(), "nonce5", sealed))+"&echostr="+url.QueryEscape(unreadable), nil, nil)
	}
}

// badAdminRequests sends secrets where they do not belong.
func (c *canaries) badAdminRequests() {
	c.t.Helper()
	suite := func() object {
		return object{"suite_id": "ww-bad", "kind": "third_party", "name": "x", "suite_secret": c.make("a suite_secret"), "callback_token": c.make("a callback token"),
			"encoding_aes_key": c.add("an EncodingAESKey", hex.EncodeToString(randomBytes(22))[:43])}
	}
	c.admin(http.MethodPost, "/v1/suites", suite())
	c.admin(http.MethodPost, "/v1/suites", suite()) // 409
	for _, in := range []any{
		with(suite(), "suite_secret", []string{c.make("a suite_secret in a list")}), with(suite(), "encoding_aes_key", c.make("a key that is none")),
		with(suite(), "suite_id", c.make("a secret for an id")+" "), with(suite(), c.make("a secret for a name")+" with a space", 1), with(suite(), "kind", c.make("a secret for a kind")),
		with(suite(), "suite_secret", c.make("a secret with a space")+" x"), `{"suite_secret":"` + c.make("a secret in broken JSON"), `"` + c.make("a secret alone") + `"`,
		`{"suite_secret":"` + c.make("a secret twice") + `","suite_secret":"` + c.make("a secret again") + `"}`,
		`{"suite_secret":"` + c.make("a secret in a large body") + strings.Repeat("x", 70<<10) + `"}`,
	} {
		c.admin(http.MethodPost, "/v1/suites", in)
		c.admin(http.MethodPatch, "/v1/suites/ww-bad", in)
	}
	c.admin(http.MethodPost, "/v1/suites", "suite_secret="+c.make("a secret in a form"), "Content-Type", "application/x-www-form-urlencoded")
	c.admin(http.MethodGet, "/v1/suites?"+c.make("a secret for a parameter")+"%20x=1", nil)
	c.admin(http.MethodGet, "/v1/suites?limit="+c.make("a secret for a value"), nil)
	c.admin(http.MethodGet, "/v1/tenants/"+c.make("a secret in a path"), nil)
	c.admin(http.MethodGet, "/"+c.make("a secret for a path"), nil)
	c.admin(http.MethodGet, "/v1/suites", nil, "Authorization", "Bearer "+c.make("a key that is none"))
	c.admin(http.MethodGet, "/v1/suites", nil, "Authorization", "Basic "+c.make("a password"))
	c.admin(http.MethodGet, "/v1/suites", nil, "X-Request-Id", c.make("a secret for a request id"))
	c.admin(http.MethodPatch, "/v1/suites/ww-bad", object{"name": "x"}, "If-Match", c.make("a secret for a version"))

	c.admin(http.MethodPost, "/v1/suites", object{"suite_id": "in-bad", "kind": "internal", "name": "x", "suite_secret": c.make("a secret of an internal suite")})
	c.admin(http.MethodPost, "/v1/suites", object{"suite_id": "in-bad", "kind": "internal", "name": "x"})
	tenant := object{"suite_id": "in-bad", "corp_id": "wwbad", "agent_id": 1000002, "secret": c.make("a wrong secret of an app")}
	c.simulate("corps", object{"corp_id": "wwbad", "apps": []any{object{"agent_id": 1000002, "secret": c.make("the secret of an app")}}}, nil)
	a := c.admin(http.MethodPost, "/v1/tenants", tenant)
	c.admin(http.MethodPost, "/v1/tenants", with(tenant, "secret", c.make("a secret of a tenant that is there")))
	c.admin(http.MethodPost, "/v1/tenants", with(tenant, "agent_id", c.make("a secret for an agent")))
	eventually(c.t, 20*time.Second, func() error {
		if got := c.admin(http.MethodGet, a.header.Get("Location"), nil); !strings.Contains(string(got.body), "40001") {
			return fmt.Errorf("the wrong secret is not told: %s", got)
		}
		return nil
	})
	c.admin(http.MethodPost, a.header.Get("Location")+"/credentials/refresh", nil)
	c.admin(http.MethodPatch, a.header.Get("Location"), object{"secret": c.make("another wrong secret of an app")})
}

// badPages asks for what is refused, and comes back from installations that nobody began.
func (c *canaries) badPages() {
	c.t.Helper()
	for _, r := range c.replicas {
		token := c.make("a token in a page's URL")
		for _, page := range []string{"https://evil.example.org/?access_token=" + token, "https://h5.corp.example.com/?code=" + token, "https://user:" + token + "@h5.corp.example.com/", "nonsense " + token} {
			c.hear(http.MethodGet, r.signURL("signatures", page, "ww-forged", "wwnobody"), map[string]string{"Origin": "https://evil.example.org"}, nil)
			c.hear(http.MethodGet, r.signURL("signatures", page, "", ""), map[string]string{"Referer": page}, nil)
		}
		c.hear(http.MethodGet, r.public+"/api/jssdk/signatures?url=https://h5.corp.example.com/&code="+token, nil, nil)
		c.hear(http.MethodGet, r.public+"/install/ww-forged/redirect?auth_code="+c.make("an auth_code")+"&expires_in=600&state="+c.make("a state"), map[string]string{"Cookie": "suitesign_install=" + c.make("a cookie")}, nil)
		c.hear(http.MethodGet, r.public+"/"+c.make("a secret for a path"), nil, nil)
	}
	c.pushSuiteTicket("ww-forged") // WeCom knows nothing of the one that was made up
	browser := newBrowser(c.t)
	install := c.replicas[0].public + "/install/ww-forged"
	c.simulate("corps", object{"corp_id": "wwinstalls"}, nil)
	back := browser.redirect(browser.submit(install)+"&auto=wwinstalls", install)
	u, err := url.Parse(back)
	if err != nil {
		c.t.Fatal(err)
	}
	c.add("an auth_code of our page", u.Query().Get("auth_code"))
	c.add("a state of our page", u.Query().Get("state"))
	browser.redirect(back, "")
	browser.status(back)
}

// apiKey makes a key; its value is in that one answer.
func (c *canaries) apiKey() string {
	c.t.Helper()
	var made struct{ Key string }
	c.api(http.MethodPost, "/v1/api-keys", http.StatusCreated, object{"name": "canary"}, &made)
	c.add("an API key", made.Key)
	c.admin(http.MethodGet, "/v1/suites", nil, "Authorization", "Bearer "+made.Key)
	c.admin(http.MethodGet, "/v1/suites", nil, "Authorization", "Bearer "+made.Key+"x")
	return made.Key
}

// databaseTrouble: statements that fail, connections that are cut, a database that is away.
func (c *canaries) databaseTrouble(proxy *dbProxy) {
	c.t.Helper()
	s := testSuite{ID: "ww-trouble", Secret: c.make("a suite_secret"), Token: c.make("a callback token"), AESKey: c.add("an EncodingAESKey", hex.EncodeToString(randomBytes(22))[:43])}
	in := object{"suite_id": s.ID, "kind": "third_party", "name": "x", "suite_secret": s.Secret, "callback_token": s.Token, "encoding_aes_key": s.AESKey}
	attempt := func() {
		c.admin(http.MethodPost, "/v1/suites", in)
		c.admin(http.MethodPost, "/v1/tenants", object{"suite_id": "in-bad", "corp_id": "wwtrouble", "agent_id": 1, "secret": c.make("a secret of an app")})
		forged := testSuite{ID: "ww-forged"}
		c.hear(http.MethodPost, c.replicas[0].callbackURL(forged.ID, "command", url.Values{"msg_signature": {"x"}, "timestamp": {now()}, "nonce": {"n"}}), nil, body("AAAA"))
		c.hear(http.MethodGet, c.replicas[0].signURL("signatures", pageURL, "ww-corps2", "wwcorp1"), nil, nil)
	}
	// A fault of PostgreSQL that tells the whole row.
	execute(c.t, c.database, `CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trouble with %', NEW USING DETAIL = NEW::text; END $$;
		CREATE TRIGGER trouble BEFORE INSERT OR UPDATE ON suites FOR EACH ROW EXECUTE FUNCTION trouble();
		CREATE TRIGGER trouble BEFORE INSERT OR UPDATE ON callback_events FOR EACH ROW EXECUTE FUNCTION trouble();
		CREATE TRIGGER trouble BEFORE INSERT OR UPDATE ON credentials FOR EACH ROW EXECUTE FUNCTION trouble();
		CREATE TRIGGER trouble BEFORE INSERT OR UPDATE ON exchanges FOR EACH ROW EXECUTE FUNCTION trouble();
		CREATE TRIGGER trouble BEFORE INSERT OR UPDATE ON authorizations FOR EACH ROW EXECUTE FUNCTION trouble()`)
	attempt()
	_ = c.try(http.MethodPost, c.simURL+"/sim/install", nil, object{"suite_id": "ww-forged", "corp_id": "wwtroubled", "door": "market", "async": true}, nil)
	eventually(c.t, 10*time.Second, func() error {
		if !strings.Contains(c.replicas[0].output(), "callback_not_stored") {
			return fmt.Errorf("no callback met the trouble")
		}
		return nil
	})
	execute(c.t, c.database, `DROP FUNCTION trouble() CASCADE`)
	execute(c.t, c.database, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	attempt()
	proxy.set(refusing)
	attempt()
	for _, r := range c.replicas {
		eventually(c.t, 20*time.Second, func() error {
			if !strings.Contains(r.output(), "a job failed") {
				return fmt.Errorf("%s has not noticed that its database is away", r.name)
			}
			return nil
		})
	}
	proxy.set(passing)
	eventually(c.t, 20*time.Second, func() error {
		if a := c.admin(http.MethodGet, "/v1/suites", nil); a.status != http.StatusOK {
			return fmt.Errorf("%s", a)
		}
		return nil
	})
}

// commands runs what an operator runs, well and with faults.
func (c *canaries) commands() {
	c.t.Helper()
	good := c.environ(freePort(c.t), freePort(c.t))
	wrong := c.make("a password")
	for _, environ := range [][]string{good,
		append(good, "SUITESIGN_MASTER_KEY="+base64.StdEncoding.EncodeToString([]byte(c.make("another master key")))),
		append(good, "SUITESIGN_MASTER_KEY="+c.make("a master key that is none")),
		append(good, "SUITESIGN_DATABASE_URL=postgres://u:"+wrong+"@127.0.0.1:1/db"), append(good, "SUITESIGN_DATABASE_URL=postgres://u:"+wrong+"@h:port/db"),
		append(good, "SUITESIGN_DATABASE_URL=host=127.0.0.1 port=1 password="+wrong), append(good, "SUITESIGN_DATABASE_URL=password="+wrong+" =x"),
		append(good, "SUITESIGN_BOOTSTRAP_API_KEY="+c.add("a short bootstrap key", hex.EncodeToString(randomBytes(16))[:31])),
		append(good, "SUITESIGN_CONFIG="+textFile(c.t, "c.yaml", "master_key: ["+c.make("a master key in a list")+"]\n"+c.make("a secret for a key")+": 1\nhttp: "+c.make("a secret for a switch")+"\n")),
	} {
		for _, args := range []string{"config check", "config print", "migrate status", "keys status", "apikey list"} {
			out, _ := runCommand(c.t, environ, "suitesign", strings.Fields(args)...)
			c.said = append(c.said, args+": "+out)
		}
	}
}

// ofTheSimulator adds every credential that the platform handed out.
func (c *canaries) ofTheSimulator() {
	c.t.Helper()
	var state any
	if err := c.try(http.MethodGet, c.simURL+"/sim/state", nil, nil, &state); err != nil {
		c.t.Fatal(err)
	}
	before := len(c.names)
	var walk func(v any, path string)
	walk = func(v any, path string) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e, path)
			}
		case map[string]any:
			for key, e := range v {
				walk(e, path+"."+key)
			}
		case string:
			switch path[strings.LastIndex(path, ".")+1:] {
			case "value", "secret", "provider_secret", "auth_code", "pre_auth_code", "permanent_code":
				c.add("the simulator's "+path, v)
			}
		}
	}
	walk(state, "")
	if n := len(c.names) - before; n < 100 {
		c.t.Errorf("the simulator handed out only %d secrets, so this shows little", n)
	}
}

// look searches everything that was said, in every spelling.
func (c *canaries) look(key string) {
	c.t.Helper()
	for _, path := range []string{"/v1/suites?limit=200", "/v1/tenants?limit=200", "/v1/events?limit=200", "/v1/api-keys", "/v1/tenants/" + c.tenant("in-bad", "wwbad").ID + "/credentials"} {
		c.admin(http.MethodGet, path, nil)
	}
	places := map[string]string{}
	for i, r := range c.replicas {
		places[fmt.Sprintf("the metrics of replica %d", i)] = string(call(c.t, http.MethodGet, r.admin+"/metrics", nil, nil).body)
		places[fmt.Sprintf("readyz of replica %d", i)] = string(call(c.t, http.MethodGet, r.admin+"/readyz", nil, nil).body)
		places[fmt.Sprintf("the log of replica %d", i)] = r.output()
	}
	places["the answers and the commands' output"] = strings.Join(c.said, "\n")
	places["the database"] = dump(c.t, c.database)
	found := 0
	for secret, name := range c.names {
		spellings := map[string]bool{secret: true, url.QueryEscape(secret): true, base64.StdEncoding.EncodeToString([]byte(secret)): true, hex.EncodeToString([]byte(secret)): true}
		if quoted, err := json.Marshal(secret); err == nil {
			spellings[strings.Trim(string(quoted), `"`)] = true
		}
		for place, text := range places {
			for spelling := range spellings {
				if at := strings.Index(text, spelling); at >= 0 && found < 20 {
					found++
					c.t.Errorf("%s stands in %s: … %s …", name, place, text[max(0, at-300):min(len(text), at+len(spelling)+100)])
				}
			}
		}
	}
	// The search finds what is there.
	if !strings.Contains(places["the database"], "ww-forged") || !strings.Contains(places["the log of replica 0"], "request_id") || !strings.Contains(places["the database"], key[:18]) {
		c.t.Error("the places do not hold what they must, so nothing was shown")
	}
}

// dump is every row of every table as text; bytea shows as hex.
func dump(t *testing.T, database string) string {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public'`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 10 {
		t.Fatalf("the tables are %v, %v", tables, err)
	}
	var out strings.Builder
	for _, table := range tables {
		rows, err := conn.Query(ctx, `SELECT t::text FROM `+table+` t`)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\n%s\n", table, strings.Join(lines, "\n"))
	}
	return out.String()
}
