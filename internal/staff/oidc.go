package staff

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// Provider is where an organization's own people sign in (OpenID Connect). It is asked who somebody is, and never what they may do here.
type Provider struct {
	// Name stands on the button.
	Name   string
	issuer string
	client oauth2.Config
	http   *http.Client

	mu sync.Mutex
	at *oidc.Provider // once it has answered
}

// providerAnswers is how long each of its answers may take.
const providerAnswers = 10 * time.Second

// NewProvider reads the address of a provider, https://CLIENT:SECRET@login.example.no, and says where people come back to. The provider is not asked
// before somebody signs in: it may be started later.
func NewProvider(address, name, back string) (*Provider, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User == nil || u.User.Username() == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errs.Malformed("invalid_provider", "Give the provider's address with the client's id and secret: https://CLIENT:SECRET@login.example.no.")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !local(u.Hostname())) {
		return nil, errs.Malformed("invalid_provider", "A provider is asked over https.")
	}
	secret, _ := u.User.Password()
	id := u.User.Username()
	u.User = nil
	if name == "" {
		name = u.Hostname()
	}
	return &Provider{
		Name: name, issuer: u.String(), http: &http.Client{Timeout: providerAnswers},
		client: oauth2.Config{ClientID: id, ClientSecret: secret, RedirectURL: back, Scopes: []string{oidc.ScopeOpenID, "email", "profile"}},
	}, nil
}

func local(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// ask gives the provider with its addresses, as it tells them.
func (p *Provider) ask(ctx context.Context) (*oidc.Provider, oauth2.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at == nil {
		// The keys are fetched later too: not with the request that came first.
		at, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.http), p.issuer)
		if err != nil {
			return nil, oauth2.Config{}, errs.Unavailable("provider_silent", "The provider of the sign-in does not answer, or is another than is set. Try again, or sign in another way.").Because(err)
		}
		p.at = at
	}
	c := p.client
	c.Endpoint = p.at.Endpoint()
	return p.at, c, nil
}

// Errand is what the browser keeps while somebody is away at the provider.
type Errand struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	// Next is where they wanted to go.
	Next string `json:"next"`
}

// Text writes it for a cookie.
func (e Errand) Text() (string, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("write an errand: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// ReadErrand reads what Text wrote; anything else is none, whose state nobody gives.
func ReadErrand(text string) (e Errand) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &e) != nil {
		return Errand{}
	}
	return e
}

// Begin gives the address to send somebody to, and what their browser keeps until they come back.
func (p *Provider) Begin(ctx context.Context, next string) (address string, e Errand, err error) {
	_, c, err := p.ask(ctx)
	if err != nil {
		return "", Errand{}, err
	}
	e = Errand{State: ids.Code(26), Nonce: ids.Code(26), Verifier: oauth2.GenerateVerifier(), Next: next}
	return c.AuthCodeURL(e.State, oidc.Nonce(e.Nonce), oauth2.S256ChallengeOption(e.Verifier)), e, nil
}

// claims is what is asked of the provider's word.
type claims struct {
	Email string `json:"email"`
	// Verified is a boolean, and with some providers a text.
	Verified any `json:"email_verified"`
}

func (c claims) verified() bool { return c.Verified == true || c.Verified == "true" }

// End takes somebody who comes back from the provider, and begins a session. The first time they are known by the address that the provider has
// verified, and from then on by the provider's own number for them.
func (p *Provider) End(ctx context.Context, d *db.DB, e Errand, back url.Values, instead string, who Client, now time.Time) (token string, err error) {
	failed := func(cause error) error {
		return errs.Unauthenticated("provider_failed", "The sign-in did not come through, or took too long. Try again.").Because(cause)
	}
	if e.State == "" || back.Get("state") != e.State {
		return "", failed(errors.New("another state"))
	}
	if said := back.Get("error"); said != "" {
		return "", failed(errors.New(said + " " + back.Get("error_description")))
	}
	at, c, err := p.ask(ctx)
	if err != nil {
		return "", err
	}
	ctxAsk := oidc.ClientContext(ctx, p.http)
	got, err := c.Exchange(ctxAsk, back.Get("code"), oauth2.VerifierOption(e.Verifier))
	if err != nil {
		return "", failed(err)
	}
	raw, _ := got.Extra("id_token").(string)
	word, err := at.Verifier(&oidc.Config{ClientID: c.ClientID, Now: func() time.Time { return now }}).Verify(ctxAsk, raw)
	if err != nil {
		return "", failed(err)
	}
	if word.Nonce != e.Nonce {
		return "", failed(errors.New("another nonce"))
	}
	var is claims
	if err := word.Claims(&is); err != nil {
		return "", failed(err)
	}
	err = d.Write(ctx, func(tx *db.Tx) error {
		staff, err := identified(ctx, tx, word.Issuer, word.Subject, is, now)
		if err != nil {
			return err
		}
		token, err = Begin(ctx, tx, staff, ByOIDC, instead, who, now)
		return err
	})
	return token, err
}

const (
	byIdentity = `SELECT i.staff_id FROM staff_identities i JOIN staff s ON s.staff_id = i.staff_id WHERE i.issuer = $1 AND i.subject = $2 AND s.ended_at IS NULL`
	byAddress  = `SELECT staff_id FROM staff WHERE email = $1 AND ended_at IS NULL`
	keepWho    = `INSERT INTO staff_identities (issuer, subject, staff_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING` //nolint:gosec // a statement, and no password
)

// identified says who of the staff somebody is.
func identified(ctx context.Context, tx *db.Tx, issuer, subject string, is claims, now time.Time) (staff string, err error) {
	err = tx.QueryRow(ctx, byIdentity, issuer, subject).Scan(&staff)
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return staff, wrap("look up an identity", err)
	}
	if !is.verified() || is.Email == "" {
		return "", errs.Unauthenticated("address_unverified", "The provider does not say that your e-mail address is verified: ask those who run it.")
	}
	unknown := errs.Unauthenticated("not_on_staff", "Nobody on the staff has your e-mail address: ask an owner of the program to add you.")
	err = tx.QueryRow(ctx, byAddress, strings.ToLower(strings.TrimSpace(is.Email))).Scan(&staff)
	if errors.Is(err, sql.ErrNoRows) {
		return "", unknown
	}
	if err != nil {
		return "", fmt.Errorf("look up staff: %w", err)
	}
	res, err := tx.Exec(ctx, keepWho, issuer, subject, staff, now.UnixMicro())
	if err != nil {
		return "", fmt.Errorf("keep an identity: %w", err)
	}
	n, err := res.RowsAffected()
	if err == nil && n != 1 { // the address was somebody else's with the provider before
		return "", errs.Unauthenticated("other_identity", "Somebody else signed in with this e-mail address before: ask an owner of the program to take them off the staff and to add you.")
	}
	return staff, wrap("keep an identity", err)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
