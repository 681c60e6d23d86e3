package demo_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"suitesign/web/demo"
	"suitesign/web/jssdk"
)

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestHandler(t *testing.T) {
	h, err := demo.Handler(demo.Options{SuiteID: "wwsuite", CorpID: "wwcorp", AgentID: 1000002, SimURL: "http://127.0.0.1:8090"})
	if err != nil {
		t.Fatal(err)
	}
	page := get(t, h, "/demo/")
	if page.Code != 200 || !strings.Contains(page.Body.String(), `src="demo.js"`) {
		t.Errorf("page = %d, without its script", page.Code)
	}
	for _, bad := range []string{"<script>", "onclick=", "style="} {
		if strings.Contains(page.Body.String(), bad) {
			t.Errorf("page holds %q, which its own policy forbids", bad)
		}
	}
	if csp := page.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self' http://127.0.0.1:8090;") {
		t.Errorf("policy = %q, want the simulator allowed and nothing else", csp)
	}
	for _, path := range []string{"/demo/demo.js", "/demo/page.js", "/demo/cards.js", "/demo/texts.js", "/demo/demo.css"} {
		if w := get(t, h, path); w.Code != 200 {
			t.Errorf("%s = %d", path, w.Code)
		}
	}
	if w := get(t, h, "/demo/nothing"); w.Code != 404 {
		t.Errorf("/demo/nothing = %d, want 404", w.Code)
	}
	var config struct {
		SuiteID string `json:"suite_id"`
		CorpID  string `json:"corp_id"`
		AgentID int64  `json:"agent_id"`
		Bridge  string `json:"bridge_url"`
		SDKURL  string `json:"sdk_url"`
	}
	if err := json.Unmarshal(get(t, h, "/demo/config.json").Body.Bytes(), &config); err != nil {
		t.Fatal(err)
	}
	if config.SuiteID != "wwsuite" || config.CorpID != "wwcorp" || config.AgentID != 1000002 ||
		config.Bridge != "http://127.0.0.1:8090/sim/bridge.js" || config.SDKURL != jssdk.Path {
		t.Errorf("config = %+v", config)
	}
}

func TestHandlerRefusesASimulatorThatIsNoURL(t *testing.T) {
	if _, err := demo.Handler(demo.Options{SimURL: "sim'; script-src *"}); err == nil {
		t.Error("no error: the value would have become part of the page's policy")
	}
}
