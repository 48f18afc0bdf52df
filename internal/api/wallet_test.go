package api

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/text/encoding/unicode"

	"lojal.dev/lojal/internal/wallet"
	"lojal.dev/lojal/internal/wallet/wallettest"
)

var (
	phonesOnce sync.Once
	phonesMade Wallets
)

// phones are wallets that are set up, by papers of the tests' own.
func phones(t testing.TB) Wallets {
	t.Helper()
	phonesOnce.Do(func() {
		o := wallettest.Apple(t, wallettest.ForPasses, noon.AddDate(50, 0, 0))
		account, _ := wallettest.Google(t, 2048)
		var err error
		if phonesMade.Apple, err = wallet.NewApple(o.Cert, o.Key, o.WWDR); err != nil {
			t.Fatal(err)
		}
		if phonesMade.Google, err = wallet.NewGoogle("3388000000012345678", account); err != nil {
			t.Fatal(err)
		}
	})
	return phonesMade
}

// passOf is what a pass says: pass.json, and the texts of a language.
func passOf(t *testing.T, raw []byte, lang string) (pass map[string]any, texts string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		f, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	if err := json.Unmarshal(read("pass.json"), &pass); err != nil {
		t.Fatal(err)
	}
	decoded, err := unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder().Bytes(read(lang + ".lproj/pass.strings"))
	if err != nil {
		t.Fatal(err)
	}
	return pass, string(decoded)
}

func TestAMembersCardInAWallet(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.publish(strings.Replace(coffee, "units:", "look: {colour: \"#6b3f1d\", card: {nb: Vis kortet, en: Show it}}\nunits:", 1))
		id := h.do("POST", "/v1/members", `{"given_name": "Kåre", "family_name": "Ødegård", "external_id": "1", "language": "nb"}`).want(201).text("id")
		at := "/v1/members/" + id + "/wallet"
		h.do("GET", at+"/apple", "").denied(409, "no_card")
		h.do("GET", at+"/google", "").denied(409, "no_card")
		if a := h.do("GET", at, "").want(200); a.get("apple") != true || a.get("google") != true || a.get("card") != nil {
			t.Errorf("%s", a.raw)
		}
		h.do("POST", "/v1/members/"+id+"/identifiers", `{"kind": "card", "value": "10010002"}`).want(201)
		h.do("POST", "/v1/adjustments", `{"member": "ext:1", "unit": "star", "amount": "1234", "reason": "x"}`).want(201)
		a := h.do("GET", at+"/apple?lang=nb", "").want(200)
		pass, swedish := passOf(t, a.raw, "sv")
		text, err := json.Marshal(pass)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"message":"10010002"`, `Kåre Ødegård`, `"serialNumber":"kaffebaren.` + id + `"`, `"backgroundColor":"rgb(107, 63, 29)"`, `"Vis kortet"`, "https://lojal.example.no/portal/kaffebaren", "22. november 2026"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("the pass says not %s: %s", want, text)
			}
		}
		primary := pass["storeCard"].(map[string]any)["primaryFields"].([]any)[0].(map[string]any)
		if strings.Map(func(r rune) rune { return map[bool]rune{true: r, false: -1}[r >= '0' && r <= '9'] }, primary["value"].(string)) != "1239" {
			t.Errorf("the balance is %v, five for joining among it", primary)
		}
		if !strings.Contains(swedish, "\"Kortnummer\" = \"Kortnummer\";\n") || !strings.Contains(swedish, "\"Dine sider\" = \"Dina sidor\";\n") {
			t.Errorf("%s", swedish)
		}
		if link := h.do("GET", at+"/google", "").want(200).text("url"); !strings.HasPrefix(link, "https://pay.google.com/gp/v/save/") {
			t.Errorf("%s", link)
		}
		h.do("GET", "/v1/members/mem_01k9zjq3hfe1f8m6v7j0q3x5c4/wallet/apple", "").denied(404, "member_not_found")
		h.do("POST", "/v1/members/"+id+"/block", `{"reason": "x"}`).want(201)
		h.do("GET", at+"/apple", "").denied(403, "member_blocked")
		h.do("POST", "/v1/members/"+id+"/close", `{"reason": "x"}`).want(201)
		h.do("GET", at+"/google", "").denied(409, "member_closed")
	})
}

func TestWalletsThatAreNotSetUp(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.do("POST", "/v1/members", `{"external_id": "1", "identifiers": [{"kind": "card", "value": "10010002"}]}`).want(201)
		h.srv.Wallets = Wallets{}
		h.do("GET", "/v1/members/ext:1/wallet/apple", "").denied(409, "no_apple_wallet")
		h.do("GET", "/v1/members/ext:1/wallet/google?lang=sv", "").denied(409, "no_google_wallet")
		if a := h.do("GET", "/v1/members/ext:1/wallet", "").want(200); a.get("apple") != false || a.get("google") != false || a.get("card") != "10010002" {
			t.Errorf("%s", a.raw)
		}
		h.srv.Wallets, h.srv.URL = phones(t), "http://127.0.0.1:8321"
		h.do("GET", "/v1/members/ext:1/wallet/google", "").denied(409, "no_google_wallet")
		if a := h.do("GET", "/v1/members/ext:1/wallet", "").want(200); a.get("apple") != true || a.get("google") != false {
			t.Errorf("%s", a.raw)
		}
	})
}

// Google and browsers fetch a program's picture without a key.
func TestAMarkIsThereForEverybody(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		get := func(path string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h.srv.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
			return w
		}
		drawn := get("/marks/kaffebaren")
		if _, err := png.Decode(drawn.Body); err != nil || drawn.Code != 200 || drawn.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%d %v %v", drawn.Code, err, drawn.Header())
		}
		const own = "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgAQMAAABJtOi3AAAAA1BMVEVrPx3YIF/+AAAADElEQVR42mNgGNwAAACgAAGO+7G0AAAAAElFTkSuQmCC"
		h.pass(time.Minute)
		h.publish(strings.Replace(coffee, "units:", "look: {picture: \"data:image/png;base64,"+own+"\"}\nunits:", 1))
		mine := get("/marks/kaffebaren")
		if img, err := png.Decode(mine.Body); err != nil || img.Bounds().Dx() != 32 || mine.Header().Get("Content-Type") != "image/png" {
			t.Errorf("%v %v", err, mine.Header())
		}
		for _, none := range []string{"/marks/nobody", "/marks/x'y", "/marks/" + strings.Repeat("x", 300)} {
			if w := get(none); w.Code != 404 {
				t.Errorf("%s: %d", none, w.Code)
			}
		}
	})
}

func TestWordsOfCardsAreInEveryLanguage(t *testing.T) {
	t.Parallel()
	for name, words := range cardWords {
		for _, l := range wallet.Languages {
			if words[l] == "" {
				t.Errorf("%s has no words in %s", name, l)
			}
		}
		if len(words) != len(wallet.Languages) || !slices.Contains(wallet.Languages, "nb") {
			t.Errorf("%s: %v", name, words)
		}
	}
}
