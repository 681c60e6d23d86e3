package suite_test

import (
	"sync"
	"testing"
)

// Over all replicas a lateness is told once; a push ends it, and another lateness is told again.
func TestALateSuiteTicketIsToldOnce(t *testing.T) {
	t.Parallel()
	h := ready(t)
	if _, err := h.pool.Exec(t.Context(), `INSERT INTO outbox_wanted VALUES ('suite_ticket.late')`); err != nil {
		t.Fatal(err)
	}
	told := func() (n int) {
		t.Helper()
		if err := h.pool.QueryRow(t.Context(), `SELECT count(*) FROM outbox WHERE type = 'suite_ticket.late' AND suite_id = $1
			AND data->>'suite_id' = $1 AND data ? 'received_at' AND tenant_id IS NULL`, suiteID).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	beats := func() {
		t.Helper()
		var replicas sync.WaitGroup
		for range 3 {
			r := h.another()
			replicas.Go(func() {
				if _, err := r.worker.RunOnce(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		replicas.Wait()
	}
	age := func(minutes int) {
		t.Helper()
		if _, err := h.pool.Exec(t.Context(), `UPDATE suite_tickets SET received_at = now() - make_interval(mins => $1)`, minutes); err != nil {
			t.Fatal(err)
		}
	}
	age(19)
	beats()
	if n := told(); n != 0 {
		t.Errorf("after 19 minutes: told %d times, want not yet", n)
	}
	age(21)
	beats()
	beats()
	if n := told(); n != 1 {
		t.Errorf("after 21 minutes: told %d times by three replicas, want once", n)
	}
	if _, err := h.pool.Exec(t.Context(), `UPDATE suite_tickets SET late_told_at = now() - interval '1 hour', received_at = now() - interval '30 minutes'`); err != nil {
		t.Fatal(err)
	}
	beats()
	if n := told(); n != 2 {
		t.Errorf("after a push and another lateness: told %d times, want twice", n)
	}
}
