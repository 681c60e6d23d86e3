package suite_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/tenant"
)

func newInternal() suite.NewInternal {
	return suite.NewInternal{SuiteID: "own", CorpID: acme, AgentID: 1000002, Secret: secret.New("app-secret"), Name: "Acme"}
}

func TestInternalTenant(t *testing.T) {
	t.Parallel()
	h := ready(t)
	_, err := h.store.CreateInternal(t.Context(), newInternal())
	wantErr(t, err, suite.ErrNotFound)
	_, err = h.store.Create(t.Context(), newSuite("own", suite.Internal))
	must(t, err)
	got, err := h.store.CreateInternal(t.Context(), newInternal())
	must(t, err)
	if got.Status != tenant.Active || len(got.Agents) != 1 || got.Agents[0].ID != 1000002 || got.Name != "Acme" {
		t.Errorf("tenant = %+v", got)
	}
	a, ok := h.authorization(got.ID)
	if !ok || a.PermanentCode.Reveal() != "app-secret" || a.Kind != suite.Internal || a.Version != 1 {
		t.Errorf("authorization = %+v", a)
	}
	if r := h.work(); r.Pulls != 0 {
		t.Error("an internal tenant's agents were pulled")
	}
	_, err = h.store.CreateInternal(t.Context(), newInternal())
	wantErr(t, err, suite.ErrExists)

	must(t, blocked(h.store.Block(t.Context(), got.ID, 1)))
	again := secret.New("app-secret-2")
	must(t, h.store.UpdateInternal(t.Context(), got.ID, suite.InternalPatch{Secret: &again}))
	if a, _ = h.authorization(got.ID); a.Version != 2 || a.Blocked || !a.PermanentCode.Equal(again) {
		t.Errorf("authorization = %+v, want version 2, not blocked", a)
	}
	agent := got.Agents[0].ID + 1
	must(t, h.store.UpdateInternal(t.Context(), got.ID, suite.InternalPatch{AgentID: &agent}))
	if now := h.tenant("own", acme); now.Agents[0].ID != agent {
		t.Errorf("agents = %v", now.Agents)
	}
	empty := secret.String{}
	wantErr(t, h.store.UpdateInternal(t.Context(), got.ID, suite.InternalPatch{Secret: &empty}), suite.ErrInvalid)

	stale := int64(99)
	wantErr(t, h.store.DeleteInternal(t.Context(), got.ID, &stale), tenant.ErrVersion)
	must(t, h.store.DeleteInternal(t.Context(), got.ID, nil))
	wantErr(t, h.store.DeleteInternal(t.Context(), got.ID, nil), tenant.ErrNotFound)
	if _, ok := h.authorization(got.ID); ok {
		t.Error("the authorization is still there")
	}
	wantErr(t, h.store.UpdateInternal(t.Context(), uuid.New(), suite.InternalPatch{Secret: &again}), tenant.ErrNotFound)
}

func TestInternalTenantsOfOtherSuites(t *testing.T) {
	t.Parallel()
	h := ready(t)
	n := newInternal()
	n.SuiteID = suiteID
	_, err := h.store.CreateInternal(t.Context(), n)
	wantErr(t, err, suite.ErrWrongKind)
	got := h.install(suiteID, acme)
	wantErr(t, h.store.DeleteInternal(t.Context(), got.ID, nil), suite.ErrWrongKind)
	v := secret.New("x")
	wantErr(t, h.store.UpdateInternal(t.Context(), got.ID, suite.InternalPatch{Secret: &v}), suite.ErrWrongKind)
	h.wantAuthorized(suiteID, acme, 1)
}

func TestInternalTenantIsValidated(t *testing.T) {
	t.Parallel()
	err := suite.NewInternal{SuiteID: "own", Name: "\n"}.Validate()
	var faults suite.Invalid
	if !errors.As(err, &faults) || len(faults) != 4 {
		t.Errorf("Validate = %v, want four faults", err)
	}
	if err := newInternal().Validate(); err != nil {
		t.Errorf("Validate = %v", err)
	}
}

// Cut short, it is finished by asking again.
func TestInternalTenantCutShort(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"authorizations", "agents"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			_, err := h.store.Create(t.Context(), newSuite("own", suite.Internal))
			must(t, err)
			h.breakOnce(table, "INSERT", "true")
			if _, err := h.store.CreateInternal(t.Context(), newInternal()); err == nil {
				t.Fatal("no error")
			}
			got, err := h.store.CreateInternal(t.Context(), newInternal())
			must(t, err)
			if len(got.Agents) != 1 {
				t.Errorf("agents = %v", got.Agents)
			}
			if _, ok := h.authorization(got.ID); !ok {
				t.Error("there is no authorization")
			}
		})
	}
}

// breakOnce makes the first statement that matches fail.
func (h *house) breakOnce(table, on, condition string) { h.breakTimes(1, table, on, condition) }

// breakTimes makes the first n statements that match fail. A sequence counts
// them: it is not rolled back.
func (h *house) breakTimes(n int, table, on, condition string) {
	h.t.Helper()
	h.exec(`CREATE SEQUENCE faults`)
	h.exec(`CREATE FUNCTION fault_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('faults') <= TG_ARGV[0]::int THEN RAISE EXCEPTION 'fault'; END IF; RETURN NEW; END $$`)
	h.exec(`CREATE TRIGGER fault_once BEFORE ` + on + ` ON ` + table + ` FOR EACH ROW WHEN (` + condition + `) EXECUTE FUNCTION fault_once('` + itoa(n) + `')`)
}
