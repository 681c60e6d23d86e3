package tenant_test

import (
	"testing"

	"suitesign/wecom"
)

// TestAlike: what differs in case only is found, by every form of the id; ids stay
// what they are.
func TestAlike(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a, b := activate(t, s, "s1", "wpAbC"), activate(t, s, "s2", "wpaBc")
	activate(t, s, "s1", "wpAbCd")
	if err := s.AddAlias(t.Context(), a.ID, "wwPlain"); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[wecom.CorpID][]string{
		"WPABC": {a.ID.String(), b.ID.String()}, "wpAbC": {a.ID.String(), b.ID.String()}, "WWplain": {a.ID.String()}, "wp%": nil, "": nil,
	} {
		got, err := s.Alike(t.Context(), id, 10)
		if err != nil || len(got) != len(want) {
			t.Errorf("Alike(%s) = %d tenants, %v; want %d", id, len(got), err, len(want))
			continue
		}
		for i := range got {
			if got[i].ID.String() != want[i] {
				t.Errorf("Alike(%s)[%d] = %s, want %s", id, i, got[i].ID, want[i])
			}
		}
	}
	if got, err := s.Alike(t.Context(), "WPABC", 1); err != nil || len(got) != 1 {
		t.Errorf("Alike with limit 1 = %d tenants, %v", len(got), err)
	}
}
