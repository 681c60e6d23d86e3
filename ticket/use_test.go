package ticket_test

import (
	"testing"

	"suitesign/migrations/pgtest"
	"suitesign/ticket"
)

func TestBudgetUseTellsWhoIsNearTheLimit(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	r := &ticket.Refresher{Pool: pool, Limits: ticket.DefaultLimits()}
	if u, err := r.BudgetUse(t.Context()); err != nil || u != (ticket.BudgetUse{}) {
		t.Errorf("BudgetUse of nothing = %+v, %v", u, err)
	}
	if _, err := pool.Exec(t.Context(), `INSERT INTO budgets (scope, key, tat) VALUES
		('ip_hour', 'one', now() + interval '10 hours'), ('ip_minute', 'one', now() - interval '1 hour'), ('ip_minute', 'two', now() + interval '1 second'),
		('corp', 'full', now() + interval '10 hours'), ('corp', 'fresh', now() + interval '1 second'),
		('app', 'full', now() + interval '10 hours'), ('app', 'also', now() + interval '10 hours'), ('app', 'idle', now() - interval '1 hour'),
		('probe', 'one', now() + interval '10 hours')`); err != nil {
		t.Fatal(err)
	}
	u, err := r.BudgetUse(t.Context())
	if err != nil || u.IPHour != 1 || u.IPMinute <= 0 || u.IPMinute >= 1 || u.Corps != 1 || u.Apps != 2 {
		t.Errorf("BudgetUse = %+v, %v; want the hour full, the minute begun, one corp and two apps near their limit", u, err)
	}
	off := &ticket.Refresher{Pool: pool}
	if u, err := off.BudgetUse(t.Context()); err != nil || u != (ticket.BudgetUse{}) {
		t.Errorf("BudgetUse without limits = %+v, %v", u, err)
	}
}
