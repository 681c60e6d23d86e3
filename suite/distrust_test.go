package suite_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"suitesign/suite"
	"suitesign/wecom"
)

// After a restore no suite_access_token is used that was stored, and no suite_ticket
// that is past its life; the next push ends the wait, also where the ticket that was
// forgotten had been refused.
func TestDistrust(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, acme)
	h.wantCalls(apiSuiteToken, 1)
	distrust := func(want suite.Distrusted) {
		t.Helper()
		got, err := suite.Distrust(t.Context(), h.pool, 1)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Distrust (-want +got):\n%s", diff)
		}
	}
	distrust(suite.Distrusted{Suites: 1, Authorizations: 1}) // the suite_ticket is young
	r := h.another()
	if _, err := r.tokens.Token(t.Context(), suiteID); err != nil {
		t.Fatal(err)
	}
	h.wantCalls(apiSuiteToken, 2)

	h.exec(`UPDATE suite_tickets SET pushed_at = now() - interval '31 minutes', generation = 1`)
	h.exec(`UPDATE suite_tokens SET blocked_ticket = 1, retry_at = now() + interval '1 hour'`)
	distrust(suite.Distrusted{Suites: 1, SuiteTickets: 1, Authorizations: 1})
	_, err := h.another().tokens.Token(t.Context(), suiteID)
	wantErr(t, err, suite.ErrNoSuiteTicket)
	h.wantCalls(apiSuiteToken, 2)
	h.pushTicket(suiteID)
	if _, err := h.another().tokens.Token(t.Context(), suiteID); err != nil {
		t.Errorf("after the next push: %v", err)
	}
}

// After a restore every authorization is read again: agents of which a change_auth
// told after the backup, and who cancelled.
func TestDistrustReadsAuthorizationsAgain(t *testing.T) {
	t.Parallel()
	h := ready(t)
	for _, corp := range []wecom.CorpID{acme, "wwother", "wwthird"} {
		h.install(suiteID, corp)
	}
	h.exec(`UPDATE authorizations SET blocked_version = version WHERE corp_id = 'wwother'`)
	want := agentIDs(h.tenant(suiteID, acme))
	h.exec(`UPDATE agents SET agent_id = agent_id + 5`) // as they were once
	calls := h.calls(apiInfo)
	_, err := suite.Distrust(t.Context(), h.pool, 2)
	must(t, err)
	h.exec(`UPDATE authorizations SET info_due_at = now() WHERE info_due_at IS NOT NULL`)
	h.work()
	h.wantCalls(apiInfo, calls+2) // not the one that WeCom refuses already
	if diff := cmp.Diff(want, agentIDs(h.tenant(suiteID, acme))); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
}
