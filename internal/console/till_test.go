package console

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/staff"
	"lojal.dev/lojal/internal/version"
)

// shop is a house with the API behind it, and a program of punch cards.
type shop struct {
	*house
	person  staff.Person
	program string
}

func newShop(t *testing.T, d *db.DB) *shop {
	t.Helper()
	h := &house{t: t, d: d, now: noon}
	clock := func() time.Time { return h.now }
	versions := &version.Cache{}
	rec := record.New(d, versions)
	t.Cleanup(rec.Close)
	door := api.New(api.Config{DB: d, Recorder: rec, Versions: versions, Clock: clock})
	t.Cleanup(func() { _ = door.Close(context.Background()) })
	srv := httptest.NewServer(New(Config{DB: d, Versions: versions, API: door.Inside(), As: inRight, Clock: clock}))
	t.Cleanup(srv.Close)
	h.url = srv.URL
	text, err := program.Blueprint("punch-card")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := program.Parse(text, "punch-card")
	if err != nil {
		t.Fatal(err)
	}
	h.write(func(tx *db.Tx) error {
		_, err := version.Publish(ctx, tx, version.PublishInput{Program: doc.Program, Document: doc, By: "test", Now: h.now.Add(-24 * time.Hour)})
		return err
	})
	s := &shop{house: h, program: doc.Program}
	var token string
	s.person, token = h.person(doc.Program, staff.Store)
	h.as(token)
	return s
}

func inRight(ctx context.Context, id, program, name string, scopes []string) context.Context {
	return api.As(ctx, api.Asker{ID: id, Program: program, Name: name, Scopes: scopes})
}

// keep is something that a device kept; pairs are what was filled in, name and value by turns.
func (s *shop) keep(kind, key string, pairs ...string) map[string]any {
	form := map[string][]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form[pairs[i]] = append(form[pairs[i]], pairs[i+1])
	}
	return map[string]any{"kind": kind, "key": key, "staff": s.person.ID, "program": s.program, "at": s.now.Add(-time.Hour).Format(time.RFC3339), "form": form}
}

type answered struct {
	Outcome   string `json:"outcome"`
	Reason    string `json:"reason"`
	Text      string `json:"text"`
	Member    string `json:"member"`
	Fact      string `json:"fact"`
	Duplicate bool   `json:"duplicate"`
}

func (s *shop) ask(item any, change ...func(*http.Request)) (int, answered) {
	s.t.Helper()
	body, err := json.Marshal(item)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/console/till/send", strings.NewReader(string(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range change {
		c(req)
	}
	res := s.send(req)
	var out answered
	if err := json.Unmarshal([]byte(res.text), &out); err != nil {
		s.t.Fatalf("%d %s", res.StatusCode, res.text)
	}
	return res.StatusCode, out
}

func (s *shop) recorded(what string, item any) answered {
	s.t.Helper()
	status, out := s.ask(item)
	if status != http.StatusOK || out.Outcome != "recorded" {
		s.t.Fatalf("%s: %d %+v", what, status, out)
	}
	return out
}

func (s *shop) refused(what string, item any, reason, text string) {
	s.t.Helper()
	status, out := s.ask(item)
	if status != http.StatusOK || out.Outcome != "refused" || out.Reason != reason || !strings.Contains(out.Text, text) {
		s.t.Fatalf("%s: %d %+v", what, status, out)
	}
}

const (
	keyA = "AAAAAAAAAAAAAAAAAAAAAAAAAA"
	keyB = "BBBBBBBBBBBBBBBBBBBBBBBBBB"
	keyC = "CCCCCCCCCCCCCCCCCCCCCCCCCC"
	keyD = "DDDDDDDDDDDDDDDDDDDDDDDDDD"
	keyE = "EEEEEEEEEEEEEEEEEEEEEEEEEE"
)

// TestWhatADeviceKeptCountsOnce sends an enrolment, purchases and stamps again and again, as a device does that got no answer.
func TestWhatADeviceKeptCountsOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := newShop(t, d)
		enrolment := s.keep("enrolment", keyA, "phone", "910 00 777", "given_name", "Zara", "card", "880088")
		zara := s.recorded("enrol", enrolment)
		if again := s.recorded("enrol again", enrolment); again.Member != zara.Member {
			t.Errorf("enrolled twice: %+v and %+v", zara, again)
		}
		s.refused("another enrolment", s.keep("enrolment", keyB, "phone", "+47 91000777", "given_name", "Sara"), "identifier_taken", "Zara is a member already")
		s.refused("an enrolment of nobody", s.keep("enrolment", keyB, "given_name", "Sara"), "form", "phone number or a card number")

		purchase := s.keep("purchase", keyC, "member", "880088", "amount", "62,00", "receipt", "R-1", "store", "oslo-1", "category1", "coffee", "pieces1", "1", "part1", "42")
		first := s.recorded("purchase", purchase)
		for range 2 {
			if again := s.recorded("purchase again", purchase); again.Fact != first.Fact {
				t.Errorf("counted twice: %+v and %+v", first, again)
			}
		}
		if other := s.recorded("the same receipt by another device, later", s.keep("purchase", keyD, "member", "910 00 777", "amount", "62", "receipt", "R-1", "store", "oslo-1")); other.Fact != first.Fact || !other.Duplicate {
			t.Errorf("counted twice: %+v and %+v", first, other)
		}
		s.refused("another purchase by the same receipt", s.keep("purchase", keyD, "member", "880088", "amount", "63", "receipt", "R-1", "store", "oslo-1"), "duplicate_external_id", "receipt")
		s.refused("nobody", s.keep("purchase", keyD, "member", "12121212", "amount", "63"), "form", "No member has “12121212”")
		s.refused("no amount", s.keep("purchase", keyD, "member", "880088"), "form", "what the purchase came to")
		s.refused("too much", s.keep("purchase", keyD, "member", "880088", "amount", "10", "part1", "11"), "form", "more than the whole")

		stamp := s.keep("stamp", keyE, "member", "880088", "challenge", "coffee-card", "amount", "84", "pieces", "2")
		s.recorded("stamp", stamp)
		s.recorded("stamp again", stamp)
		page := s.get("/console/till/members/" + zara.Member)
		page.says(t, 200, "3 of 9 stamps")
		if strings.Contains(page.text, `action="/console/till/members/`+zara.Member+`/stamps/coffee-card"`) {
			t.Error("a purchase is stamped without an amount")
		}
		s.get("/console/till/members/"+zara.Member+"/stamps/coffee-card").says(t, 200, "Stamped by buying coffee")
		s.get("/console/till/members/"+zara.Member+"/stamps/nothing").says(t, 404, "cannot be stamped")
		s.refused("no such card", s.keep("stamp", keyD, "member", "880088", "challenge", "nothing"), "challenge", "cannot be stamped")
	})
}

// TestWhatADeviceKeptIsSentByNobodyElse: another of the staff, another program, another site, no session at all.
func TestWhatADeviceKeptIsSentByNobodyElse(t *testing.T) {
	t.Parallel()
	s := newShop(t, dbtest.Open(t, db.SQLite))
	item := s.keep("enrolment", keyA, "phone", "91000777", "given_name", "Zara")
	status, out := s.ask(item, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
	if status != 403 || out.Reason != "other_site" {
		t.Errorf("from another site: %d %+v", status, out)
	}
	status, out = s.ask(item, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") })
	if status != 400 || out.Reason != "media_type" {
		t.Errorf("as text: %d %+v", status, out)
	}
	item["program"] = "another"
	if status, out = s.ask(item); status != 409 || out.Reason != "other_program" {
		t.Errorf("in another program: %d %+v", status, out)
	}
	item["program"], item["key"] = s.program, "short"
	if status, out = s.ask(item); status != 400 || out.Reason != "key" {
		t.Errorf("without a key: %d %+v", status, out)
	}
	item["key"] = keyA
	_, token := s.house.person(s.program, staff.Owner)
	s.as(token)
	if status, out = s.ask(item); status != 409 || out.Reason != "other_staff" {
		t.Errorf("as another: %d %+v", status, out)
	}
	_, token = s.house.person(s.program, staff.Analyst)
	s.as(token)
	if status, out = s.ask(item); status != 403 || out.Reason != "role" {
		t.Errorf("as an analyst: %d %+v", status, out)
	}
	s.c = s.browser()
	if status, out = s.ask(item); status != 401 || out.Reason != "signed_out" {
		t.Errorf("as nobody: %d %+v", status, out)
	}
	if page := s.get("/console/till/now"); page.StatusCode != http.StatusSeeOther { // a person who opens it is led to sign in
		t.Errorf("nobody reads who is there: %d", page.StatusCode)
	}
}

// TestTheTillByPlainForms serves a member without a script: a purchase with what it would give, a reward, a guest's receipt, goods that come back.
func TestTheTillByPlainForms(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := newShop(t, d)
		s.get("/console").leads(t, "/console/till")
		res := s.post("/console/till/enrol", "phone", "91000777", "given_name", "Zara", "key", keyA)
		at, _, _ := strings.Cut(res.Header.Get("Location"), "?")
		if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(at, "/console/till/members/mem_") {
			t.Fatalf("%d %s\n%s", res.StatusCode, at, res.text)
		}
		s.post("/console/till/enrol", "phone", "91000777", "given_name", "Sara", "key", keyB).says(t, 409, "Zara is a member already")
		s.get("/console/till?q=91000777").leads(t, at)
		s.get("/console/till?q=Zara").leads(t, at)
		s.get("/console/till?q=98989898").says(t, 200, "No member has “98989898”")
		buy := []string{"amount", "378", "receipt", "R-1", "category1", "coffee", "pieces1", "9", "part1", "378", "key", keyC}
		s.post(at+"/purchase", append(buy, "do", "ask")...).says(t, 200, "This is what it would give")
		first := s.post(at+"/purchase", append(buy, "do", "record")...).Header.Get("Location")
		if again := s.post(at+"/purchase", append(buy, "do", "record")...).Header.Get("Location"); again != first || !strings.HasPrefix(first, at+"?said=purchase&fact=pur_") {
			t.Fatalf("%q and %q", first, again)
		}
		s.get(first).says(t, 200, "The purchase is recorded")
		s.get(at).says(t, 200, "At no points")
		s.get(at+"/rewards/coffee").says(t, 200, "Redeem now")
		s.post(at+"/rewards/coffee", "key", keyD, "option", "0").says(t, 200, "Hand it over")
		s.get(at+"/rewards/coffee").says(t, 200, "It cannot be had now")

		guest := s.post("/console/till/guest", "amount", "84", "receipt", "R-2", "category1", "coffee", "pieces1", "2", "part1", "84", "key", keyE)
		guest.says(t, 200, "Receipt R-2 waits")
		code := regexp.MustCompile(`class="code mono">([0-9A-Z-]+)<`).FindStringSubmatch(guest.text)
		if code == nil {
			t.Fatal(guest.text)
		}
		s.post(at+"/claim", "code", "WRONG-CODE", "key", "1"+keyA).says(t, 404, "<details class=\"panel\" open>")
		claimed := s.post(at+"/claim", "code", code[1], "key", "2"+keyA).Header.Get("Location")
		s.get(claimed).says(t, 200, "2 of 9 stamps")

		s.get("/console/till/return?receipt=R-1").says(t, 200, "378")
		s.post("/console/till/return", "receipt", "R-1", "purchase", "", "amount", "x", "key", "1"+keyB).Body.Close()
		find := regexp.MustCompile(`name="purchase" value="(pur_[0-9a-z]+)"`).FindStringSubmatch(s.get("/console/till/return?receipt=R-1").text)
		if find == nil {
			t.Fatal("the receipt is not found")
		}
		s.post("/console/till/return", "receipt", "R-1", "purchase", find[1], "key", "2"+keyB).leads(t, at+"?said=till_returned&fact="+s.lastOf(at))
		s.post("/console/till/return", "receipt", "R-404", "purchase", "", "key", "3"+keyB).says(t, 404, "No receipt has this number")
		s.post("/console/till/guest", "amount", "100", "receipt", "R-3", "key", "4"+keyB).says(t, 200, "Receipt R-3 waits")
		s.post("/console/till/return", "receipt", "R-3", "purchase", "", "key", "5"+keyB).leads(t, "/console/till?said=till_returned")
	})
}

// lastOf is the newest fact of a member.
func (s *shop) lastOf(at string) string {
	s.t.Helper()
	m := regexp.MustCompile(`/console/facts/([a-z]+_[0-9a-z]+)`).FindStringSubmatch(s.get(strings.Replace(at, "/till", "", 1) + "?show=bought").text)
	if m == nil {
		s.t.Fatal("there is no fact")
	}
	return m[1]
}

// TestTheShellOfTheTillHoldsNoMember: what a device keeps is the same whoever was served, and another edition once anything in it changes.
func TestTheShellOfTheTillHoldsNoMember(t *testing.T) {
	t.Parallel()
	s := newShop(t, dbtest.Open(t, db.SQLite))
	keys := regexp.MustCompile(`(name="key" value|data-back)="[^"]*"`)
	shell := func() string { return keys.ReplaceAllString(s.get("/console/till/offline").text, "") }
	before, worker := shell(), s.get("/console/till/worker.js")
	s.recorded("enrol", s.keep("enrolment", keyA, "phone", "91000777", "given_name", "Zara"))
	if after := shell(); after != before {
		t.Errorf("the page of the device has become\n%s", after)
	}
	if strings.Contains(before, "Zara") || strings.Contains(before, s.person.Name) || strings.Contains(before, s.person.ID) {
		t.Error("the page of the device names somebody")
	}
	if got := worker.Header.Get("Service-Worker-Allowed"); got != "/console/till" {
		t.Errorf("it may have %q", got)
	}
	if again := s.get("/console/till/worker.js"); again.text != worker.text {
		t.Error("the same shell is another edition")
	}
	if other := s.get("/console/till/worker.js?lang=nb"); other.text == worker.text {
		t.Error("a shell in another language is the same edition")
	}
	var app struct {
		Start string              `json:"start_url"`
		Icons []map[string]string `json:"icons"`
	}
	res := s.get("/console/till/app.webmanifest")
	if err := json.Unmarshal([]byte(res.text), &app); err != nil || app.Start != "/console/till" || len(app.Icons) == 0 {
		t.Errorf("%v %s", err, res.text)
	}
}
