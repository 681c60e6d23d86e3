package suite_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/wecom/wecomtest"
)

// Until the code's ten minutes are over it is tried again, then given up clearly.
func TestFailuresOfTheExchange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		fault   wecomtest.Fault
		want    suite.ExchangeState // after the second attempt
		unknown bool                // after the first
		calls   int
		code    int
	}{
		{"done, the answer lost", wecomtest.Fault{Kind: wecomtest.DropAfter}, suite.ExchangeLost, true, 2, 40078},
		{"done, the answer no JSON", wecomtest.Fault{Kind: wecomtest.Malformed}, suite.ExchangeLost, true, 2, 40078},
		{"not done, the connection lost", wecomtest.Fault{Kind: wecomtest.Drop}, suite.ExchangeDone, true, 2, 0},
		{"a proxy's error", wecomtest.Fault{Kind: wecomtest.Status}, suite.ExchangeDone, true, 2, 0},
		{"busy", wecomtest.Fault{Kind: wecomtest.Errcode, Value: -1}, suite.ExchangeDone, false, 2, 0},
		{"too often", wecomtest.Fault{Kind: wecomtest.Errcode, Value: 45009}, suite.ExchangeDone, false, 2, 0},
		{"the suite token is stale", wecomtest.Fault{Kind: wecomtest.Errcode, Value: 42009}, suite.ExchangeDone, false, 2, 0},
		{"stale twice", wecomtest.Fault{Kind: wecomtest.Errcode, Value: 40082, Times: 2}, suite.ExchangeDone, false, 3, 0},
		{"no auth_code", wecomtest.Fault{Kind: wecomtest.Errcode, Value: 40058}, suite.ExchangeFailed, false, 1, 40058},
		{"spent", wecomtest.Fault{Kind: wecomtest.Errcode, Value: 40078}, suite.ExchangeLost, false, 1, 40078},
		{"no permission yet", wecomtest.Fault{Kind: wecomtest.Errcode, Value: 48002}, suite.ExchangeDone, false, 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := ready(t)
			tt.fault.API = apiPermanent
			h.sim.Fault(tt.fault)
			h.market(suiteID, acme)
			h.work()
			if x := h.exchanges()[0]; x.Unknown != tt.unknown {
				t.Errorf("after the first attempt: unknown = %v, want %v (%+v)", x.Unknown, tt.unknown, x)
			}
			h.due()
			h.work()
			x := h.exchanges()[0]
			if x.State != tt.want || or(x.LastErrcode, 0) != tt.code {
				t.Errorf("exchange = %s, errcode %d (%s); want %s, %d", x.State, or(x.LastErrcode, 0), x.LastError, tt.want, tt.code)
			}
			h.wantCalls(apiPermanent, tt.calls)
			wantEvent := suite.EventState("failed")
			if tt.want == suite.ExchangeDone {
				wantEvent = "done"
				h.wantAuthorized(suiteID, acme, 1)
			}
			if e := h.events(suite.EventFilter{InfoType: "create_auth"}); e[0].State != wantEvent {
				t.Errorf("event = %+v, want %s", e[0], wantEvent)
			}
			h.due()
			h.work()
			h.wantCalls(apiPermanent, tt.calls)
		})
	}
}

func TestGivesUpAfterTenMinutes(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.sim.Fault(wecomtest.Fault{API: apiPermanent, Kind: wecomtest.Status, Times: -1})
	h.market(suiteID, acme)
	h.work()
	h.exec(`UPDATE exchanges SET created_at = now() - interval '10 minutes 1 second'`)
	h.due()
	h.work()
	if x := h.exchanges()[0]; x.State != suite.ExchangeLost || x.LastError == "" || x.FinishedAt == nil {
		t.Errorf("exchange = %+v, want needs_reauthorization with a reason", x)
	}
	if n := value[int](h, `SELECT count(*) FROM exchanges WHERE code_sealed IS NOT NULL`); n != 0 {
		t.Error("the code was kept")
	}
	h.due()
	h.work()
	h.wantCalls(apiPermanent, 1)
}

// A permanent_code that is stored is activated however old its auth_code is.
func TestAStoredCodeIsNeverGivenUp(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.exec(`ALTER TABLE tenants ADD CONSTRAINT away CHECK (corp_id <> 'wwacme')`)
	h.market(suiteID, acme)
	h.work()
	if x := h.exchanges()[0]; x.State != suite.ExchangeExchanged || x.CorpID != acme {
		t.Fatalf("exchange = %+v, want exchanged", x)
	}
	h.exec(`ALTER TABLE tenants DROP CONSTRAINT away`)
	h.exec(`UPDATE exchanges SET created_at = now() - interval '2 days'`)
	h.due()
	h.work()
	h.wantAuthorized(suiteID, acme, 1)
	h.wantCalls(apiPermanent, 1)
}

func TestRunOfACodeThatIsNone(t *testing.T) {
	t.Parallel()
	h := ready(t)
	for _, code := range []string{"", "with space", "line\nbreak", string(make([]byte, 513))} {
		_, err := h.exchanger.Begin(t.Context(), suiteID, secret.New(code), suite.SiteDoor, time.Time{})
		wantErr(t, err, suite.ErrCode)
	}
	_, err := h.exchanger.Begin(t.Context(), "wwnobody", secret.New("code"), suite.SiteDoor, time.Time{})
	wantErr(t, err, suite.ErrNotFound)
	_, err = h.exchanger.Get(t.Context(), uuid.New())
	wantErr(t, err, suite.ErrNotFound)
	wantErr(t, h.exchanger.Run(t.Context(), uuid.New()), suite.ErrNotFound)

	x := h.begin(suiteID, secret.New("madeup"), suite.SiteDoor)
	if err := h.exchanger.Run(t.Context(), x.ID); err == nil {
		t.Error("Run of a made-up code = nil, want an error")
	}
	if err := h.exchanger.Run(t.Context(), x.ID); err == nil {
		t.Error("Run again = nil, want an error")
	}
	h.wantCalls(apiPermanent, 1)
}

func TestRunWaitsForWhoIsAtIt(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.sim.Fault(wecomtest.Fault{API: apiPermanent, Kind: wecomtest.Latency, Value: 300})
	x := h.begin(suiteID, h.redirect(suiteID, acme), suite.SiteDoor)
	other := h.another()
	errs := make(chan error, 2)
	for _, r := range []*replica{h.replica, other} {
		go func() { errs <- r.exchanger.Run(context.Background(), x.ID) }()
	}
	must(t, <-errs)
	must(t, <-errs)
	h.wantCalls(apiPermanent, 1)
	h.wantAuthorized(suiteID, acme, 1)
}

func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
