package scenario

import (
	"maps"
	"slices"
	"testing"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/version"
)

// described sees that every event in the database is one that engine.EventTypes describes, with the data that it says, and that
// every type and field that it describes was seen: so receivers can rely on what is documented.
func described(t *testing.T, d *db.DB) {
	t.Helper()
	dbtest.Settle(t, d)
	seen, fields := map[string]bool{}, map[string]bool{}
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		programs, err := version.Programs(t.Context(), tx)
		if err != nil {
			return err
		}
		for _, p := range programs {
			for after := (books.Cursor{}); ; {
				list, err := books.Events(t.Context(), tx, p.ID, after, 500)
				if err != nil {
					return err
				}
				for _, e := range list {
					seen[e.Type] = true
					after = e.Cursor
					check(t, e, fields)
				}
				if len(list) == 0 {
					break
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range engine.EventTypes {
		if !seen[typ.Type] && typ.Type != engine.EvProfile { // a profile is changed beside the facts; record's own tests do
			t.Errorf("%s is described, and no scenario leads to it", typ.Type)
		}
		for _, f := range typ.Fields { // none of them was seen when the type was not
			if seen[typ.Type] && !fields[typ.Type+" "+f.Name] {
				t.Errorf("%s of %s is described, and no scenario leads to it", f.Name, typ.Type)
			}
		}
	}
}

func check(t *testing.T, e books.Event, fields map[string]bool) {
	t.Helper()
	typ, ok := engine.EventTypeOf(e.Type)
	if !ok {
		t.Errorf("%s is not described", e.Type)
		return
	}
	data := maps.Clone(e.Data)
	for _, f := range typ.Fields {
		value, has := data[f.Name]
		if !has && !f.Optional {
			t.Errorf("%s has no %s: %v", e.Type, f.Name, data)
		}
		if has {
			fields[e.Type+" "+f.Name] = true
		}
		if _, err := time.Parse(time.RFC3339, value); has && f.Time && err != nil {
			t.Errorf("%s of %s: %v", f.Name, e.Type, err)
		}
		delete(data, f.Name)
	}
	if len(data) > 0 {
		t.Errorf("%s has %v, which is not described", e.Type, slices.Sorted(maps.Keys(data)))
	}
}
