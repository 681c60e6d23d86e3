package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// counts runs those tests of the product that count what a line of the table is
// about: calls, queries, who goes first. They say yes or no, on every machine.
func (h *house) counts(ctx context.Context, t *table) error {
	for _, c := range []struct{ line, pkg, tests string }{
		{"one token and two ticket calls for a tenant and cycle, ten replicas, crashes in between: at most one more for each", "./ticket",
			"TestReplicasShareTheWork TestCyclesWithCrashes TestCrashesCostAtMostOneCall TestCrashHealsWhenTheLeaseEnds"},
		{"200 first requests at once over three replicas: one call each", "./ticket", "TestDemandIsShared TestFirstRequestsOfAnIdleTenant"},
		{"no minute, no hour of any position beyond the share, over replicas and restarts", "./ticket", "TestNoWindowSeesMoreThanTheShare TestCellKeepsItsLimit TestDemandKeepsTheBudget"},
		{"refreshes by hand and first requests draw from a reserve and go first", "./ticket", "TestForceGoesFirst TestDemandGoesFirst"},
		{"a suite with very many due tenants does not delay another's five", "./ticket", "TestManyDoNotDelayFew TestFewGetTheirTurnsOfABudget TestSuitesShareABatch"},
		{"tenants whose every call times out cost the others nothing; one success heals", "./ticket", "TestPoisonTenants TestBackFromTheDead"},
		{"idle tenants: on the next request only; a write an hour; no claim sees them", "./ticket", "TestIdle TestUseIsWrittenOnceAnHour TestClaimsDoNotSeeIdleTenants"},
		{"the directory at its bound: one query a miss, shared by all who ask", "./signing", "TestBound TestSharedReads TestQueries"},
	} {
		met, said := h.test(ctx, c.pkg, strings.Fields(c.tests))
		t.judged(c.line, said, "holds", met)
	}
	return ctx.Err()
}

// test runs tests of the product, each of which there must be.
func (h *house) test(ctx context.Context, pkg string, tests []string) (met bool, said string) {
	say("testing %s", strings.Join(tests, " "))
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run", "^("+strings.Join(tests, "|")+")$", pkg) //nolint:gosec // go
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	passed := 0
	for _, name := range tests {
		if strings.Contains(string(out), "--- PASS: "+name+" ") {
			passed++
		}
	}
	if err != nil || passed != len(tests) {
		say("%s", out)
		return false, fmt.Sprintf("%d of %d tests pass", passed, len(tests))
	}
	return true, fmt.Sprintf("%d tests pass", passed)
}
