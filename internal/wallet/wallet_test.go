package wallet_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/smallstep/pkcs7"
	"golang.org/x/text/encoding/unicode"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/tint"
	"lojal.dev/lojal/internal/wallet"
	"lojal.dev/lojal/internal/wallet/wallettest"
)

func same(s string) wallet.Text { return wallet.Text{"nb": s, "sv": s, "da": s, "en": s} }

func card() *wallet.Card {
	return &wallet.Card{
		ID: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4", Program: "kaffebaren", Name: wallet.Text{"nb": "Kaffestjerner", "sv": "Kaffestjärnor", "da": "Kaffestjerner", "en": "Coffee Stars"},
		About: wallet.Text{"nb": "Medlemskort", "en": "Membership card"}, Holder: `Kåre "K" Ødegård\`, Number: "1001000200030004",
		Main:   wallet.Field{Key: "unit_star", Label: wallet.Text{"nb": "Stjerner", "sv": "Stjärnor", "da": "Stjerner", "en": "Stars"}, Value: wallet.Text{"nb": "1 234", "sv": "1 234", "da": "1.234", "en": "1,234"}},
		Corner: &wallet.Field{Key: "tier_club", Label: same("Nivå"), Value: wallet.Text{"nb": "Gull", "sv": "Guld", "da": "Guld", "en": "Gold"}},
		More:   []wallet.Field{{Key: "holder", Label: same("Medlem"), Value: same(`Kåre "K" Ødegård\`)}, {Key: "a", Label: same("A"), Value: same("1")}, {Key: "b", Label: same("B"), Value: same("2")}, {Key: "c", Label: same("C"), Value: same("3")}},
		Back:   []wallet.Field{{Key: "note", Label: same("Kortet"), Value: same("Linje 1\nlinje 2")}},
		Colour: tint.Must("#6b3f1d"), Lang: "nb", MarkURL: "https://lojal.example.no/marks/kaffebaren", Home: "https://lojal.example.no/portal/kaffebaren",
	}
}

// opened are the files of a pass.
func opened(t *testing.T, pass []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(pass), int64(len(pass)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if out[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
	}
	return out
}

func TestAPassIsWholeAndSigned(t *testing.T) {
	t.Parallel()
	o := wallettest.Apple(t, wallettest.ForPasses, time.Now().Add(time.Hour))
	a, err := wallet.NewApple(o.Cert, o.Key, o.WWDR)
	if err != nil {
		t.Fatal(err)
	}
	mark := image.NewNRGBA(image.Rect(0, 0, 300, 100))
	for i := range 300 * 100 {
		mark.SetNRGBA(i%300, i/300, color.NRGBA{200, 30, 30, uint8(i % 256)})
	}
	for name, img := range map[string]image.Image{"with a picture": mark, "without one": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := card()
			c.Mark = img
			pass, err := a.Pass(c, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			files := opened(t, pass)
			var sums map[string]string
			if err := json.Unmarshal(files["manifest.json"], &sums); err != nil {
				t.Fatal(err)
			}
			if len(sums) != len(files)-2 {
				t.Errorf("%d sums of %d files", len(sums), len(files))
			}
			for name, sum := range sums {
				if got := sha1.Sum(files[name]); hex.EncodeToString(got[:]) != sum {
					t.Errorf("the sum of %s is another", name)
				}
			}
			for name, size := range map[string]int{"icon.png": 29, "icon@2x.png": 58, "icon@3x.png": 87} {
				if img, err := png.Decode(bytes.NewReader(files[name])); err != nil || img.Bounds().Dx() != size || img.Bounds().Dy() != size {
					t.Errorf("%s: %v", name, err)
				}
			}
			if logo, err := png.Decode(bytes.NewReader(files["logo@2x.png"])); (img != nil) != (err == nil) || err == nil && (logo.Bounds().Dx() > 320 || logo.Bounds().Dy() != 100) {
				t.Errorf("logo: %v", err)
			}
			signed(t, files["manifest.json"], files["signature"], o)
			inPython(t, pass, len(files))
		})
	}
}

// signed sees that a signature is over the content and that its chain ends in the root: by the library, and by OpenSSL where there is one.
func signed(t *testing.T, content, signature []byte, o wallettest.Papers) {
	t.Helper()
	p, err := pkcs7.Parse(signature)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Content) > 0 {
		t.Error("the signature holds the content: it is not detached")
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(o.Root)
	p.Content = content
	if err := p.VerifyWithChain(roots); err != nil {
		t.Error(err)
	}
	var at time.Time
	if err := p.UnmarshalSignedAttribute(pkcs7.OIDAttributeSigningTime, &at); err != nil || time.Since(at) > time.Minute {
		t.Errorf("signed at %v, %v", at, err)
	}
	p.Content = append([]byte{' '}, content...)
	if p.VerifyWithChain(roots) == nil {
		t.Error("another content is signed, too")
	}
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		return
	}
	dir := t.TempDir()
	for name, body := range map[string][]byte{"manifest": content, "signature": signature, "root": o.Root} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), openssl, "smime", "-verify", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "signature"), "-content", filepath.Join(dir, "manifest"), "-CAfile", filepath.Join(dir, "root"), "-purpose", "any").CombinedOutput()
	if err != nil {
		t.Errorf("openssl: %v: %s", err, out)
	}
}

// inPython reads the archive by another implementation, where there is one.
func inPython(t *testing.T, pass []byte, files int) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		return
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", "import sys,io,zipfile,json\nz=zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))\nassert z.testzip() is None\nprint(len(z.namelist()), json.loads(z.read('pass.json'))['storeCard']['primaryFields'][0]['value'])")
	cmd.Stdin, cmd.Env = bytes.NewReader(pass), append(os.Environ(), "PYTHONIOENCODING=utf-8")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != fmt.Sprintf("%d 1 234", files) {
		t.Errorf("python: %v: %s", err, out)
	}
}

func TestAPassSaysWhatTheCardDoesInEachLanguage(t *testing.T) {
	t.Parallel()
	o := wallettest.Apple(t, wallettest.ForPasses, time.Now().Add(time.Hour))
	a, err := wallet.NewApple(o.Cert, o.Key, o.WWDR)
	if err != nil {
		t.Fatal(err)
	}
	made, err := a.Pass(card(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	files := opened(t, made)
	type field struct {
		Key   string `json:"key"`
		Label string `json:"label"`
		Value string `json:"value"`
	}
	var pass struct {
		FormatVersion      int    `json:"formatVersion"`
		PassTypeIdentifier string `json:"passTypeIdentifier"`
		TeamIdentifier     string `json:"teamIdentifier"`
		SerialNumber       string `json:"serialNumber"`
		OrganizationName   string `json:"organizationName"`
		Description        string `json:"description"`
		BackgroundColor    string `json:"backgroundColor"`
		ForegroundColor    string `json:"foregroundColor"`
		Barcodes           []struct {
			Format          string `json:"format"`
			Message         string `json:"message"`
			MessageEncoding string `json:"messageEncoding"`
		} `json:"barcodes"`
		StoreCard struct {
			HeaderFields    []field `json:"headerFields"`
			PrimaryFields   []field `json:"primaryFields"`
			SecondaryFields []field `json:"secondaryFields"`
			AuxiliaryFields []field `json:"auxiliaryFields"`
		} `json:"storeCard"`
	}
	if err := json.Unmarshal(files["pass.json"], &pass); err != nil {
		t.Fatal(err)
	}
	if pass.FormatVersion != 1 || pass.PassTypeIdentifier != "pass.no.kaffebaren" || pass.TeamIdentifier != "TEAM123456" || pass.SerialNumber != "kaffebaren.mem_01k9zjq3hfe1f8m6v7j0q3x5c4" ||
		pass.BackgroundColor != "rgb(107, 63, 29)" || pass.ForegroundColor != "rgb(255, 255, 255)" || pass.OrganizationName != "Kaffestjerner" || pass.Description != "Medlemskort" {
		t.Errorf("%+v", pass)
	}
	if len(pass.Barcodes) != 1 || pass.Barcodes[0].Format != "PKBarcodeFormatQR" || pass.Barcodes[0].Message != "1001000200030004" || pass.Barcodes[0].MessageEncoding != "iso-8859-1" {
		t.Errorf("%+v", pass.Barcodes)
	}
	s := pass.StoreCard
	if len(s.HeaderFields) != 1 || s.HeaderFields[0].Value != "Gull" || s.PrimaryFields[0] != (field{"unit_star", "Stjerner", "1 234"}) || len(s.SecondaryFields) != 3 || len(s.AuxiliaryFields) != 1 || s.SecondaryFields[0].Value != `Kåre "K" Ødegård\` {
		t.Errorf("%+v", s)
	}
	for lang, want := range map[string][]string{
		"nb": {`"Stjerner" = "Stjerner";`, `"Gull" = "Gull";`}, "sv": {`"Stjerner" = "Stjärnor";`, `"Gull" = "Guld";`, `"Kaffestjerner" = "Kaffestjärnor";`},
		"da": {`"1 234" = "1.234";`, `"Gull" = "Guld";`}, "en": {`"1 234" = "1,234";`, `"Gull" = "Gold";`, `"Medlemskort" = "Membership card";`, `"Kåre \"K\" Ødegård\\" = "Kåre \"K\" Ødegård\\";`, `"Linje 1\nlinje 2" = "Linje 1\nlinje 2";`},
	} {
		text, err := unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder().Bytes(files[lang+".lproj/pass.strings"])
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(string(text), w+"\n") {
				t.Errorf("%s says not %s:\n%s", lang, w, text)
			}
		}
	}
}

func TestPapersThatAreNotForPasses(t *testing.T) {
	t.Parallel()
	good, other := wallettest.Apple(t, wallettest.ForPasses, time.Now().Add(time.Hour)), wallettest.Apple(t, wallettest.ForPasses, time.Now().Add(time.Hour))
	web := wallettest.Apple(t, pkix.Name{CommonName: "lojal.example.no"}, time.Now().Add(time.Hour))
	for name, c := range map[string]struct {
		cert, key, wwdr []byte
		says            string
	}{
		"another's key":    {good.Cert, other.Key, good.WWDR, "no certificate and its key"},
		"no key":           {good.Cert, []byte("s3cret"), good.WWDR, "no certificate and its key"},
		"another's issuer": {good.Cert, good.Key, other.WWDR, "not the certificate of the issuer"},
		"no issuer":        {good.Cert, good.Key, []byte("x"), "--apple-wwdr is no certificate"},
		"a web server's":   {web.Cert, web.Key, web.WWDR, "no certificate for passes"},
	} {
		if _, err := wallet.NewApple(c.cert, c.key, c.wwdr); !errs.Is(err, errs.CodeMalformed, "apple_pass") || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	der, _ := pem.Decode(good.WWDR)
	a, err := wallet.NewApple(good.Cert, good.Key, der.Bytes) // as Apple hands it out
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Pass(card(), a.Ends().Add(time.Second)); !errs.Is(err, errs.CodeUnavailable, "apple_pass_ended") {
		t.Errorf("a pass by a certificate that has ended: %v", err)
	}
}

func TestALinkSavesTheCard(t *testing.T) {
	t.Parallel()
	file, public := wallettest.Google(t, 2048)
	g, err := wallet.NewGoogle("3388000000012345678", file)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := card()
	c.Lang = "sv"
	link, err := g.Link(c, now)
	if err != nil {
		t.Fatal(err)
	}
	signed, ok := strings.CutPrefix(link, "https://pay.google.com/gp/v/save/")
	if !ok || len(link) > 4000 {
		t.Errorf("a link of %d letters: %.60s", len(link), link)
	}
	var said struct {
		jwt.RegisteredClaims
		Typ     string `json:"typ"`
		Payload struct {
			Classes []map[string]any `json:"loyaltyClasses"`
			Objects []map[string]any `json:"loyaltyObjects"`
		} `json:"payload"`
	}
	token, err := jwt.ParseWithClaims(signed, &said, func(*jwt.Token) (any, error) { return public, nil }, jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience("google"), jwt.WithIssuer("lojal@example.iam.gserviceaccount.com"), jwt.WithIssuedAt())
	if err != nil {
		t.Fatal(err)
	}
	class, object := said.Payload.Classes[0], said.Payload.Objects[0]
	if token.Header["kid"] != "k1" || said.Typ != "savetowallet" || !said.IssuedAt.Equal(now.Truncate(time.Second)) || class["id"] != "3388000000012345678.kaffebaren" || object["classId"] != class["id"] ||
		class["programName"] != "Kaffestjärnor" || class["hexBackgroundColor"] != "#6b3f1d" || object["accountId"] != "1001000200030004" || object["accountName"] != `Kåre "K" Ødegård\` {
		t.Errorf("%v %v", class, object)
	}
	if uri := class["programLogo"].(map[string]any)["sourceUri"].(map[string]any)["uri"]; uri != "https://lojal.example.no/marks/kaffebaren" {
		t.Errorf("the logo is at %v", uri)
	}
	points := object["loyaltyPoints"].(map[string]any)
	if points["label"] != "Stjärnor" || points["balance"].(map[string]any)["string"] != "1 234" || object["barcode"].(map[string]any)["value"] != "1001000200030004" {
		t.Errorf("%v", object)
	}
	for _, url := range []string{"", "http://lojal.example.no/marks/x", "/marks/x"} {
		c.MarkURL = url
		if _, err := g.Link(c, now); !errs.Is(err, errs.CodeUnavailable, "google_wallet_address") {
			t.Errorf("a logo at %q: %v", url, err)
		}
	}
}

func TestKeysThatAreNoneOfAServiceAccount(t *testing.T) {
	t.Parallel()
	good, _ := wallettest.Google(t, 2048)
	weak, _ := wallettest.Google(t, 1024)
	for name, c := range map[string]struct {
		issuer string
		file   []byte
	}{
		"an issuer that is none": {"abc", good}, "a weak key": {"3388000000012345678", weak}, "no JSON": {"3388000000012345678", []byte("s3cret")},
		"another kind": {"3388000000012345678", []byte(`{"type":"authorized_user","client_email":"a@b","private_key":"s3cret"}`)}, "no key": {"3388000000012345678", []byte(`{"type":"service_account","client_email":"a@b","private_key":"s3cret"}`)},
	} {
		if _, err := wallet.NewGoogle(c.issuer, c.file); !errs.Is(err, errs.CodeMalformed, "google_wallet") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
