package suite_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"suitesign/changes"
	"suitesign/secret"
	"suitesign/suite"
	"suitesign/wecom"
)

var (
	goodSecret = secret.New("suite-secret-CANARY")
	goodToken  = secret.New("TokenCANARY")
	goodKey    = secret.New("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C")
)

func newSuite(id wecom.SuiteID, kind suite.Kind) suite.New {
	n := suite.New{ID: id, Kind: kind, Name: "一个套件"}
	if kind != suite.Internal {
		n.SuiteSecret, n.CallbackToken, n.EncodingAESKey = goodSecret, goodToken, goodKey
	}
	return n
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*suite.New)
		want   string // fields at fault
	}{
		{"third party", func(*suite.New) {}, ""},
		{"customized", func(n *suite.New) { n.Kind, n.ID = suite.Customized, template }, ""},
		{"internal", func(n *suite.New) { *n = newSuite("own_apps-1", suite.Internal) }, ""},
		{"provider", func(n *suite.New) { n.ProviderCorpID = provider }, ""},
		{"no id", func(n *suite.New) { n.ID = "" }, "suite_id"},
		{"an id with a slash", func(n *suite.New) { n.ID = "ww/1" }, "suite_id"},
		{"an id with a dot", func(n *suite.New) { n.ID = ".." }, "suite_id"},
		{"a long id", func(n *suite.New) { n.ID = wecom.SuiteID(strings.Repeat("w", 129)) }, "suite_id"},
		{"third party with dk", func(n *suite.New) { n.ID = template }, "suite_id"},
		{"customized without dk", func(n *suite.New) { n.Kind = suite.Customized }, "suite_id"},
		{"no such kind", func(n *suite.New) { n.Kind = "other" }, "kind"},
		{"no name", func(n *suite.New) { n.Name = "" }, "name"},
		{"a blank name", func(n *suite.New) { n.Name = " \u3000" }, "name"},
		{"a name of two lines", func(n *suite.New) { n.Name = "a\nb" }, "name"},
		{"a long name", func(n *suite.New) { n.Name = strings.Repeat("名", 201) }, "name"},
		{"a name of broken text", func(n *suite.New) { n.Name = "a\xff" }, "name"},
		{"no secret", func(n *suite.New) { n.SuiteSecret = secret.String{} }, "suite_secret"},
		{"a secret with a space", func(n *suite.New) { n.SuiteSecret = secret.New("pasted ") }, "suite_secret"},
		{"a token too long", func(n *suite.New) { n.CallbackToken = secret.New(strings.Repeat("a", 33)) }, "callback_token"},
		{"a token with a dash", func(n *suite.New) { n.CallbackToken = secret.New("a-b") }, "callback_token"},
		{"a short key", func(n *suite.New) { n.EncodingAESKey = secret.New(goodKey.Reveal()[1:]) }, "encoding_aes_key"},
		{"a key with its padding", func(n *suite.New) { n.EncodingAESKey = secret.New(goodKey.Reveal() + "=") }, "encoding_aes_key"},
		{"a provider with a space", func(n *suite.New) { n.ProviderCorpID = "ww 1" }, "provider_corp_id"},
		{"everything at once", func(n *suite.New) { *n = suite.New{} }, "suite_id kind name suite_secret callback_token encoding_aes_key"},
		{"internal with secrets", func(n *suite.New) { n.Kind, n.InstallTestMode = suite.Internal, true }, "suite_secret callback_token encoding_aes_key install_test_mode"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newSuite(suiteID, suite.ThirdParty)
			tt.change(&n)
			err := n.Validate()
			var fields []string
			var faults suite.Invalid
			if errors.As(err, &faults) {
				for _, f := range faults {
					fields = append(fields, f.Field)
					if f.Detail == "" || f.Zh == "" {
						t.Errorf("%s has no detail", f.Field)
					}
				}
			}
			if got := strings.Join(fields, " "); got != tt.want {
				t.Errorf("faults = %q (%v), want %q", got, err, tt.want)
			}
			if errors.Is(err, suite.ErrInvalid) != (tt.want != "") {
				t.Errorf("error = %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "CANARY") {
				t.Errorf("the error shows a value: %v", err)
			}
		})
	}
}

func TestCreateGetList(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	created, err := h.store.Create(t.Context(), newSuite(suiteID, suite.ThirdParty))
	must(t, err)
	got, err := h.store.Get(t.Context(), suiteID)
	must(t, err)
	if diff := cmp.Diff(created, got); diff != "" {
		t.Errorf("Get differs from Create (-created +got):\n%s", diff)
	}
	want := suite.Suite{
		ID: suiteID, Kind: suite.ThirdParty, Name: "一个套件", SuiteSecretSet: true, CallbackTokenSet: true, EncodingAESKeySet: true,
		SecretVersion: 1, Version: 1, CreatedAt: got.CreatedAt, UpdatedAt: got.UpdatedAt,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Get (-want +got):\n%s", diff)
	}
	_, err = h.store.Create(t.Context(), newSuite(suiteID, suite.ThirdParty))
	wantErr(t, err, suite.ErrExists)
	_, err = h.store.Get(t.Context(), "WW00000000000000A1") // ids are never folded
	wantErr(t, err, suite.ErrNotFound)
	_, err = h.store.Create(t.Context(), newSuite("", suite.ThirdParty))
	wantErr(t, err, suite.ErrInvalid)

	for i := range 4 {
		_, err := h.store.Create(t.Context(), newSuite(wecom.SuiteID(fmt.Sprintf("own%d", i)), suite.Internal))
		must(t, err)
	}
	var ids []wecom.SuiteID
	for after := wecom.SuiteID(""); ; {
		page, err := h.store.List(t.Context(), after, 2)
		must(t, err)
		if len(page) == 0 {
			break
		}
		for _, s := range page {
			ids = append(ids, s.ID)
		}
		after = page[len(page)-1].ID
	}
	if diff := cmp.Diff([]wecom.SuiteID{"own0", "own1", "own2", "own3", suiteID}, ids); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
}

// topics lists what was told to the replicas, oldest first.
func (h *house) topics() []string {
	h.t.Helper()
	return value[[]string](h, `SELECT COALESCE(array_agg(topic || ' ' || key ORDER BY id), '{}') FROM changes`)
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := h.store.Create(t.Context(), newSuite(suiteID, suite.ThirdParty))
	must(t, err)
	name, test, prov := "another", true, provider
	got, err := h.store.Update(t.Context(), suiteID, suite.Patch{Name: &name, InstallTestMode: &test, ProviderCorpID: &prov})
	must(t, err)
	if got.Name != name || !got.InstallTestMode || got.ProviderCorpID != prov || got.Version != 2 || got.SecretVersion != 1 || got.PreviousUntil != nil {
		t.Errorf("Update = %+v", got)
	}
	// A secret counts as changed even if it is the same: the admin asks for another try.
	same := goodSecret
	got, err = h.store.Update(t.Context(), suiteID, suite.Patch{SuiteSecret: &same})
	must(t, err)
	if got.SecretVersion != 2 || got.Name != name || !got.InstallTestMode {
		t.Errorf("Update = %+v, want secret version 2 and the rest as it was", got)
	}
	// The same pair is no rotation, half a new one is.
	token, key := goodToken, goodKey
	got, err = h.store.Update(t.Context(), suiteID, suite.Patch{CallbackToken: &token, EncodingAESKey: &key})
	must(t, err)
	if got.PreviousUntil != nil {
		t.Errorf("the same pair was rotated: %+v", got)
	}
	token = secret.New("Another")
	got, err = h.store.Update(t.Context(), suiteID, suite.Patch{CallbackToken: &token})
	must(t, err)
	if got.PreviousUntil == nil || got.SecretVersion != 2 {
		t.Errorf("Update = %+v, want a previous pair and the secret's version as it was", got)
	}

	_, err = h.store.Update(t.Context(), "nobody", suite.Patch{Name: &name})
	wantErr(t, err, suite.ErrNotFound)
	stale := int64(1)
	_, err = h.store.Update(t.Context(), suiteID, suite.Patch{Name: &name, IfVersion: &stale})
	wantErr(t, err, suite.ErrVersion)
	fresh := got.Version
	_, err = h.store.Update(t.Context(), suiteID, suite.Patch{Name: &name, IfVersion: &fresh})
	must(t, err)
	empty, blank := secret.String{}, ""
	_, err = h.store.Update(t.Context(), suiteID, suite.Patch{Name: &blank, SuiteSecret: &empty, CallbackToken: &empty, EncodingAESKey: &empty})
	var faults suite.Invalid
	if !errors.As(err, &faults) || len(faults) != 4 {
		t.Errorf("Update with nothing in it = %v, want four faults", err)
	}
	_, err = h.store.Create(t.Context(), newSuite("own", suite.Internal))
	must(t, err)
	_, err = h.store.Update(t.Context(), "own", suite.Patch{SuiteSecret: &same})
	wantErr(t, err, suite.ErrInvalid)
	for _, topic := range h.topics() {
		if topic != "suite "+string(suiteID) && topic != "suite own" {
			t.Errorf("replicas were told %q", topic)
		}
	}
	if got := len(h.topics()); got != 7 {
		t.Errorf("replicas were told %d times, want once for each of 7 changes", got)
	}
}

func TestAPairThatDoesNotOpenCanBeReplaced(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := h.store.Create(t.Context(), newSuite(suiteID, suite.ThirdParty))
	must(t, err)
	h.exec(`UPDATE suites SET callback_token_sealed = '\x00'`)
	token, key := goodToken, goodKey
	if _, err := h.store.Update(t.Context(), suiteID, suite.Patch{EncodingAESKey: &key}); err == nil {
		t.Error("half of a pair was kept that does not open")
	}
	got, err := h.store.Update(t.Context(), suiteID, suite.Patch{CallbackToken: &token})
	must(t, err)
	if got.PreviousUntil != nil {
		t.Error("a pair that does not open is accepted as the previous one")
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, acme)
	wantErr(t, h.store.Delete(t.Context(), suiteID, nil), suite.ErrHasActiveTenants)
	h.sim.Uninstall(suiteID, acme)
	stale := int64(7)
	wantErr(t, h.store.Delete(t.Context(), suiteID, &stale), suite.ErrVersion)
	before := len(h.topics())
	must(t, h.store.Delete(t.Context(), suiteID, nil))
	wantErr(t, h.store.Delete(t.Context(), suiteID, nil), suite.ErrNotFound)
	if diff := cmp.Diff([]string{"suite " + string(suiteID), "tenants " + string(suiteID), "hosts "}, h.topics()[before:]); diff != "" {
		t.Errorf("replicas were told (-want +got):\n%s", diff)
	}
	for _, table := range []string{"suite_tickets", "suite_tokens", "callback_events", "exchanges", "tenants", "authorizations", "install_states"} {
		if n := value[int](h, `SELECT count(*) FROM `+table); n != 0 {
			t.Errorf("%d rows are left in %s", n, table)
		}
	}
	// Its callbacks are nobody's, also where its keys are still in memory.
	wantErr(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("tomorrows_news", h.now())), suite.ErrNotFound)
	h.callbacks.Handle(t.Context(), []changes.Change{{Topic: changes.Suite, Key: string(suiteID)}})
	wantErr(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("tomorrows_news", h.now())), suite.ErrNotFound)
}

// No column that is not sealed holds a secret, and what is sealed opens only where it belongs.
func TestSecretsAreSealedInTheirPlace(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.market(suiteID, acme)
	codes := h.sim.State().AuthCodes
	if len(codes) != 1 {
		t.Fatalf("auth_codes = %d, want 1", len(codes))
	}
	h.work()
	secrets := []string{
		codes[0].Value, codes[0].PermanentCode, h.sim.SuiteTicket(suiteID), h.token(h.replica).Reveal(),
		h.sim.State().Suites[0].Secret, h.sim.State().Suites[0].Token, h.sim.State().Suites[0].EncodingAESKey,
	}
	tables := value[[]string](h, `SELECT array_agg(tablename::text) FROM pg_tables WHERE schemaname = 'public'`)
	for _, table := range tables {
		dump := value[string](h, `SELECT COALESCE(string_agg(t::text, E'\n'), '') FROM `+table+` t`)
		for i, s := range secrets {
			if strings.Contains(dump, s) || strings.Contains(dump, fmt.Sprintf("%x", s)) {
				t.Errorf("table %s shows secret number %d", table, i)
			}
		}
	}
	for _, c := range suite.SealedColumns {
		var sealed []byte
		var row string
		err := h.pool.QueryRow(t.Context(), `SELECT `+c.Column+`, `+strings.Join(c.Key, `::text || '/' || `)+`::text FROM `+c.Table+
			` WHERE `+c.Column+` IS NOT NULL LIMIT 1`).Scan(&sealed, &row)
		if err != nil {
			continue // empty by now, as the codes of the exchange are
		}
		b := secret.Binding{Table: c.Table, Column: c.Column, Row: row}
		if _, err := h.ring.Open(sealed, b); err != nil {
			t.Errorf("%s.%s does not open in its place: %v", c.Table, c.Column, err)
		}
		b.Row += "x"
		if _, err := h.ring.Open(sealed, b); err == nil {
			t.Errorf("%s.%s opens in another row", c.Table, c.Column)
		}
		if bytes.Contains(sealed, []byte("CANARY")) {
			t.Errorf("%s.%s is not sealed", c.Table, c.Column)
		}
	}
	columns := value[[]string](h, `SELECT array_agg(table_name || '.' || column_name ORDER BY 1)
		FROM information_schema.columns WHERE column_name LIKE '%_sealed' AND table_name IN
		('suites', 'suite_tickets', 'suite_tokens', 'callback_events', 'exchanges', 'authorizations')`)
	if len(columns) != len(suite.SealedColumns) {
		t.Errorf("SealedColumns lists %d, the schema has %v", len(suite.SealedColumns), columns)
	}
}

func TestReencrypt(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, acme)
	mk, err := secret.ParseMasterKey(secret.New("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
	must(t, err)
	ring, _, err := secret.LoadOrCreate(t.Context(), h.pool, mk)
	must(t, err)
	store := &suite.Store{Pool: h.pool, Ring: ring, Tenants: h.store.Tenants}
	_, err = store.Create(t.Context(), newSuite("wwreencrypt", suite.ThirdParty))
	must(t, err)
	h.exec(`DELETE FROM suites WHERE suite_id = $1`, suiteID)
	_, err = secret.Rotate(t.Context(), h.pool, mk)
	must(t, err)
	must(t, ring.Reload(t.Context()))
	if done, err := secret.Reencrypt(t.Context(), h.pool, ring, suite.SealedColumns, 10); err != nil || done != 3 {
		t.Errorf("Reencrypt = %d, %v; want 3 values", done, err)
	}
	if counts, err := secret.CountByKey(t.Context(), h.pool, suite.SealedColumns); err != nil || len(counts) != 1 {
		t.Errorf("keys in use = %v, %v; want one", counts, err)
	}
}
