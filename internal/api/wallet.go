package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/tint"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/wallet"
	"lojal.dev/lojal/internal/web"
)

// Wallets are the wallets of phones that the operator has set up; nil for one that is not.
type Wallets struct {
	Apple  *wallet.Apple
	Google *wallet.Google
}

// WalletWays says in which wallets of phones a member's card can be kept.
type WalletWays struct {
	// Apple and Google say whether the operator has set them up.
	Apple  bool `json:"apple"`
	Google bool `json:"google"`
	// Card is the number that the card shows; without one there is none to keep.
	Card string `json:"card,omitempty"`
}

// WalletLink is a link that saves a card.
type WalletLink struct {
	// URL is opened by the member, who is asked whether to keep the card.
	URL string `json:"url"`
}

type walletIn struct {
	Call
	MemberPath
}

type walletCardIn struct {
	Call
	MemberPath
	// Lang is the member's language: nb, sv, da or en. Without it, Accept-Language counts.
	Lang string `query:"lang"`
}

// house colours, for a program that has none.
var ownColour = tint.Must("#1d6b52")

// cardWords are the words of a card in a wallet, in wallet.Languages.
var cardWords = map[string]wallet.Text{
	"about":  {"nb": "medlemskort", "sv": "medlemskort", "da": "medlemskort", "en": "membership card"},
	"holder": {"nb": "Medlem", "sv": "Medlem", "da": "Medlem", "en": "Member"},
	"tier":   {"nb": "Nivå", "sv": "Nivå", "da": "Niveau", "en": "Tier"},
	"number": {"nb": "Kortnummer", "sv": "Kortnummer", "da": "Kortnummer", "en": "Card number"},
	"stand":  {"nb": "Saldo per", "sv": "Saldo den", "da": "Saldo pr.", "en": "Balance as of"},
	"ends":   {"nb": "Utløper neste gang", "sv": "Går ut härnäst", "da": "Udløber næste gang", "en": "Ends next"},
	"card":   {"nb": "Kortet", "sv": "Kortet", "da": "Kortet", "en": "The card"},
	"home":   {"nb": "Dine sider", "sv": "Dina sidor", "da": "Dine sider", "en": "Your pages"},
	"old": {"nb": "Kortet viser saldoen fra da det ble lagt til. Sidene dine viser den som gjelder nå.", "sv": "Kortet visar saldot från när det lades till. Dina sidor visar det som gäller nu.",
		"da": "Kortet viser saldoen, fra da det blev tilføjet. Dine sider viser den, der gælder nu.", "en": "The card shows the balance of the time it was added. Your pages show the one of now."},
}

// inAll makes a text in the languages of a card.
func inAll(say func(lang string) string) wallet.Text {
	out := wallet.Text{}
	for _, l := range wallet.Languages {
		r, n := utf8.DecodeRuneInString(say(l))
		out[l] = string(unicode.ToUpper(r)) + say(l)[n:]
	}
	return out
}

// walletCard puts together what a member's card says.
func (s *Server) walletCard(ctx context.Context, c *Call, ref string) (*wallet.Card, error) {
	acc, p, err := s.Recorder.ViewLots(ctx, c.program(), ref, c.now)
	if err != nil {
		return nil, err
	}
	switch acc.State.Status {
	case engine.Blocked:
		return nil, errs.Forbidden("member_blocked", "This member is blocked.")
	case engine.Closed:
		return nil, errs.Conflict("member_closed", "This member has left the program.")
	}
	var m member.Member
	if err := s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		m, err = member.Get(ctx, tx, c.program(), acc.Member)
		return err
	}); err != nil {
		return nil, err
	}
	number := cardOf(m)
	if number == "" {
		return nil, errs.Conflict("no_card", "The member has no card: give one first (POST /v1/members/{member}/card).")
	}
	progress, _, err := s.Recorder.ViewProgress(ctx, c.program(), acc.Member, c.now)
	if err != nil {
		return nil, err
	}
	doc := p.Doc
	colour, ok := doc.Colour()
	if !ok {
		colour = ownColour
	}
	out := &wallet.Card{
		ID: acc.Member, Program: doc.Program, Name: inAll(doc.Name.In), Holder: m.DisplayName(), Number: number, Colour: colour, Lang: c.lang,
		About: inAll(func(l string) string { return doc.Name.In(l) + ", " + cardWords["about"][l] }),
	}
	if _, seen, ok := doc.Mark(); ok {
		out.Mark = seen
	}
	if s.URL != "" {
		out.MarkURL, out.Home = s.URL+"/marks/"+doc.Program, s.URL+"/portal/"+doc.Program
	}
	main, ends := s.cardUnits(p, acc, out)
	if main == "" {
		out.Main = wallet.Field{Key: "number", Label: cardWords["number"], Value: inAll(func(string) string { return number })}
	}
	for _, set := range p.TierIDs {
		at := c.view(p).tiers(progress, c.now)[set]
		if at.Tier == "" {
			continue
		}
		steps := p.Tiers[set]
		f := wallet.Field{Key: "tier_" + set, Label: cardWords["tier"], Value: inAll(func(l string) string { return (view{p: p, lang: l}).step(steps, at.Tier) })}
		if name := doc.Tiers[set].Name; len(name) > 0 {
			f.Label = inAll(name.In)
		}
		if out.Corner == nil {
			out.Corner = &f
		} else {
			out.More = append(out.More, f)
		}
	}
	holder := wallet.Field{Key: "holder", Label: cardWords["holder"], Value: inAll(func(string) string { return out.Holder })}
	if out.Holder != "" {
		out.More = slices.Insert(out.More, 0, holder)
	}
	if ends != nil {
		out.More = append(out.More, *ends)
	}
	day := func(l string) string { return lang.Date(l, c.now, p.Zone) }
	if main != "" {
		out.More = append(out.More, wallet.Field{Key: "stand", Label: cardWords["stand"], Value: inAll(day)})
		out.Back = append(out.Back, wallet.Field{Key: "old", Label: cardWords["stand"], Value: inAll(func(l string) string { return lang.DateTime(l, c.now, p.Zone) + ". " + cardWords["old"][l] })})
	}
	if doc.Look != nil && len(doc.Look.Card) > 0 {
		out.Back = append(out.Back, wallet.Field{Key: "card", Label: cardWords["card"], Value: inAll(doc.Look.Card.In)})
	}
	out.Back = append(out.Back, wallet.Field{Key: "back_number", Label: cardWords["number"], Value: inAll(func(string) string { return number })})
	if out.Home != "" {
		out.Back = append(out.Back, wallet.Field{Key: "home", Label: cardWords["home"], Value: inSame(out.Home)})
	}
	return out, nil
}

// inSame is a text that is the same in all languages, as it is.
func inSame(text string) wallet.Text {
	out := wallet.Text{}
	for _, l := range wallet.Languages {
		out[l] = text
	}
	return out
}

// cardUnits puts what the member has on the card, the unit that the member has most worth of first, and gives its id and what of it ends next.
func (s *Server) cardUnits(p *program.Compiled, acc *engine.Account, out *wallet.Card) (main string, ends *wallet.Field) {
	units := slices.DeleteFunc(slices.Clone(p.UnitIDs), func(id string) bool { return p.Units[id].StatusOnly })
	has := func(id string) int64 {
		if h := acc.State.Units[id]; h != nil {
			return h.Spendable - h.Debt
		}
		return 0
	}
	// A unit in which there is something stands before one in which there is nothing; the rest is the order of the ids.
	slices.SortStableFunc(units, func(a, b string) int {
		rank := func(id string) int {
			if has(id) != 0 {
				return 0
			}
			return 1
		}
		return rank(a) - rank(b)
	})
	for _, id := range units {
		u := p.Units[id]
		f := wallet.Field{
			Key: "unit_" + id, Label: inAll(func(l string) string { return u.Name.In(l, false) }),
			Value: inAll(func(l string) string { return strings.TrimSpace(lang.Count(l, has(id), u.Precision, "", "")) }),
		}
		if main == "" {
			main, out.Main = id, f
			continue
		}
		out.More = append(out.More, f)
	}
	if main == "" {
		return "", nil
	}
	v := view{p: p, lang: "en"}
	if next := v.balances(acc, true)[main].NextExpiry; next != nil {
		u := p.Units[main]
		amount := sumAt(acc.Lots, main, next.At)
		ends = &wallet.Field{Key: "ends", Label: cardWords["ends"], Value: inAll(func(l string) string {
			return fmt.Sprintf("%s, %s", lang.Count(l, amount, u.Precision, u.Name.In(l, true), u.Name.In(l, false)), lang.Date(l, next.At, p.Zone))
		})}
	}
	return main, ends
}

// cardOf is the number of a member's card, the first of several.
func cardOf(m member.Member) string {
	for _, i := range m.Identifiers {
		if i.Kind == member.Card {
			return i.Value
		}
	}
	return ""
}

func (s *Server) walletWays(ctx context.Context, in *walletIn) (*WalletWays, error) {
	out := &WalletWays{Apple: s.Wallets.Apple != nil, Google: s.saves()}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		id, err := existing(ctx, tx, v, in.Member)
		if err != nil {
			return err
		}
		m, err := member.Get(ctx, tx, in.program(), id)
		out.Card = cardOf(m)
		return err
	})
}

// saves says whether links for Google Wallet can be made: Google fetches the program's picture from here.
func (s *Server) saves() bool { return s.Wallets.Google != nil && strings.HasPrefix(s.URL, "https://") }

func (s *Server) walletApple(w http.ResponseWriter, req *http.Request, c *Call) error {
	if s.Wallets.Apple == nil {
		return errs.Conflict("no_apple_wallet", "Cards for Apple Wallet are not set up here: they need the operator's certificate (--apple-pass-cert, docs/wallet.md).")
	}
	card, err := s.walletCard(req.Context(), c, req.PathValue("member"))
	if err != nil {
		return err
	}
	pass, err := s.Wallets.Apple.Pass(card, c.now)
	if err != nil {
		return err //nolint:wrapcheck // it says what it was
	}
	h := w.Header()
	h.Set("Content-Type", "application/vnd.apple.pkpass")
	h.Set("Content-Disposition", `attachment; filename="`+card.Program+`.pkpass"`)
	h.Set("Cache-Control", "no-store")
	if _, err := io.Copy(w, bytes.NewReader(pass)); err != nil {
		s.Logger.Warn("send a pass", "error", err)
	}
	return nil
}

func (s *Server) walletGoogle(ctx context.Context, in *walletCardIn) (*WalletLink, error) {
	if !s.saves() {
		return nil, errs.Conflict("no_google_wallet", "Cards for Google Wallet are not set up here: they need the operator's issuer id and service account, and a public address of the server (--google-wallet-issuer and --url https://…, docs/wallet.md).")
	}
	card, err := s.walletCard(ctx, &in.Call, in.Member)
	if err != nil {
		return nil, err
	}
	link, err := s.Wallets.Google.Link(card, in.now)
	return &WalletLink{link}, err
}

// marks answers with the picture of a program, or a sign in its colour, to everybody: browsers, and those who fetch it for a card.
func (s *Server) marks(w http.ResponseWriter, r *http.Request) {
	var now *program.Compiled
	err := s.DB.Read(r.Context(), func(tx *db.Tx) error {
		set, err := s.Versions.Get(r.Context(), tx, r.PathValue("program"))
		if err != nil {
			return err
		}
		if now = set.At(s.Clock()); now == nil {
			now = set.Latest()
		}
		return nil
	})
	if err != nil {
		if errs.CodeOf(err) == errs.CodeNotFound {
			err = web.NotFound("program")
		}
		web.Fail(w, r, err)
		return
	}
	if p, _, ok := now.Doc.Mark(); ok {
		page.ServePicture(w, r, p.Kind, p.Body)
		return
	}
	colour, ok := now.Doc.Colour()
	if !ok {
		colour = ownColour
	}
	body, err := wallet.PNG(wallet.Sign(colour, 256))
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	page.ServePicture(w, r, "image/png", body)
}
