package portal

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// withFriends gives a program a referral and something to pass on.
func withFriends(doc *program.Document) {
	fifty := &program.Thanks{Unit: "star", Amount: money.MustParse("50")}
	doc.Referral = &program.Referral{Friend: fifty, Referrer: fifty}
	doc.Shares = []program.Shared{{ID: "gift", Title: program.Text{"nb": "En kaffe til en venn", "sv": "En kaffe till en vän", "da": "En kaffe til en ven", "en": "A coffee for a friend"}, Reward: doc.Rewards[0].ID, Claim: &program.Period{N: 14, Unit: "day"}, For: "everybody"}}
}

var links = regexp.MustCompile(`href="http://[^"]*/portal/[a-z]+(/(?:friend|gift)/[^"]+)"`)

func TestAFriendComesByALink(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, true, withFriends)
		h.enrol(`{"given_name": "Kari", "email": "kari@example.no"}`)
		h.signIn("kari@example.no")
		if got := h.get("/friends"); !strings.Contains(got.text, "Make my link") || links.MatchString(got.text) {
			t.Fatalf("%d %s", got.StatusCode, got.text)
		}
		h.post("/friends/invite")
		got := h.get("/friends")
		found := links.FindStringSubmatch(got.text)
		if found == nil || !strings.Contains(got.text, `class="qr"`) || !strings.Contains(got.text, words.Say("en", "came.none")) {
			t.Fatalf("%s", got.text)
		}
		kari := h.c

		h.c = h.browser()
		if got := h.get(found[1]); !strings.HasSuffix(got.to(), "/sign-in") {
			t.Fatalf("%d %s", got.StatusCode, got.to())
		}
		h.signIn("ola@secret.example")
		if got := h.post("/join", "name", "Ola Secret", "agree", "yes"); !strings.Contains(got.to(), "/card") {
			t.Fatalf("%d %s", got.StatusCode, got.text)
		}
		var list struct {
			Items []struct {
				ID string `json:"id"`
			} `json:"items"`
		}
		h.staff(http.MethodGet, "/v1/members?email=ola@secret.example", "", &list)
		var ref struct {
			InvitedBy string `json:"invited_by"`
		}
		h.staff(http.MethodGet, "/v1/members/"+list.Items[0].ID+"/referral", "", &ref)
		if ref.InvitedBy == "" {
			t.Error("nobody brought the friend")
		}
		h.catchUp()
		h.c = kari
		if got := h.get("/friends"); !strings.Contains(got.text, words.Say("en", "came.joined")) || strings.Contains(got.text, "Ola") {
			t.Errorf("%s", got.text)
		}
		h.staff(http.MethodPost, "/v1/purchases", `{"member": "`+list.Items[0].ID+`", "amount": "250.00"}`, nil)
		h.catchUp()
		if got := h.get("/friends"); !strings.Contains(got.text, words.Say("en", "came.qualified")) || !strings.Contains(got.text, "+50 stars") {
			t.Errorf("%s", got.text)
		}

		// A link that is none keeps nobody out.
		h.c = h.browser()
		h.get("/friend/NOBODYS123")
		h.signIn("liv@example.no")
		if got := h.post("/join", "name", "Liv", "agree", "yes"); !strings.Contains(got.to(), "/card") {
			t.Errorf("%d %s", got.StatusCode, got.text)
		}
	})
}

func TestWhatIsPassedOnIsTakenOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, true, withFriends)
		h.enrol(`{"given_name": "Kari", "email": "kari@example.no"}`)
		h.enrol(`{"given_name": "Ola", "email": "ola@example.no"}`)
		h.signIn("kari@example.no")
		made := h.post("/friends/share", "key", "one", "share", "gift")
		gift := links.FindStringSubmatch(made.text)
		if gift == nil {
			t.Fatalf("%d %s", made.StatusCode, made.text)
		}
		got := h.get("/friends")
		if strings.Contains(got.text, gift[1]) {
			t.Error("the link is shown twice")
		}
		if got := h.post(gift[1]); got.StatusCode != http.StatusForbidden || !strings.Contains(got.text, words.Say("en", "refused.share_refused")) {
			t.Errorf("the giver takes it: %d %s", got.StatusCode, got.text)
		}
		kari := h.c
		h.c = h.browser()
		if got := h.get(gift[1]); !strings.Contains(got.to(), "/sign-in?next=") {
			t.Errorf("%d %s", got.StatusCode, got.to())
		}
		h.signIn("ola@example.no")
		if got := h.get(gift[1]); got.StatusCode != http.StatusOK || strings.Contains(got.text, "Kari") {
			t.Errorf("%d %s", got.StatusCode, got.text)
		}
		if got := h.post(gift[1]); !strings.Contains(got.to(), "said=claimed") {
			t.Fatalf("%d %s", got.StatusCode, got.text)
		}
		ola := h.c

		// What was taken back is nobody's.
		h.c = kari
		made = h.post("/friends/share", "key", "two", "share", "gift")
		gift = links.FindStringSubmatch(made.text)
		back := regexp.MustCompile(`/friends/share/[^"/]+/back`).FindString(made.text)
		if gift == nil || back == "" {
			t.Fatalf("%s", made.text)
		}
		h.c = ola
		if got := h.post(back); got.StatusCode != http.StatusNotFound {
			t.Errorf("another takes it back: %d", got.StatusCode)
		}
		h.c = kari
		if got := h.post(back); !strings.Contains(got.to(), "said=taken_back") {
			t.Errorf("%d %s", got.StatusCode, got.text)
		}
		h.c = ola
		if got := h.post(gift[1]); got.StatusCode != http.StatusConflict {
			t.Errorf("%d %s", got.StatusCode, got.text)
		}
	})
}

func TestFriendsAreShownWhereTheProgramHasThem(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enrol(`{"given_name": "Kari", "email": "kari@example.no"}`)
		h.signIn("kari@example.no")
		if got := h.get("/friends"); got.StatusCode != http.StatusNotFound {
			t.Errorf("%d", got.StatusCode)
		}
		if got := h.get("/home"); strings.Contains(got.text, "/friends") {
			t.Error("the menu leads to what is not there")
		}
	})
}
