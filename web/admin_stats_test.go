package web_test

import (
	"context"
	"testing"

	"suitesign/web"
	"suitesign/web/stats"
)

func TestStats(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	if before := a.call("GET", "/v1/stats", nil).want(200).object(); before["as_of"] != nil || before["schedule"].(object)["due"] != 7.0 {
		t.Errorf("before the first count: %v", before)
	}
	a.call("POST", "/v1/suites", internalSuite("ours")).want(201)
	a.addTenant("ours", "wwcorp")
	roller := &stats.Roller{Pool: a.pool, Budgets: func(context.Context) (stats.Budgets, error) { return stats.Budgets{IPMinute: .25}, nil }}
	if done, err := roller.RunOnce(t.Context()); !done || err != nil {
		t.Fatalf("RunOnce = %v, %v", done, err)
	}
	m := web.NewMetrics()
	m.ObserveRefreshes("ok", 3)
	m.ObserveRefreshes("parked", 1)
	if err := (&stats.Meter{Pool: a.pool, Totals: m.Totals}).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := a.call("GET", "/v1/stats?suite_id=ours&minutes=5", nil).want(200).object()
	tenants, minutes := got["tenants"].([]any), got["minutes"].([]any)
	if got["as_of"] == nil || got["suite_id"] != "ours" || len(tenants) != 1 || tenants[0].(object)["health"] != "pending" ||
		got["budgets"].(object)["ip_minute"] != .25 || len(minutes) != 1 || minutes[0].(object)["refreshes_ok"] != 3.0 || minutes[0].(object)["refreshes_parked"] != 1.0 {
		t.Errorf("GET /v1/stats = %v", got)
	}
	a.call("GET", "/v1/stats?suite_id=nowhere", nil).refused(404, "suite_not_found")
	a.call("GET", "/v1/stats?minutes=1441", nil).refused(400, "invalid_request")
}
