package web

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"suitesign/migrations/pgtest"
	"suitesign/signing"
	"suitesign/suite"
	"suitesign/ticket"
	"suitesign/wecom"
)

type statuses []suite.Status

func (s statuses) Statuses(context.Context, ...wecom.SuiteID) ([]suite.Status, error) {
	if s == nil {
		return nil, errors.New("database away")
	}
	return s, nil
}

func TestSuitesThatNeedAnOperator(t *testing.T) {
	t.Parallel()
	now := time.Now()
	list := statuses{
		{SuiteID: "wwGood", TicketReceivedAt: &now, TicketAge: time.Minute},
		{SuiteID: "wwNew", Warnings: []suite.Warning{suite.WarnTicketMissing}},
	}
	for i := range 12 {
		list = append(list, suite.Status{SuiteID: wecom.SuiteID(fmt.Sprint("wwOld", i)), TicketReceivedAt: &now, TicketAge: time.Hour, Warnings: []suite.Warning{suite.WarnTicketExpired}})
	}
	got := WarnOfSuites(list)(t.Context())
	if len(got) != 11 || got[0] != "suite wwNew: no suite_ticket came yet; press refresh in the provider console" || got[10] != "3 more suites need an operator" {
		t.Errorf("warnings = %q", got)
	}
	if got := WarnOfSuites(statuses(nil))(t.Context()); got != nil {
		t.Errorf("with the database away: %q, want none", got)
	}

	s, _ := newServer()
	s.Metrics.WatchSuites(list)
	text := bodyOf(t, send(t, "GET", serve(t, s.Admin())+"/metrics", nil))
	for _, want := range []string{
		`suitesign_suite_ticket_age_seconds{suite_id="wwGood"} 60`,
		`suitesign_suite_ticket_age_seconds{suite_id="wwOld11"} 3600`,
		`suitesign_suites_with_warning{warning="suite_ticket_expired"} 12`,
		`suitesign_suites_with_warning{warning="ip_refused"} 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if strings.Contains(text, `age_seconds{suite_id="wwNew"}`) {
		t.Error("/metrics tells the age of a suite_ticket that never came")
	}
}

func TestDatabaseWithoutStandbyIsTold(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	if got := WarnWithoutStandby(pool)(t.Context()); len(got) != 1 || !strings.Contains(got[0], "synchronous standby") {
		t.Errorf("warnings = %q, want one of the standby", got)
	}
	s, _ := newServer()
	s.Metrics.WatchPool("main", pool.Stat)
	if text := bodyOf(t, send(t, "GET", serve(t, s.Admin())+"/metrics", nil)); !strings.Contains(text, `suitesign_db_connections{pool="main",state="max"}`) {
		t.Error("/metrics lacks the pool")
	}
}

func TestTheWorkBelowIsMetered(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	m := s.Metrics
	m.ObserveCall("get_corp_token", 40084, 20*time.Millisecond)
	m.ObserveRefreshes("refreshed", 3)
	m.ObserveFetch(ticket.JSAPITicket, ticket.Fetched, 0)
	m.ObserveFetch(ticket.AccessToken, ticket.Failed, wecom.ClassUnauthorized)
	m.ObserveLate(3 * time.Second)
	m.ObserveCallback("command", "stored")
	m.WatchDirectory(func() signing.Stats { return signing.Stats{Tenants: 7, Leads: 8, Queries: 9} })
	text := bodyOf(t, send(t, "GET", serve(t, s.Admin())+"/metrics", nil))
	for _, want := range []string{
		`suitesign_wecom_calls_total{api="get_corp_token",code="40084"} 1`,
		`suitesign_wecom_call_duration_seconds_count{api="get_corp_token"} 1`,
		`suitesign_refreshes_total{outcome="refreshed"} 3`,
		`suitesign_credential_fetches_total{class="",kind="jsapi_ticket",outcome="fetched"} 1`,
		`suitesign_credential_fetches_total{class="` + wecom.ClassUnauthorized.String() + `",kind="access_token",outcome="failed"} 1`,
		`suitesign_refresh_lateness_seconds_bucket{le="5"} 1`,
		`suitesign_callbacks_total{door="command",outcome="stored"} 1`,
		"suitesign_directory_tenants 7",
		"suitesign_directory_leads 8",
		"suitesign_directory_queries_total 9",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}
