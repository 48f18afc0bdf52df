package record

import (
	"fmt"
	"testing"

	"lojal.dev/lojal/internal/books"
)

func TestNoMoreMergesAreRememberedThanOfUse(t *testing.T) {
	t.Parallel()
	ref := func(n int) books.Ref { return books.Ref{Program: "shop", Member: fmt.Sprint(n)} }
	var m merges
	if into, ok := m.find(ref(1)); ok {
		t.Errorf("%v, and nobody was merged", into)
	}
	const all = 5 * keptMerges
	for n := range all {
		m.remember(ref(n), ref(n+1))
		m.remember(ref(n), ref(n+1))
	}
	if n := len(m.young) + len(m.old); n > 2*keptMerges {
		t.Errorf("%d merges are remembered", n)
	}
	for n := all - keptMerges; n < all; n++ {
		if into, ok := m.find(ref(n)); !ok || into != ref(n+1) {
			t.Fatalf("%d of %d was merged into %v %v", n, all, into, ok)
		}
	}
	if into, ok := m.find(ref(0)); ok {
		t.Errorf("%v is remembered still", into)
	}
}
