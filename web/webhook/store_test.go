package webhook_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"suitesign/audit"
	"suitesign/netguard"
	"suitesign/secret"
	"suitesign/web/webhook"
)

func TestAWebhookFromItsBeginningToItsEnd(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), t.Context()
	made, value, err := h.store.Create(ctx, webhook.New{URL: "https://127.0.0.1/hook?token=in-the-url", Description: "d",
		Events:   []audit.EventType{audit.TenantChanged, audit.TenantAuthorized, audit.TenantChanged},
		SuiteIDs: []string{"s2", "s1"}, TenantIDs: h.tenants})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(value.Reveal(), "whsec_") || !made.Enabled || made.Version != 1 ||
		!slices.Equal(made.Events, []audit.EventType{audit.TenantAuthorized, audit.TenantChanged}) || !slices.Equal(made.SuiteIDs, []string{"s1", "s2"}) {
		t.Errorf("Create = %+v", made)
	}
	if diff := cmp.Diff(made, h.get(made)); diff != "" {
		t.Errorf("Get (-made +got):\n%s", diff)
	}
	one, off, none := int64(1), false, []string{}
	changed, err := h.store.Update(ctx, made.ID, webhook.Patch{Enabled: &off, SuiteIDs: &none, IfVersion: &one})
	if err != nil || changed.Enabled || changed.DisabledReason != webhook.ByAdmin || len(changed.SuiteIDs) != 0 || changed.Version != 2 || changed.URL != made.URL {
		t.Errorf("Update = %+v, %v", changed, err)
	}
	if _, err := h.store.Update(ctx, made.ID, webhook.Patch{Enabled: &off, IfVersion: &one}); !errors.Is(err, webhook.ErrVersion) {
		t.Errorf("Update of an older version = %v, want ErrVersion", err)
	}
	again, err := h.store.Update(ctx, made.ID, webhook.Patch{Enabled: &off})
	if err != nil || again.Version != 2 {
		t.Errorf("Update that changes nothing = version %d, %v; want 2", again.Version, err)
	}
	if err := h.store.Delete(ctx, made.ID, &one); !errors.Is(err, webhook.ErrVersion) {
		t.Errorf("Delete of an older version = %v, want ErrVersion", err)
	}
	if err := h.store.Delete(ctx, made.ID, nil); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Get":    second(h.store.Get(ctx, made.ID)),
		"Update": second(h.store.Update(ctx, made.ID, webhook.Patch{Enabled: &off})),
		"Delete": h.store.Delete(ctx, made.ID, nil),
		"List":   second(h.store.Deliveries(ctx, made.ID, webhook.DeliveryFilter{}, webhook.DeliveryCursor{}, 1)),
	} {
		if !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("%s after Delete = %v, want ErrNotFound", what, err)
		}
	}
	log := h.text(`SELECT string_agg(concat_ws(' ', action, before, after), E'\n' ORDER BY at) FROM audit_log`)
	for _, want := range []string{"webhook.create", "webhook.update", "webhook.delete", `"secret": "set"`, `"url": "https://127.0.0.1"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log lacks %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, "in-the-url") || strings.Contains(log, value.Reveal()) || strings.Count(log, "webhook.update") != 1 {
		t.Errorf("the audit log holds a secret, or a change that changed nothing:\n%s", log)
	}
}

func second[T any](_ T, err error) error { return err }

func TestWhatCannotBeAWebhook(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), t.Context()
	w, _ := h.add("https://127.0.0.1/")
	for _, tt := range []struct {
		new   webhook.New
		want  error
		place string
	}{
		{webhook.New{URL: "https://10.0.0.1/"}, netguard.ErrForbidden, ""},
		{webhook.New{URL: "https://169.254.169.254/latest/meta-data"}, netguard.ErrForbidden, ""},
		{webhook.New{URL: "http://8.8.8.8/"}, netguard.ErrForbidden, ""},
		{webhook.New{URL: "https://u:p@127.0.0.1/"}, netguard.ErrURL, ""},
		{webhook.New{URL: "https://127.0.0.1/", SuiteIDs: []string{"s1", "S1"}}, webhook.ErrUnknownTarget, "suite_ids[1]"},
		{webhook.New{URL: "https://127.0.0.1/", TenantIDs: []uuid.UUID{uuid.New()}}, webhook.ErrUnknownTarget, "tenant_ids[0]"},
	} {
		tt.new.Events = audit.EventTypes
		_, _, err := h.store.Create(ctx, tt.new)
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.place) {
			t.Errorf("Create(%+v) = %v, want %v %s", tt.new, err, tt.want, tt.place)
		}
		_, err = h.store.Update(ctx, w.ID, webhook.Patch{URL: &tt.new.URL, SuiteIDs: &tt.new.SuiteIDs, TenantIDs: &tt.new.TenantIDs})
		if !errors.Is(err, tt.want) {
			t.Errorf("Update(%+v) = %v, want %v", tt.new, err, tt.want)
		}
	}
	if n := h.text(`SELECT count(*)::text FROM webhooks`); n != "1" || h.get(w).Version != 1 {
		t.Errorf("what was refused left %s webhooks and version %d", n, h.get(w).Version)
	}
}

func TestListIsNewestFirst(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, _ := h.add("https://127.0.0.1/a")
	b, _ := h.add("https://127.0.0.1/b")
	c, _ := h.add("https://127.0.0.1/c")
	var got []uuid.UUID
	for before := uuid.Max; ; before = got[len(got)-1] {
		page, err := h.store.List(t.Context(), before, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range page {
			got = append(got, w.ID)
		}
		if len(page) < 2 {
			break
		}
	}
	if diff := cmp.Diff([]uuid.UUID{c.ID, b.ID, a.ID}, got); diff != "" {
		t.Errorf("List in pages of two (-want +got):\n%s", diff)
	}
}

func TestTheOutboxKeepsWhatSomebodyListensTo(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), t.Context()
	wanted := func() string {
		return h.text(`SELECT COALESCE(string_agg(type, ' ' ORDER BY type), '') FROM outbox_wanted`)
	}
	a, _ := h.add("https://127.0.0.1/", func(n *webhook.New) { n.Events = []audit.EventType{audit.TenantChanged} })
	h.add("https://127.0.0.1/", func(n *webhook.New) { n.Events, n.Disabled = []audit.EventType{audit.TenantCancelled}, true })
	if got := wanted(); got != "tenant.changed" {
		t.Errorf("wanted = %q, want what enabled webhooks listen to", got)
	}
	late, off, on := []audit.EventType{audit.SuiteTicketLate}, false, true
	for _, step := range []struct {
		patch webhook.Patch
		want  string
	}{
		{webhook.Patch{Events: &late}, "suite_ticket.late"},
		{webhook.Patch{Enabled: &off}, ""},
		{webhook.Patch{Enabled: &on}, "suite_ticket.late"},
	} {
		if _, err := h.store.Update(ctx, a.ID, step.patch); err != nil {
			t.Fatal(err)
		}
		if got := wanted(); got != step.want {
			t.Errorf("wanted = %q, want %q", got, step.want)
		}
	}
	if err := h.store.Delete(ctx, a.ID, nil); err != nil || wanted() != "" {
		t.Errorf("after Delete (%v) wanted = %q, want nothing", err, wanted())
	}
}

func TestSecretsAreSealedAndBound(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), t.Context()
	w, value := h.add("https://127.0.0.1/")
	if _, _, err := h.store.Rotate(ctx, w.ID, time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range webhook.SealedColumns {
		var sealed []byte
		if err := h.pool.QueryRow(ctx, `SELECT `+c.Column+` FROM `+c.Table).Scan(&sealed); err != nil {
			t.Fatal(err)
		}
		v, err := h.ring.Open(sealed, secret.Binding{Table: c.Table, Column: c.Column, Row: w.ID.String()})
		if err != nil || !strings.HasPrefix(v.Reveal(), "whsec_") || strings.Contains(string(sealed), "whsec_") {
			t.Errorf("%s is not sealed for its place: %v", c.Column, err)
		}
		if c.Column == "previous_secret_sealed" && !v.Equal(value) {
			t.Error("the previous secret is not the one that was")
		}
	}
	var columns int
	const q = `SELECT count(*) FROM information_schema.columns WHERE table_name LIKE 'webhook%' AND column_name LIKE '%_sealed'`
	if err := h.pool.QueryRow(ctx, q).Scan(&columns); err != nil || columns != len(webhook.SealedColumns) {
		t.Errorf("the schema has %d sealed columns (%v), SealedColumns lists %d", columns, err, len(webhook.SealedColumns))
	}
	if done, err := secret.Reencrypt(ctx, h.pool, h.ring, webhook.SealedColumns, 10); err != nil || done != 0 {
		t.Errorf("Reencrypt = %d, %v; want nothing to do", done, err)
	}
}
