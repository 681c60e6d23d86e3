package ticket_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"suitesign/ticket"
)

// What is held is every value that is stored, also past its end and of the
// access_token; what does not open is left out.
func TestHeld(t *testing.T) {
	t.Parallel()
	h := ready(t)
	a, b := h.install(suiteID, "wwa"), h.install(suiteID, "wwb")
	h.run(h.replica())
	src := &ticket.Source{Pool: h.pool, Ring: h.ring}
	h.exec(`UPDATE credentials SET expires_at = now() - interval '1 minute' WHERE kind = 'jsapi_ticket'`)
	h.exec(`UPDATE credentials c SET value_sealed = o.value_sealed FROM credentials o
WHERE c.tenant_id = $1 AND o.tenant_id = $2 AND c.kind = o.kind`, b, a)
	held, err := src.Held(t.Context(), []uuid.UUID{a, b, uuid.New()})
	must(t, err)
	if len(held) != 3 {
		t.Fatalf("%d credentials, want the three of the tenant whose values open", len(held))
	}
	for _, c := range held {
		if c.TenantID != a || c.Value.IsZero() || c.Live == (c.Kind == ticket.JSAPITicket) || time.Since(c.FetchedAt) > time.Hour || !c.ExpiresAt.After(c.FetchedAt.Add(-time.Hour)) {
			t.Errorf("%+v", c)
		}
		if s := fmt.Sprintf("%+v", c); strings.Contains(s, c.Value.Reveal()) {
			t.Error("a credential prints its value")
		}
	}
}
