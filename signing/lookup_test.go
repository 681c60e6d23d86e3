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

// However binding and leaving meet, no lead holds who left.
func TestWhoLeftIsHeldByNobody(t *testing.T) {
	t.Parallel()
	for range 2000 {
		e := &entry{}
		leads := [3]lead{}
		var group sync.WaitGroup
		for i := range leads {
			group.Go(func() { e.bind(&leads[i]) })
		}
		group.Go(e.leave)
		group.Wait()
		for i := range leads {
			if leads[i].held.Load() != nil {
				t.Fatalf("lead %d holds a tenant that left", i)
			}
		}
	}
}
