package member

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/program"
)

var (
	ctx   = context.Background()
	noon  = time.Date(2026, 3, 14, 11, 0, 0, 0, time.UTC)
	kaffe = &program.Compiled{Zone: time.UTC, Doc: &program.Document{
		Program: "kaffe", Country: "NO", Identifiers: map[string]program.Identifier{"plate": {}},
	}}
)

func TestNormalForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, in, want string }{
		{Phone, "900 00 000", "+4790000000"},
		{Phone, " +47 900 00 000 ", "+4790000000"},
		{Phone, "0047 90000000", "+4790000000"},
		{Phone, "+46 70-123 45 67", "+46701234567"},
		{Phone, "+45 20 12 34 56", "+4520123456"},
		{Phone, "(+47) 900.00.000", ""},
		{Phone, "900", ""},
		{Phone, "+47 900 00 000 000 000", ""},
		{Phone, "0800 FLOWERS", ""},
		{Phone, "+999 12345678", ""},
		{Phone, "", ""},
		{Email, " Kari.Nordmann@Example.ORG ", "kari.nordmann@example.org"},
		{Email, "kari+kaffe@example.org", "kari+kaffe@example.org"},
		{Email, "kari", ""},
		{Email, "kari@example", ""},
		{Email, "Kari <kari@example.org>", ""},
		{Email, "kari@@example.org", ""},
		{Email, "kari@example.org, ola@example.org", ""},
		{Card, " 1001-ABCd ", "1001-ABCd"},
		{Card, "100", ""},
		{Card, "1001 2002", ""},
		{Card, strings.Repeat("1", 41), ""},
		{Ext, " 4711/Å ", "4711/Å"},
		{Ext, "", ""},
		{Ext, "a\x00b", ""},
		{Ext, strings.Repeat("x", 101), ""},
		{"plate", "EV 12345", "EV 12345"},
		{"passport", "1", ""},
	} {
		got, err := Normalize(kaffe, c.kind, c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("Normalize(%s, %q) = %q, %v; want %q", c.kind, c.in, got, err, c.want)
		}
	}
}

func TestPhoneWithoutCountryNeedsItsCountryCode(t *testing.T) {
	t.Parallel()
	nowhere := &program.Compiled{Zone: time.UTC, Doc: &program.Document{Program: "x"}}
	if _, err := Normalize(nowhere, Phone, "90000000"); err == nil || !strings.Contains(err.Error(), "country code") {
		t.Errorf("got %v", err)
	}
	if got, err := Normalize(nowhere, Phone, "+4790000000"); err != nil || got != "+4790000000" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEveryMistakeIsToldWithItsPlace(t *testing.T) {
	t.Parallel()
	_, err := New{
		Profile: Profile{
			Name: "Kari", GivenName: "Kari", Email: "kari", Phone: "1", Language: "norsk språk", Zone: "Oslo", Birth: "1990-02-30",
			Country: "Norge", Postcode: strings.Repeat("1", 17), ExternalID: "\x01", Attributes: map[string]string{"a b": "x", "ok": "\x00"},
		},
		Identifiers: []Identifier{{"card", "1"}, {"passport", "1"}},
	}.Normal(kaffe, noon)
	e := errs.As(err)
	var got []string
	for _, f := range e.Fields {
		got = append(got, f.Pointer+" "+f.Reason)
		if !strings.HasSuffix(f.Message, ".") {
			t.Errorf("%s: %q is no sentence", f.Pointer, f.Message)
		}
	}
	want := []string{
		"/name name_twice", "/email invalid_email", "/phone invalid_phone", "/external_id invalid_ext", "/language invalid_language",
		"/zone invalid_zone", "/birth invalid_birth", "/country invalid_country", "/postcode too_long", "/attributes/a b invalid_name",
		"/attributes/ok invalid_text", "/identifiers/0/value invalid_card", "/identifiers/1/kind unknown_kind",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestBirth(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{
		"1990-05-17": true, "05-17": true, "02-29": true, "2000-02-29": true, "2026-03-14": true,
		"2026-03-15": false, "1899-12-31": false, "1990-02-29": false, "02-30": false, "17.05.1990": false, "1990": false, "5-17": false,
	} {
		if err := checkBirth(in, noon, time.UTC); (err == nil) != ok {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestNorwegianIsBokmal(t *testing.T) {
	t.Parallel()
	n, err := New{Profile: Profile{Language: "no", Country: "no", Postcode: " 0150 "}}.Normal(kaffe, noon)
	if err != nil || n.Language != "nb" || n.Country != "NO" || n.Postcode != "0150" {
		t.Errorf("%+v, %v", n, err)
	}
}

func write1[T any](t *testing.T, d *db.DB, fn func(tx *db.Tx) (T, error)) (T, error) {
	t.Helper()
	var out T
	err := d.Write(ctx, func(tx *db.Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	return out, err
}

func must[T any](t *testing.T, d *db.DB, fn func(tx *db.Tx) (T, error)) T {
	t.Helper()
	out, err := write1(t, d, fn)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func enrol(t *testing.T, d *db.DB, n New) Member {
	t.Helper()
	return must(t, d, func(tx *db.Tx) (Member, error) { return Enrol(ctx, tx, kaffe, n, noon) })
}

func TestEnrolFindAndGet(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := enrol(t, d, New{
			Profile: Profile{
				GivenName: "Kari", FamilyName: "Nordmann", Email: "Kari@Example.org", Phone: "900 00 000", Birth: "05-17", ExternalID: "4711",
				Attributes: map[string]string{"shoe": "38"},
			},
			Identifiers: []Identifier{{Card, "1001"}, {"plate", "EV 1"}},
		})
		want := []Identifier{{Card, "1001"}, {Email, "kari@example.org"}, {Ext, "4711"}, {Phone, "+4790000000"}, {"plate", "EV 1"}}
		if d := cmp.Diff(want, m.Identifiers); d != "" {
			t.Error(d)
		}
		for _, ref := range []string{m.ID, "card:1001", "phone:900 00 000", "phone:+4790000000", "email:KARI@example.org", "ext:4711", "plate:EV 1"} {
			got := must(t, d, func(tx *db.Tx) (string, error) { return Resolve(ctx, tx, kaffe, ref) })
			if got != m.ID {
				t.Errorf("%s gives %s", ref, got)
			}
		}
		got := must(t, d, func(tx *db.Tx) (Member, error) { return Find(ctx, tx, kaffe, Card, " 1001 ") })
		if d := cmp.Diff(m, got); d != "" {
			t.Errorf("what was enrolled and what is read differ: %s", d)
		}
		_, err := write1(t, d, func(tx *db.Tx) (string, error) { return Resolve(ctx, tx, kaffe, "card:9999") })
		if !errs.Is(err, errs.CodeNotFound, "member_not_found") {
			t.Error(err)
		}
		for _, ref := range []string{"", "mem_", "mem_x", "card:1", "passport:1"} {
			_, err := write1(t, d, func(tx *db.Tx) (string, error) { return Resolve(ctx, tx, kaffe, ref) })
			if !errs.Is(err, errs.CodeMalformed, "invalid_member_reference") {
				t.Errorf("%q: %v", ref, err)
			}
		}
		// Another program has members of its own.
		other := &program.Compiled{Zone: time.UTC, Doc: &program.Document{Program: "te", Country: "NO"}}
		twin := must(t, d, func(tx *db.Tx) (Member, error) {
			return Enrol(ctx, tx, other, New{Profile: Profile{Phone: "90000000"}}, noon)
		})
		if _, err := write1(t, d, func(tx *db.Tx) (Member, error) { return Get(ctx, tx, "kaffe", twin.ID) }); !errs.Is(err, errs.CodeNotFound, "") {
			t.Error(err)
		}
	})
}

func TestIdentifiersAreUniqueInTheProgram(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := enrol(t, d, New{Profile: Profile{Phone: "90000000"}})
		_, err := write1(t, d, func(tx *db.Tx) (Member, error) {
			return Enrol(ctx, tx, kaffe, New{Profile: Profile{Email: "b@example.org", Phone: "+47 90000000"}}, noon)
		})
		if id, ok := Taken(err); !ok || id != a.ID || errs.As(err).Fields[0].Pointer != "/phone" {
			t.Fatal(err)
		}
		// The failed enrolment left nothing, though its transaction went on.
		out := must(t, d, func(tx *db.Tx) ([]Enrolled, error) {
			return EnrolAll(ctx, tx, kaffe, []New{
				{Profile: Profile{Email: "b@example.org", Phone: "90000000"}},
				{Profile: Profile{Email: "b@example.org", ExternalID: "1"}},
				{Profile: Profile{ExternalID: "1"}},
				{Profile: Profile{Birth: "never"}},
				{Profile: Profile{ExternalID: "2"}},
			}, noon)
		})
		if _, ok := Taken(out[0].Err); !ok || out[1].Err != nil || out[4].Err != nil || !errs.Is(out[3].Err, errs.CodeInvalid, "") {
			t.Fatalf("%+v", out)
		}
		if id, ok := Taken(out[2].Err); !ok || id != out[1].Member.ID {
			t.Fatal(out[2].Err)
		}
		got := must(t, d, func(tx *db.Tx) ([]Resolved, error) {
			return ResolveAll(ctx, tx, kaffe, []string{"ext:2", "email:b@example.org", "ext:9", "x", a.ID, "ext:2"})
		})
		if got[0].ID != out[4].Member.ID || got[1].ID != out[1].Member.ID || !errs.Is(got[2].Err, errs.CodeNotFound, "") ||
			!errs.Is(got[3].Err, errs.CodeMalformed, "") || got[4].ID != a.ID || got[5] != got[0] {
			t.Errorf("%+v", got)
		}
		list, _, err := list(t, d, Query{})
		if err != nil || len(list) != 3 {
			t.Errorf("%d members, %v", len(list), err)
		}
	})
}

func TestOneOfManyEnrolmentsAtOnceGetsTheCard(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var wg sync.WaitGroup
		failed := make([]error, 8)
		for k := range failed {
			wg.Go(func() {
				failed[k] = d.Write(ctx, func(tx *db.Tx) error {
					_, err := Enrol(ctx, tx, kaffe, New{Identifiers: []Identifier{{Card, "1001"}, {Card, fmt.Sprintf("card-%d", k)}}}, noon)
					return err
				})
			})
		}
		wg.Wait()
		won := 0
		for _, err := range failed {
			if err == nil {
				won++
			} else if _, ok := Taken(err); !ok {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d have the card", won)
		}
	})
}

func list(t *testing.T, d *db.DB, q Query) ([]Member, string, error) {
	t.Helper()
	var out []Member
	var next string
	err := d.Read(ctx, func(tx *db.Tx) (err error) {
		out, next, err = List(ctx, tx, "kaffe", q)
		return err
	})
	return out, next, err
}

func TestListPagesAndSearches(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var all []string
		for k, n := range []New{
			{Profile: Profile{Name: "Åse Ødegård", Phone: "90000001"}},
			{Profile: Profile{Name: "Ola Nordmann", Email: "ola_n@example.org"}},
			{Profile: Profile{Name: "Søren Kjær"}, Identifiers: []Identifier{{Card, "CARD-77"}}},
			{Profile: Profile{ExternalID: "100%"}},
		} {
			_ = k
			all = append(all, enrol(t, d, n).ID)
		}
		var seen []string
		after := ""
		for {
			page, next, err := list(t, d, Query{After: after, Limit: 3})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range page {
				seen = append(seen, m.ID)
			}
			if after = next; next == "" {
				break
			}
		}
		if d := cmp.Diff(all, seen); d != "" {
			t.Error(d)
		}
		for search, want := range map[string]int{"ase odeg": 0, "ÅSE": 0, "ola_n": 1, "nordmann ola": 1, "+479000": 0, "card-77": 2, "kjaer": 2, "0%": 3} {
			got, _, err := list(t, d, Query{Search: search})
			if err != nil || len(got) != 1 || got[0].ID != all[want] {
				t.Errorf("%q: %v %v", search, got, err)
			}
		}
		if got, _, _ := list(t, d, Query{Search: "ola ase"}); len(got) != 0 {
			t.Errorf("words of two members found %v", got)
		}
		if got, _, err := list(t, d, Query{Search: "card-77"}); err != nil || len(got[0].Identifiers) != 1 {
			t.Errorf("%v %v", got, err)
		}
		if _, _, err := list(t, d, Query{After: "7"}); !errs.Is(err, errs.CodeMalformed, "invalid_cursor") {
			t.Error(err)
		}
	})
}

//go:fix inline

func TestUpdateMovesIdentifiersAndGuardsTheRevision(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := enrol(t, d, New{Profile: Profile{Name: "Kari Hansen", Email: "old@example.org", Attributes: map[string]string{"a": "1", "b": "2"}}})
		update := func(c Patch, revision int64) (Member, error) {
			return write1(t, d, func(tx *db.Tx) (Member, error) {
				return Update(ctx, tx, kaffe, m.ID, c, revision, noon.Add(time.Hour))
			})
		}
		got, err := update(Patch{
			GivenName: new("Kari"), FamilyName: new("Nordmann"), Email: new("New@example.org"), Birth: new("1990-05-17"),
			Attributes: map[string]*string{"a": nil, "c": new("3")},
		}, 1)
		if err != nil {
			t.Fatal(err)
		}
		want := Profile{GivenName: "Kari", FamilyName: "Nordmann", Email: "new@example.org", Birth: "1990-05-17", Attributes: map[string]string{"b": "2", "c": "3"}}
		if d := cmp.Diff(want, got.Profile); d != "" || got.Revision != 2 || !got.UpdatedAt.Equal(noon.Add(time.Hour)) {
			t.Errorf("revision %d, %s", got.Revision, d)
		}
		stored := must(t, d, func(tx *db.Tx) (Member, error) { return Get(ctx, tx, "kaffe", m.ID) })
		if d := cmp.Diff(got, stored); d != "" {
			t.Error(d)
		}
		if _, err := update(Patch{Name: new("x")}, 1); !errs.Is(err, errs.CodeConflict, "stale_revision") {
			t.Error(err)
		}
		if same, err := update(Patch{Email: new(" NEW@example.org ")}, 0); err != nil || same.Revision != 2 {
			t.Errorf("a change of nothing: revision %d, %v", same.Revision, err)
		}
		// The old address is free again.
		other := enrol(t, d, New{Profile: Profile{Email: "old@example.org"}})
		if _, err := update(Patch{Email: new("old@example.org")}, 0); err == nil {
			t.Error("took another's address")
		} else if id, _ := Taken(err); id != other.ID {
			t.Error(err)
		}
		if got, err := update(Patch{Email: new("")}, 2); err != nil || got.Email != "" || len(got.Identifiers) != 0 {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := update(Patch{Birth: new("soon")}, 0); !errs.Is(err, errs.CodeInvalid, "invalid_member") {
			t.Error(err)
		}
	})
}

func TestIdentifiersComeAndGo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := enrol(t, d, New{})
		add := func(kind, value string) (Member, error) {
			return write1(t, d, func(tx *db.Tx) (Member, error) {
				return AddIdentifier(ctx, tx, kaffe, m.ID, Identifier{kind, value}, noon)
			})
		}
		remove := func(kind, value string) (Member, error) {
			return write1(t, d, func(tx *db.Tx) (Member, error) {
				return RemoveIdentifier(ctx, tx, kaffe, m.ID, Identifier{kind, value}, noon)
			})
		}
		if got, err := add(Phone, "90000000"); err != nil || got.Phone != "+4790000000" || got.Revision != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		if got, err := add(Phone, "+4790000000"); err != nil || got.Revision != 2 {
			t.Errorf("again: %+v, %v", got, err)
		}
		if got, err := add(Phone, "90000009"); err != nil || got.Phone != "+4790000000" || len(got.Identifiers) != 2 {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := remove(Phone, "90000000"); err != nil || got.Phone != "+4790000009" || len(got.Identifiers) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := remove(Phone, "90000000"); !errs.Is(err, errs.CodeNotFound, "identifier_not_found") {
			t.Error(err)
		}
		if _, err := add(Card, "1"); errs.As(err).Fields[0].Pointer != "/value" {
			t.Error(err)
		}
		if got, _, err := list(t, d, Query{Search: "90000009"}); err != nil || len(got) != 1 {
			t.Errorf("not found by the new number: %v %v", got, err)
		}
	})
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ids := map[string]string{}
		for _, c := range []struct {
			name string
			Profile
		}{
			{"kari", Profile{GivenName: "Kari", FamilyName: "Ødegård", Birth: "1990-05-17", Email: "kari.odegard@gmail.com"}},
			{"kari2", Profile{Name: "ODEGARD, Kari", Birth: "1990-05-17", Email: "kariodegard+kaffe@googlemail.com"}},
			{"kari3", Profile{Name: "Kari Ødegård", Birth: "1990-05-17"}},
			{"ola", Profile{Name: "Ola Nordmann", Postcode: "0150"}},
			{"ola2", Profile{Name: "Ola  NORDMANN", Postcode: "0150"}},
			{"per", Profile{Name: "Per", Postcode: "0150"}},
			{"per2", Profile{Name: "Per", Postcode: "0150"}},
			{"nobody", Profile{Birth: "1990-05-17"}},
			{"nobody2", Profile{Birth: "1990-05-17"}},
		} {
			ids[c.name] = enrol(t, d, New{Profile: c.Profile}).ID
		}
		find := func(limit int) (all []Pair) {
			after := ""
			for {
				var page []Pair
				err := d.Read(ctx, func(tx *db.Tx) (err error) {
					page, after, err = Duplicates(ctx, tx, "kaffe", after, limit)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				if all = append(all, page...); after == "" {
					return all
				}
			}
		}
		want := []Pair{
			{ids["kari"], ids["kari2"], []string{AlikeEmail, AlikeBirth}},
			{ids["kari"], ids["kari3"], []string{AlikeBirth}},
			{ids["ola"], ids["ola2"], []string{AlikePostcode}},
		}
		for _, limit := range []int{1, 2, 50} {
			if d := cmp.Diff(want, find(limit)); d != "" {
				t.Errorf("pages of %d: %s", limit, d)
			}
		}
		must(t, d, func(tx *db.Tx) (Member, error) { return Repoint(ctx, tx, "kaffe", ids["ola2"], ids["ola"], noon) })
		if got := find(50); len(got) != 2 {
			t.Errorf("a merged member is still a duplicate: %v", got)
		}
	})
}

func TestRepointLosesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		stays := enrol(t, d, New{Profile: Profile{Name: "Kari N", Birth: "05-17", Phone: "90000000", Attributes: map[string]string{"a": "1"}}})
		gone := enrol(t, d, New{
			Profile:     Profile{Name: "Kari Nordmann", Birth: "1990-05-17", Phone: "90000001", Email: "k@example.org", Country: "NO", Postcode: "0150", Attributes: map[string]string{"a": "2", "b": "3"}},
			Identifiers: []Identifier{{Card, "1001"}},
		})
		got := must(t, d, func(tx *db.Tx) (Member, error) { return Repoint(ctx, tx, "kaffe", gone.ID, stays.ID, noon) })
		want := Profile{
			Name: "Kari N", Birth: "1990-05-17", Phone: "+4790000000", Email: "k@example.org", Country: "NO", Postcode: "0150",
			Attributes: map[string]string{"a": "1", "b": "3"},
		}
		if d := cmp.Diff(want, got.Profile); d != "" {
			t.Error(d)
		}
		for _, i := range slices.Concat(stays.Identifiers, gone.Identifiers) {
			if id := must(t, d, func(tx *db.Tx) (string, error) { return Resolve(ctx, tx, kaffe, i.String()) }); id != stays.ID {
				t.Errorf("%s leads to %s", i, id)
			}
		}
		old := must(t, d, func(tx *db.Tx) (Member, error) { return Get(ctx, tx, "kaffe", gone.ID) })
		if old.MergedInto != stays.ID || old.Name != "Kari Nordmann" || len(old.Identifiers) != 0 {
			t.Errorf("%+v", old)
		}
		_, err := write1(t, d, func(tx *db.Tx) (Member, error) {
			return Update(ctx, tx, kaffe, gone.ID, Patch{Name: new("x")}, 0, noon)
		})
		if !errs.Is(err, errs.CodeConflict, "member_merged") {
			t.Error(err)
		}
		if got, _, _ := list(t, d, Query{}); len(got) != 1 {
			t.Errorf("the list has %d members", len(got))
		}
		if got, _, _ := list(t, d, Query{Merged: true}); len(got) != 2 {
			t.Errorf("the whole list has %d members", len(got))
		}
	})
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"90000000", "+47 900 00 000", "kari@example.org", "1001", "\"a b\"@example.org", "00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, kind := range Kinds(kaffe) {
			once, err := Normalize(kaffe, kind, s)
			if err != nil {
				continue
			}
			if twice, err := Normalize(kaffe, kind, once); err != nil || twice != once {
				t.Errorf("%s %q gives %q, and that %q, %v", kind, s, once, twice, err)
			}
		}
	})
}
