package ticket_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"suitesign/ticket"
)

// A cold start of many tenants is spread, and everybody can tell how far it is.
func TestBacklog(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 60)
	var log bytes.Buffer
	behind := func(r *ticket.Refresher) {
		r.Limits = ticket.Limits{IPMinute: 40} // half of it: 20 a minute, and a little less for calls that come late
		r.Log = slog.New(slog.NewTextHandler(&log, nil))
	}
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at) SELECT id, suite_id, corp_id, now() - interval '10 seconds' FROM tenants`)
	step := ticket.Cells(ticket.Limits{IPMinute: 40})["ip_minute"].Step()
	got, err := h.replica(behind).Backlog(t.Context())
	must(t, err)
	if got.Due != len(tenants) || got.Late < 10*time.Second || got.Idle != 0 {
		t.Errorf("backlog = %+v, want %d due for ten seconds", got, len(tenants))
	}
	if want := 1 / step.Seconds(); got.PerSecond != want {
		t.Errorf("%g tenants a second, want %g", got.PerSecond, want)
	}
	// The cell is full: one at once, then one for each step.
	if want := time.Duration(len(tenants)-1) * step; got.ETA != want {
		t.Errorf("worked off in %s, want %s", got.ETA, want)
	}
	h.run(h.replica(behind))
	if s := log.String(); strings.Count(s, "refreshes are behind") != 1 || !strings.Contains(s, "eta=") || !strings.Contains(s, "due=") {
		t.Errorf("the log says %q, want one line with how many are due and how long it takes", s)
	}
	for range 4 { // minutes
		for range 60 {
			h.pass(time.Second)
			h.run(h.replica(behind))
		}
	}
	if got, err = h.replica(behind).Backlog(t.Context()); err != nil || got.Due != 0 || got.Late != 0 || got.ETA != 0 {
		t.Errorf("backlog = %+v, %v; want none", got, err)
	}
}

// The replica that told of a backlog tells of its end; without limits the pace is what was seen.
func TestBacklogIsToldOnce(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.installMany(suiteID, 5)
	var log bytes.Buffer
	r := h.replica(func(r *ticket.Refresher) {
		r.Limits = ticket.Limits{}
		r.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	h.exec(`INSERT INTO refreshes (tenant_id, suite_id, corp_id, due_at, lease_until, lease_owner)
SELECT id, suite_id, corp_id, now() - interval '5 minutes', now() + interval '1 hour', gen_random_uuid() FROM tenants`)
	look := func() {
		ticket.ForgetBacklog(r)
		h.exec(`UPDATE budgets SET tat = now() WHERE scope = 'chore'`)
		h.run(r)
	}
	look()
	got, err := r.Backlog(t.Context())
	if err != nil || got.Due != 5 || got.PerSecond != 0 || got.Late < 5*time.Minute {
		t.Errorf("backlog = %+v, %v; want 5, and no limit", got, err)
	}
	h.exec(`UPDATE refreshes SET lease_until = NULL, lease_owner = NULL`)
	h.run(r)
	look()
	look()
	if s := log.String(); strings.Count(s, "refreshes are behind") != 1 || strings.Count(s, "on time again") != 1 {
		t.Errorf("the log says %q, want one line of each", s)
	}
}

// Idle tenants are counted apart: they are not due.
func TestBacklogCountsIdleTenants(t *testing.T) {
	t.Parallel()
	h := ready(t)
	tenants := h.installMany(suiteID, 4)
	r := h.replica(idleAfter(time.Hour))
	h.run(r)
	h.pass(24 * time.Hour)
	ticket.ForgetBacklog(r)
	if got, err := r.Backlog(t.Context()); err != nil || got.Idle != len(tenants) || got.Due != 0 {
		t.Errorf("backlog = %+v, %v; want %d idle", got, err, len(tenants))
	}
}
