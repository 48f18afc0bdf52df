package enginetest

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
)

// take takes a fact; whether it is refused is no matter, but what is not a refusal is a fault.
func take(t *rapid.T, d *Desk, h *History, f engine.Fact) *Taken {
	r, err := d.Take(f)
	if errors.Is(err, ErrBroken) || err != nil && errs.CodeOf(err) == errs.CodeInternal {
		t.Fatalf("%s of %s at %s: %v", f.Kind, f.Member, f.OccurredAt, err)
	}
	if err != nil {
		return nil
	}
	h.Took(r.Fact)
	return r
}

func begin(t *rapid.T, o Options) (*Desk, *History) {
	p := Program(t, o)
	d, h := New(p), NewHistory(p, o, "kari", "ola", "per")
	d.Strict = true
	for _, m := range h.Members {
		take(t, d, h, h.Enrol(t, m))
	}
	return d, h
}

// Whatever happens, the books prove themselves after every fact, and a replay gives the same ones.
func TestAnyHistoryKeepsTheBooks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, h := begin(t, Options{})
		for range rapid.IntRange(1, 40).Draw(t, "facts") {
			if f, ok := h.Next(t); ok {
				take(t, d, h, f)
			}
			if err := d.Verify(); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Replay(); err != nil {
			t.Fatal(err)
		}
	})
}
