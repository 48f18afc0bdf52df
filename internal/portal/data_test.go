package portal

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestAMemberChangesWhatIsKnown(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enrol(`{"given_name": "Kari", "email": "kari@example.no"}`)
		h.enrol(`{"given_name": "Ola", "email": "ola@example.no"}`)
		h.signIn("kari@example.no")
		if got := h.post("/me/data", "birth", "1990-05-17", "postcode", "0150"); got.StatusCode != http.StatusSeeOther {
			t.Fatalf("%d %s", got.StatusCode, got.text)
		}
		h.post("/me/data", "birth", "1990-06-17", "postcode", "0151")
		if got := h.get("/me/data"); !strings.Contains(got.text, "17 May 1990") || !strings.Contains(got.text, `value="0151"`) {
			t.Errorf("%s", got.text)
		}

		// Another address needs the code that is sent there, and the one before hears of it.
		if got := h.post("/me/address/email", "address", "no address"); got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got.text, words.Say("en", "refused.invalid_email")) {
			t.Errorf("%d %s", got.StatusCode, got.text)
		}
		if got := h.get("/me/address/email/code"); !strings.HasSuffix(got.to(), "/me/address/email") {
			t.Errorf("a code is asked for that was not sent: %d %s", got.StatusCode, got.to())
		}
		h.post("/me/address/email", "address", " Kari@New.example ")
		code, to, kind := h.code()
		if to != "kari@new.example" || kind != "email" {
			t.Fatalf("sent to %s by %s", to, kind)
		}
		if got := h.post("/me/address/email/code", "code", "000000"); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("a wrong code: %d", got.StatusCode)
		}
		if got := h.get("/me/data"); strings.Contains(got.text, "kari@new.example") {
			t.Error("the address is there before its code")
		}
		if got := h.post("/me/address/email/code", "code", code); !strings.Contains(got.to(), "said=kept") {
			t.Fatalf("%d %s", got.StatusCode, got.text)
		}
		if _, to, _ := h.code(); to != "kari@example.no" {
			t.Errorf("the address before hears nothing: %s", to)
		}
		if got := h.get("/me/data"); !strings.Contains(got.text, "kari@new.example") {
			t.Errorf("%s", got.text)
		}

		// What somebody else has is theirs.
		h.post("/me/address/email", "address", "ola@example.no")
		code, _, _ = h.code()
		if got := h.post("/me/address/email/code", "code", code); got.StatusCode != http.StatusConflict || !strings.Contains(got.text, "Another membership has this address.") {
			t.Errorf("%d %s", got.StatusCode, got.text)
		}
		// A phone is another page, whose code does for no e-mail address.
		h.post("/me/address/phone", "address", "900 00 007")
		code, to, kind = h.code()
		if to != "+4790000007" || kind != "sms" {
			t.Errorf("%s %s", to, kind)
		}
		if got := h.get("/me/address/email/code"); !strings.HasSuffix(got.to(), "/me/address/email") {
			t.Errorf("%d %s", got.StatusCode, got.to())
		}
		if got := h.post("/me/address/phone/code", "code", code); !strings.Contains(got.to(), "said=kept") {
			t.Errorf("%d %s", got.StatusCode, got.text)
		}
		if got := h.get("/me/address/card"); got.StatusCode != http.StatusNotFound {
			t.Errorf("%d", got.StatusCode)
		}
	})
}

func TestACopyHoldsAllThatIsTheirs(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.enrol(`{"given_name": "Kari", "email": "kari@example.no"}`)
		other := h.enrol(`{"given_name": "Bjarne", "email": "bjarne@example.no"}`)
		for range 3 {
			h.staff(http.MethodPost, "/v1/purchases", `{"member": "`+id+`", "amount": "250.00"}`, nil)
			h.staff(http.MethodPost, "/v1/purchases", `{"member": "`+other+`", "amount": "90.00"}`, nil)
		}
		h.signIn("kari@example.no")
		got := h.get("/me/data/copy")
		if d := got.Header.Get("Content-Disposition"); d != `attachment; filename="`+h.id()+`-2026-11-22.json"` {
			t.Errorf("%s", d)
		}
		var all struct {
			Member struct {
				Email string `json:"email"`
			} `json:"member"`
			Balances struct {
				Balances map[string]struct {
					Balance string `json:"balance"`
				} `json:"balances"`
			} `json:"balances"`
			Facts []struct {
				Kind        string `json:"kind"`
				Explanation *struct {
					Sentences []any `json:"sentences"`
				} `json:"explanation"`
			} `json:"facts"`
			Sessions []any `json:"sessions"`
		}
		if err := json.Unmarshal([]byte(got.text), &all); err != nil {
			t.Fatalf("%v: %s", err, got.text)
		}
		if all.Member.Email != "kari@example.no" || all.Balances.Balances["star"].Balance == "" || len(all.Facts) < 4 || len(all.Sessions) != 1 {
			t.Errorf("%s", got.text)
		}
		for _, f := range all.Facts {
			if f.Kind == "purchase" && (f.Explanation == nil || len(f.Explanation.Sentences) == 0) {
				t.Errorf("a purchase without why: %s", got.text)
			}
		}
		if strings.Contains(got.text, other) || strings.Contains(got.text, "Bjarne") || strings.Contains(got.text, `"Till"`) {
			t.Errorf("the copy tells of others: %s", got.text)
		}
	})
}

func TestLeavingSaysWhatIsLost(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.enrol(`{"given_name": "Kari", "email": "kari@example.no"}`)
		h.staff(http.MethodPost, "/v1/purchases", `{"member": "`+id+`", "amount": "250.00"}`, nil)
		h.signIn("kari@example.no")
		if got := h.get("/me/leave"); !strings.Contains(got.text, "stars") || !strings.Contains(got.text, words.Say("en", "leave.names")) {
			t.Errorf("%s", got.text)
		}
		if got := h.post("/me/leave", "key", "k"); got.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%d", got.StatusCode)
		}
		if got := h.post("/me/leave", "key", "k", "sure", "yes"); got.StatusCode != http.StatusSeeOther {
			t.Fatalf("%d %s", got.StatusCode, got.text)
		}
		if got := h.get("/home"); !strings.Contains(got.text, words.Say("en", "status.closed")) {
			t.Errorf("%s", got.text)
		}
		if got := h.get("/me/leave"); !strings.HasSuffix(got.to(), "/home") {
			t.Errorf("%d %s", got.StatusCode, got.to())
		}
		for _, p := range []string{"/me/data", "/me/data/copy"} {
			if got := h.get(p); got.StatusCode != http.StatusOK {
				t.Errorf("%s of who has left: %d %s", p, got.StatusCode, got.text)
			}
		}
	})
}
