package signing

import (
	"sync"
	"testing"
)

// A tenant is held by the lead that was bound last, and by none once it left.
func TestOneLeadHoldsATenant(t *testing.T) {
	t.Parallel()
	e, first, second := &entry{}, &lead{}, &lead{}
	expect := func(when string, inFirst, inSecond bool) {
		t.Helper()
		if (first.held.Load() == e) != inFirst || (second.held.Load() == e) != inSecond {
			t.Errorf("%s: held by the first %t, by the second %t; want %t, %t", when, !inFirst, !inSecond, inFirst, inSecond)
		}
	}
	e.bind(first)
	e.bind(first)
	expect("bound", true, false)
	e.bind(second)
	expect("bound to another", false, true)
	next := &entry{} // as it is read again
	next.bind(second)
	e.leave()
	if second.held.Load() != next {
		t.Error("who leaves takes its successor along")
	}
	e.bind(first)
	expect("bound after it left", false, false)
}

// However binding and leaving meet, one lead holds a tenant at most, and none who left.
func TestLeadsMeet(t *testing.T) {
	t.Parallel()
	for round := range 4000 {
		e, most := &entry{}, round%2
		leads := [3]lead{}
		var group sync.WaitGroup
		for i := range leads {
			group.Go(func() { e.bind(&leads[i]) })
		}
		if most == 0 {
			group.Go(e.leave)
		}
		group.Wait()
		holding := 0
		for i := range leads {
			if leads[i].held.Load() != nil {
				holding++
			}
		}
		if holding > most {
			t.Fatalf("%d leads hold a tenant, want at most %d", holding, most)
		}
	}
}
