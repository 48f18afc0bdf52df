package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ask asks from inside in the right of a member.
func (h *house) ask(member, method, target, body string) *answer {
	h.t.Helper()
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.srv.Inside().ServeHTTP(w, req.WithContext(As(h.t.Context(), Asker{Program: "kaffebaren", Member: member, Scopes: []string{"admin"}, Name: "x"})))
	a := &answer{h.t, method + " " + target, w.Code, w.Header(), w.Body.Bytes(), nil}
	if strings.Contains(w.Header().Get("Content-Type"), "json") && w.Code != http.StatusNotModified {
		if err := json.Unmarshal(a.raw, &a.body); err != nil {
			h.t.Fatalf("%s: %v: %s", a.what, err, a.raw)
		}
	}
	return a
}

// denied sees that a request from inside was refused: the door that asked has the number of the request.
func (a *answer) denied(code int, reason string) {
	a.t.Helper()
	if p, _ := a.body.(map[string]any); a.code != code || p["reason"] != reason {
		a.t.Fatalf("%s: %d %s, want %d %s", a.what, a.code, a.raw, code, reason)
	}
}

// someone is a member with something of everything.
type someone struct{ id, purchase, redemption, use, share, code string }

func (h *house) someone(ext, name string) (s someone) {
	h.t.Helper()
	s.id = h.do("POST", "/v1/members", `{"external_id": "`+ext+`", "given_name": "`+name+`", "family_name": "Secret", "email": "`+name+`@example.no", "phone": "+479000`+ext+`", "identifiers": [{"kind": "card", "value": "CARD-`+name+`"}]}`).want(201).text("id")
	s.purchase = h.do("POST", "/v1/purchases", `{"member": "`+s.id+`", "source": "till-`+name+`", "external_id": "R-1", "amount": "4000.00"}`).want(201).text("id")
	s.redemption = h.do("POST", "/v1/redemptions", `{"member": "`+s.id+`", "reward": "tenth", "commit": true}`).want(201).text("redemptions", 0, "id")
	made := h.do("POST", "/v1/members/"+s.id+"/shares", `{"share": "friend20"}`).want(201)
	s.share, s.code = made.text("id"), made.text("code")
	s.use = h.do("POST", "/v1/members/"+s.id+"/benefits/free_refill/uses", `{}`).want(201).text("id")
	return s
}

// pathOf fills in a path what somebody has.
func pathOf(r *Route, s someone) string {
	path := r.Path
	for part := range strings.SplitSeq(r.Path, "/") {
		if strings.HasPrefix(part, "{") {
			name := strings.Trim(part, "{}")
			v := map[string]string{"member": s.id, "fact": s.purchase, "purchase": s.purchase, "redemption": s.redemption, "use": s.use, "id": s.purchase, "benefit": "free_refill", "share": s.share}[name]
			if v == "" {
				v = r.example(name)
			}
			path = strings.Replace(path, part, v, 1)
		}
	}
	return path
}

func bodyOf(r *Route, s someone) string {
	body := r.Body
	if body == "" && r.Method != http.MethodGet && r.Method != http.MethodDelete {
		body = "{}"
	}
	return strings.ReplaceAll(body, `"ext:4711"`, `"`+s.id+`"`)
}

// TestAMemberReachesWhatIsTheirsAndNothingElse asks every route there is in the right of a member: with another member's things in every place that can name
// one, and with the member's own.
func TestAMemberReachesWhatIsTheirsAndNothingElse(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		me, other := h.someone("0001", "Anna"), h.someone("0002", "Bjarne")
		friend := h.someone("0004", "Dina")
		theirs := regexp.MustCompile("Bjarne|CARD-B|90000002|Dina|" + friend.id + "|" + strings.Join([]string{other.id, other.purchase, other.redemption, other.use, other.share}, "|"))
		told := func(a *answer, place string) {
			t.Helper()
			if m := theirs.FindString(string(a.raw)); m != "" {
				t.Errorf("%s: %s tells %q of another member: %s", place, a.what, m, a.raw)
			}
		}
		answered := 0
		for _, r := range table() {
			name := r.Method + " " + r.Path
			if r.Scope == Open || len(r.Parts) > 0 {
				continue
			}
			before := h.count()
			for _, query := range []string{"", "?member=" + other.id, "?member=" + me.id + "&member=" + other.id, "?member=ext:0002", "?card=CARD-Bjarne"} {
				a := h.ask(me.id, r.Method, pathOf(r, other)+query, bodyOf(r, other))
				told(a, "another's")
				switch {
				case ownRoutes[name] == 0 || ownRoutes[name] == joins:
					a.denied(http.StatusForbidden, "not_for_members")
				case ownRoutes[name] == everybodys:
				case ownRoutes[name] == inQuery && query == "":
				case ownRoutes[name] == inQuery && strings.HasPrefix(query, "?card"):
					a.want(http.StatusBadRequest)
				case a.code != http.StatusNotFound && a.code != http.StatusBadRequest: // 400 where the route has no such parameter
					t.Errorf("%s is answered %d: %s", a.what, a.code, a.raw)
				}
			}
			if h.count() != before {
				t.Errorf("%s left something in the books", name)
			}
			if how := ownRoutes[name]; how == 0 || how == joins {
				h.ask(me.id, r.Method, pathOf(r, me), bodyOf(r, me)).denied(http.StatusForbidden, "not_for_members")
				continue
			}
			query := ""
			if ownRoutes[name] == inQuery {
				query = "?member=" + me.id
			}
			body := map[string]string{
				"PATCH /v1/members/{member}": `{"language": "sv"}`, "POST /v1/redemptions": `{"member": "` + me.id + `", "reward": "mug", "commit": true}`,
				"POST /v1/members/{member}/benefits/{benefit}/uses": `{}`, "POST /v1/members/{member}/shares": `{"share": "friend20"}`,
				"POST /v1/shares/claim": `{"member": "` + me.id + `", "code": "` + friend.code + `"}`,
			}[name]
			who := me
			if name == "POST /v1/members/{member}/close" { // after it nothing else is answered
				who = h.someone("0003", "Cara")
			}
			a := h.ask(who.id, r.Method, pathOf(r, who)+query, body)
			told(a, "their own")
			if a.code >= 400 && a.code != http.StatusConflict || a.code == http.StatusConflict && r.Method == http.MethodGet {
				t.Errorf("%s is answered %d: %s", a.what, a.code, a.raw)
			}
			answered++
		}
		if answered != len(ownRoutes)-1 {
			t.Errorf("%d of %d routes were asked", answered, len(ownRoutes)-1)
		}
		// What a member cannot say.
		for _, b := range []string{
			`"points": "1"`, `"household": true`, `"money": "1"`, `"occurred_at": "2026-01-01T00:00:00Z"`, `"source": "till"`, `"hold_seconds": 90000`, `"store": "oslo-1"`, `"total": "10"`, `"by": "x"`,
		} {
			h.ask(me.id, "POST", "/v1/redemptions", `{"member": "`+me.id+`", "reward": "coffee", "commit": true, `+b+`}`).denied(403, "not_for_members")
		}
		for _, ref := range []string{other.id, "ext:0002", "ext:0001", "card:CARD-Anna", "", "mem_x"} {
			h.ask(me.id, "POST", "/v1/redemptions", `{"member": "`+ref+`", "reward": "mug", "commit": true}`).denied(404, "member_not_found")
		}
		for _, b := range []string{`{"email": "x@example.no"}`, `{"external_id": "1"}`, `{"attributes": {"vip": "yes"}}`, `{"phone": null}`} {
			h.ask(me.id, "PATCH", "/v1/members/"+me.id, b).denied(403, "not_for_members")
		}
		// A day of birth is said once.
		h.ask(me.id, "PATCH", "/v1/members/"+me.id, `{"birth": "01-01", "postcode": "0150"}`).want(200)
		h.ask(me.id, "PATCH", "/v1/members/"+me.id, `{"birth": "02-01"}`).denied(403, "not_for_members")
		h.ask(me.id, "PATCH", "/v1/members/"+me.id, `{"birth": null}`).denied(403, "not_for_members")
		h.ask(me.id, "POST", "/v1/members/"+me.id+"/close", `{"reason": "x"}`).denied(403, "not_for_members")
		h.ask(me.id, "POST", "/v1/members/"+me.id+"/benefits/free_refill/uses", `{"occurred_at": "2026-01-01T00:00:00Z"}`).denied(403, "not_for_members")

		// Facts say what they gave and why, and neither who wrote them down nor what staff wrote.
		h.do("POST", "/v1/adjustments", `{"member": "`+me.id+`", "unit": "star", "amount": "5", "reason": "a difficult guest"}`).want(201)
		a := h.ask(me.id, "GET", "/v1/members/"+me.id+"/facts?include=explanation&limit=50", "").want(200)
		for _, never := range []string{`"actor"`, `"Till 1"`, "difficult", `"external_id":"R-`} {
			if strings.Contains(string(a.raw), never) {
				t.Errorf("a member is told %s: %s", never, a.raw)
			}
		}
		if a.text("items", 0, "adjusted", "star") != "5" {
			t.Errorf("%s", a.raw)
		}
	})
}

// TestAMemberChangesAnAddressThatWasShown takes an address that was shown to be the member's, and no other; whose an address is already is not told.
func TestAMemberChangesAnAddressThatWasShown(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		me, other := h.someone("0001", "Anna"), h.someone("0002", "Bjarne")
		shows := func(kind, value, body string) *answer {
			req := httptest.NewRequest(http.MethodPatch, "/v1/members/"+me.id, strings.NewReader(body))
			req.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.srv.Inside().ServeHTTP(w, req.WithContext(Proven(As(t.Context(), Asker{Program: "kaffebaren", Member: me.id}), kind, value)))
			a := &answer{t, "PATCH " + body, w.Code, w.Header(), w.Body.Bytes(), nil}
			if err := json.Unmarshal(a.raw, &a.body); err != nil {
				t.Fatal(err)
			}
			return a
		}
		shows("email", "new@example.no", `{"email": "new2@example.no"}`).denied(403, "not_for_members")
		shows("email", "new@example.no", `{"phone": "new@example.no"}`).denied(403, "not_for_members")
		shows("email", "new@example.no", `{"email": null}`).denied(403, "not_for_members")
		if a := shows("email", "new@example.no", `{"email": "new@example.no"}`).want(200); a.text("email") != "new@example.no" {
			t.Errorf("%s", a.raw)
		}
		shows("phone", "+4790000009", `{"phone": "+4790000009"}`).want(200)
		a := shows("email", "bjarne@example.no", `{"email": "bjarne@example.no"}`)
		a.denied(409, "identifier_taken")
		if strings.Contains(string(a.raw), other.id) {
			t.Errorf("it is told whose it is: %s", a.raw)
		}
	})
}

func TestANewcomerMayJoinAndNothingElse(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		me := h.someone("0001", "Anna")
		for _, r := range table() {
			if how := ownRoutes[r.Method+" "+r.Path]; r.Scope != Open && how != joins && how != everybodys && len(r.Parts) == 0 {
				h.ask(Newcomer, r.Method, pathOf(r, me), bodyOf(r, me)).denied(403, "not_for_members")
			}
		}
		for _, b := range []string{`"joined_at": "2020-01-01T00:00:00Z"`, `"external_id": "9"`, `"identifiers": [{"kind": "card", "value": "12345678"}]`, `"attributes": {"vip": "yes"}`, `"birth": "01-01"`} {
			h.ask(Newcomer, "POST", "/v1/members", `{"given_name": "Ola", "email": "ola@example.no", `+b+`}`).denied(403, "not_for_members")
		}
		id := h.ask(Newcomer, "POST", "/v1/members", `{"given_name": "Ola", "email": "ola@example.no", "language": "nb", "channel": "portal"}`).want(201).text("id")
		card := h.ask(id, "POST", "/v1/members/"+id+"/card", "").want(201)
		again := h.ask(id, "POST", "/v1/members/"+id+"/card", "").want(201)
		var numbers []string
		for _, a := range []*answer{card, again} {
			list, _ := a.get("identifiers").([]any)
			for _, i := range list {
				if one := i.(map[string]any); one["kind"] == "card" {
					numbers = append(numbers, one["value"].(string))
				}
			}
		}
		if len(numbers) != 2 || numbers[0] != numbers[1] || !regexp.MustCompile(`^29\d{14}$`).MatchString(numbers[0]) {
			t.Errorf("cards %q", numbers)
		}
		facts := h.do("GET", "/v1/members/"+id+"/facts", "").want(200)
		if facts.text("items", 0, "actor") != "member" {
			t.Errorf("%s", facts.raw)
		}
	})
}

func TestOwnRoutesAreOfTheTable(t *testing.T) {
	t.Parallel()
	there := map[string]string{}
	for _, r := range table() {
		there[r.Method+" "+r.Path] = r.Scope
	}
	var used []string
	for name := range ownRoutes {
		if there[name] == "" {
			t.Errorf("there is no %s", name)
		}
		used = append(used, there[name])
	}
	for _, s := range ownScopes {
		if !slices.Contains(used, s) {
			t.Errorf("no route of members needs %s", s)
		}
	}
}
