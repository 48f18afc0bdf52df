package wallet

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"lojal.dev/lojal/internal/errs"
)

// saveAt is where a card is saved (Google Wallet, "Add to Google Wallet" links).
const saveAt = "https://pay.google.com/gp/v/save/"

// Google signs links with the key of the operator's service account.
type Google struct {
	issuer, email, keyID string
	key                  *rsa.PrivateKey
}

var issuerForm = regexp.MustCompile(`^[0-9]{5,25}$`)

// NewGoogle reads the operator's issuer id and the key of a service account, as Google hands it out (JSON). A mistake is malformed "google_wallet".
func NewGoogle(issuer string, account []byte) (*Google, error) {
	wrong := func(what string) error { return errs.Malformed("google_wallet", what) }
	if !issuerForm.MatchString(issuer) {
		return nil, wrong("--google-wallet-issuer is a number, such as 3388000000012345678.")
	}
	var in struct {
		Type       string `json:"type"`
		Email      string `json:"client_email"`
		PrivateKey string `json:"private_key"`
		KeyID      string `json:"private_key_id"`
	}
	if err := json.Unmarshal(account, &in); err != nil || in.Type != "service_account" || in.Email == "" {
		return nil, wrong("--google-wallet-key is no key of a service account, as the Google Cloud console hands it out as JSON.")
	}
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(in.PrivateKey))
	if err != nil || key.N.BitLen() < 2048 {
		return nil, wrong("--google-wallet-key holds no RSA key of at least 2048 bits.")
	}
	return &Google{issuer: issuer, email: in.Email, keyID: in.KeyID, key: key}, nil
}

// The forms of the card: Google Wallet API, LoyaltyClass and LoyaltyObject.
type (
	googleClass struct {
		ID           string      `json:"id"`
		IssuerName   string      `json:"issuerName"`
		ProgramName  string      `json:"programName"`
		ProgramLogo  googleImage `json:"programLogo"`
		ReviewStatus string      `json:"reviewStatus"`
		Colour       string      `json:"hexBackgroundColor"`
	}
	googleImage struct {
		Source struct {
			URI string `json:"uri"`
		} `json:"sourceUri"`
	}
	googleObject struct {
		ID      string        `json:"id"`
		ClassID string        `json:"classId"`
		State   string        `json:"state"`
		Number  string        `json:"accountId"`
		Holder  string        `json:"accountName,omitempty"`
		Code    googleCode    `json:"barcode"`
		Points  googlePoints  `json:"loyaltyPoints"`
		Texts   []googleText  `json:"textModulesData,omitempty"`
		Links   *googleOfHome `json:"linksModuleData,omitempty"`
	}
	googleCode struct {
		Type  string `json:"type"`
		Value string `json:"value"`
		Alt   string `json:"alternateText"`
	}
	googlePoints struct {
		Label   string `json:"label"`
		Balance struct {
			Text string `json:"string"`
		} `json:"balance"`
	}
	googleText struct {
		ID     string `json:"id"`
		Header string `json:"header"`
		Body   string `json:"body"`
	}
	googleOfHome struct {
		URIs []googleURI `json:"uris"`
	}
	googleURI struct {
		URI  string `json:"uri"`
		Text string `json:"description"`
		ID   string `json:"id"`
	}
)

// Link makes a link that saves a card, in the holder's language: whoever opens it is asked whether to. MarkURL must be https, since Google fetches it.
func (g *Google) Link(c *Card, now time.Time) (string, error) {
	if u, err := url.Parse(c.MarkURL); err != nil || u.Scheme != "https" || u.Host == "" {
		return "", errs.Unavailable("google_wallet_address", "Google Wallet fetches the program's picture from this server: it must be told its public address with --url https://….")
	}
	class := googleClass{ID: g.issuer + "." + c.Program, IssuerName: c.Name.In(c.Lang), ProgramName: c.Name.In(c.Lang), ReviewStatus: "UNDER_REVIEW", Colour: c.Colour.String()}
	class.ProgramLogo.Source.URI = c.MarkURL
	object := googleObject{
		ID: g.issuer + "." + c.Program + "." + c.ID, ClassID: class.ID, State: "ACTIVE", Number: c.Number, Holder: c.Holder,
		Code: googleCode{"QR_CODE", c.Number, c.Number}, Points: googlePoints{Label: c.Main.Label.In(c.Lang)},
	}
	object.Points.Balance.Text = c.Main.Value.In(c.Lang)
	texts := c.More
	if c.Corner != nil {
		texts = append([]Field{*c.Corner}, texts...)
	}
	for _, f := range texts {
		object.Texts = append(object.Texts, googleText{f.Key, f.Label.In(c.Lang), f.Value.In(c.Lang)})
	}
	if c.Home != "" {
		object.Links = &googleOfHome{[]googleURI{{c.Home, c.Name.In(c.Lang), "home"}}}
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": g.email, "aud": "google", "typ": "savetowallet", "iat": now.Unix(), "origins": []string{},
		"payload": map[string]any{"loyaltyClasses": []googleClass{class}, "loyaltyObjects": []googleObject{object}},
	})
	if g.keyID != "" {
		token.Header["kid"] = g.keyID
	}
	signed, err := token.SignedString(g.key)
	if err != nil {
		return "", fmt.Errorf("sign a link for Google Wallet: %w", err)
	}
	return saveAt + signed, nil
}
