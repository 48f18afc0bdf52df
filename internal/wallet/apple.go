package wallet

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto"
	"crypto/sha1" //nolint:gosec // the format wants it; the signature over the sums is made with SHA-256
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/smallstep/pkcs7"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/tint"
)

// Apple signs passes with the operator's certificate.
type Apple struct {
	cert, issuer   *x509.Certificate
	key            crypto.PrivateKey
	passType, team string
}

// userID is the part of a subject in which Apple writes the pass type (RFC 4519, uid).
var userID = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}

// NewApple reads the operator's certificate and key, as PEM, and the certificate of its issuer (Apple's WWDR intermediate), as PEM or as Apple hands it out. Pass type and team are
// those of the certificate. A mistake is malformed "apple_pass".
func NewApple(cert, key, wwdr []byte) (*Apple, error) {
	wrong := func(what string) error { return errs.Malformed("apple_pass", what) }
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, wrong("--apple-pass-cert and --apple-pass-key are no certificate and its key, both as PEM without a password. A .p12 file is turned into them by openssl: docs/wallet.md says how.")
	}
	a := &Apple{cert: pair.Leaf, key: pair.PrivateKey}
	if block, _ := pem.Decode(wwdr); block != nil {
		wwdr = block.Bytes
	}
	if a.issuer, err = x509.ParseCertificate(wwdr); err != nil {
		return nil, wrong("--apple-wwdr is no certificate.")
	}
	if err := a.cert.CheckSignatureFrom(a.issuer); err != nil {
		return nil, wrong(fmt.Sprintf("--apple-wwdr is not the certificate of the issuer of --apple-pass-cert: that is %q. Apple has several of them: take the one of that name and unit.", a.cert.Issuer.String()))
	}
	for _, name := range a.cert.Subject.Names {
		if text, ok := name.Value.(string); ok && name.Type.Equal(userID) {
			a.passType = text
		}
	}
	a.team = strings.Join(a.cert.Subject.OrganizationalUnit, "")
	if !strings.HasPrefix(a.passType, "pass.") || a.team == "" {
		return nil, wrong("--apple-pass-cert is no certificate for passes: its subject names no pass type (UID=pass.…) and team (OU).")
	}
	return a, nil
}

// Ends is when the certificate does.
func (a *Apple) Ends() time.Time { return a.cert.NotAfter }

// The form of pass.json: Apple, Wallet Passes, "Pass".
type applePass struct {
	FormatVersion      int            `json:"formatVersion"`
	PassTypeIdentifier string         `json:"passTypeIdentifier"`
	TeamIdentifier     string         `json:"teamIdentifier"`
	SerialNumber       string         `json:"serialNumber"`
	OrganizationName   string         `json:"organizationName"`
	Description        string         `json:"description"`
	LogoText           string         `json:"logoText"`
	BackgroundColor    string         `json:"backgroundColor"`
	ForegroundColor    string         `json:"foregroundColor"`
	LabelColor         string         `json:"labelColor"`
	SharingProhibited  bool           `json:"sharingProhibited"`
	Barcodes           []appleBarcode `json:"barcodes"`
	StoreCard          appleFields    `json:"storeCard"`
}

type appleBarcode struct {
	Format          string `json:"format"`
	Message         string `json:"message"`
	MessageEncoding string `json:"messageEncoding"`
	AltText         string `json:"altText"`
}

type appleFields struct {
	Header    []appleField `json:"headerFields,omitempty"`
	Primary   []appleField `json:"primaryFields"`
	Secondary []appleField `json:"secondaryFields,omitempty"`
	Auxiliary []appleField `json:"auxiliaryFields,omitempty"`
	Back      []appleField `json:"backFields,omitempty"`
}

type appleField struct {
	Key   string `json:"key"`
	Label string `json:"label,omitempty"`
	Value string `json:"value"`
	// No links are made of what looks like one.
	Detect []string `json:"dataDetectorTypes"`
}

// Pass makes a signed pass (.pkpass). A certificate that has ended is unavailable "apple_pass_ended".
func (a *Apple) Pass(c *Card, now time.Time) ([]byte, error) {
	if now.After(a.cert.NotAfter) {
		return nil, errs.Unavailable("apple_pass_ended", "The certificate for Apple Wallet has ended: the operator must renew it.")
	}
	rgb := func(x tint.Color) string { return fmt.Sprintf("rgb(%d, %d, %d)", x.R, x.G, x.B) }
	ink := c.Colour.Ink()
	list := func(fields ...Field) []appleField {
		var out []appleField
		for _, f := range fields {
			out = append(out, appleField{f.Key, f.Label.In(c.Lang), f.Value.In(c.Lang), []string{}})
		}
		return out
	}
	encoding := "iso-8859-1"
	if strings.ContainsFunc(c.Number, func(r rune) bool { return r > 0xff }) {
		encoding = "utf-8"
	}
	p := applePass{
		FormatVersion: 1, PassTypeIdentifier: a.passType, TeamIdentifier: a.team, SerialNumber: c.Program + "." + c.ID,
		OrganizationName: c.Name.In(c.Lang), Description: cmp.Or(c.About.In(c.Lang), c.Name.In(c.Lang)), LogoText: c.Name.In(c.Lang),
		BackgroundColor: rgb(c.Colour), ForegroundColor: rgb(ink), LabelColor: rgb(ink), SharingProhibited: true,
		Barcodes:  []appleBarcode{{"PKBarcodeFormatQR", c.Number, encoding, c.Number}},
		StoreCard: appleFields{Primary: list(c.Main), Back: list(c.Back...)},
	}
	if c.Corner != nil {
		p.StoreCard.Header = list(*c.Corner)
	}
	const wide = 3 // more fields on one line are cut off
	p.StoreCard.Secondary = list(c.More[:min(wide, len(c.More))]...)
	p.StoreCard.Auxiliary = list(c.More[min(wide, len(c.More)):]...)
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write pass.json: %w", err)
	}
	files := map[string][]byte{"pass.json": text}
	for _, l := range Languages {
		files[l+".lproj/pass.strings"] = c.strings(l)
	}
	for suffix, times := range map[string]int{"": 1, "@2x": 2, "@3x": 3} {
		if files["icon"+suffix+".png"], err = PNG(icon(c, 29*times)); err != nil {
			return nil, err
		}
		if c.Mark == nil {
			continue
		}
		if files["logo"+suffix+".png"], err = PNG(within(c.Mark, 160*times, 50*times)); err != nil {
			return nil, err
		}
	}
	return a.archive(files)
}

// strings are the texts of a card in a language, by those in the holder's own, which stand in pass.json: so who reads none of the languages sees texts, not names of texts.
func (c *Card) strings(lang string) []byte {
	texts := map[string]string{}
	add := func(t Text) {
		if own := t.In(c.Lang); own != "" {
			if _, known := texts[own]; !known {
				texts[own] = t.In(lang)
			}
		}
	}
	add(c.Name)
	add(c.About)
	for _, f := range c.fields() {
		add(f.Label)
		add(f.Value)
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`)
	var b strings.Builder
	for _, own := range slices.Sorted(maps.Keys(texts)) {
		fmt.Fprintf(&b, "\"%s\" = \"%s\";\n", quoted.Replace(own), quoted.Replace(texts[own]))
	}
	out := []byte{0xfe, 0xff} // UTF-16, as files of strings are
	for _, u := range utf16.Encode([]rune(b.String())) {
		out = append(out, byte(u>>8), byte(u))
	}
	return out
}

// archive adds the sums of the files and the signature over them, and packs all.
func (a *Apple) archive(files map[string][]byte) ([]byte, error) {
	sums := map[string]string{}
	for name, body := range files {
		sum := sha1.Sum(body) //nolint:gosec // see the import
		sums[name] = hex.EncodeToString(sum[:])
	}
	manifest, err := json.Marshal(sums)
	if err != nil {
		return nil, fmt.Errorf("write the sums of a pass: %w", err)
	}
	signature, err := a.sign(manifest)
	if err != nil {
		return nil, err
	}
	files["manifest.json"], files["signature"] = manifest, signature
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(files[name])
		}
		if err != nil {
			return nil, fmt.Errorf("pack a pass: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack a pass: %w", err)
	}
	return out.Bytes(), nil
}

// sign makes a detached signature (CMS, RFC 5652) with the time of signing and the issuer's certificate, as Apple wants it.
func (a *Apple) sign(content []byte) ([]byte, error) {
	data, err := pkcs7.NewSignedData(content)
	if err != nil {
		return nil, fmt.Errorf("sign a pass: %w", err)
	}
	data.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := data.AddSignerChain(a.cert, a.key, []*x509.Certificate{a.issuer}, pkcs7.SignerInfoConfig{}); err != nil {
		return nil, fmt.Errorf("sign a pass: %w", err)
	}
	data.Detach()
	out, err := data.Finish()
	if err != nil {
		return nil, fmt.Errorf("sign a pass: %w", err)
	}
	return out, nil
}
