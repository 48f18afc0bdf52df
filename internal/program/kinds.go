package program

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"lojal.dev/lojal/internal/money"
)

// The kinds of what a reward hands over.
const (
	KindProduct  = "product"
	KindVoucher  = "voucher"
	KindCode     = "code"
	KindGiftCard = "gift_card"
	KindSeat     = "seat"
	KindContent  = "content"
	KindDonation = "donation"
	KindRaffle   = "raffle"
	KindService  = "service"
	KindGoods    = "goods"
	KindChoice   = "choice"
	KindMoney    = "money" // of a reward with pay
)

// Gives is what a reward hands over. Kind says what it is, and beside it stands what that kind needs; it can be left out where that says it.
type Gives struct {
	// Kind is "product" (handed over at the till), "voucher" (a code of the program's own), "code" (a code of somebody else, from a pool),
	// "gift_card", "seat" (at an event), "content", "donation", "raffle" (a ticket in a draw), "service", "goods" (sent to the member) or "choice" (one of
	// several rewards, which the member picks). Those of a gift card, a seat, a donation, a service and goods are followed until they are
	// delivered: docs/rewards.md.
	Kind string `json:"kind,omitempty"`
	// Product is a sku: what is handed over or sent, or the service.
	Product string `json:"product,omitempty"`
	// Voucher is a code worth something later.
	Voucher *Voucher `json:"voucher,omitempty"`
	// Pool is the pool that a code is taken from. Codes are loaded into it as CSV.
	Pool string `json:"pool,omitempty"`
	// GiftCard is a gift card: one of the program's own, or one that is bought.
	GiftCard *CardGiven `json:"gift_card,omitempty"`
	// Seat is a seat at an event.
	Seat *Seat `json:"seat,omitempty"`
	// Link is the address of content.
	Link string `json:"link,omitempty"`
	// Donation is money given on.
	Donation *Donation `json:"donation,omitempty"`
	// Raffle is what the ticket is in.
	Raffle *Raffle `json:"raffle,omitempty"`
	// Choice are the ids of the rewards of which the member picks one.
	Choice Words `json:"choice,omitempty"`
}

// CardGiven is a gift card that a reward gives.
type CardGiven struct {
	// Money is what is on it, in the program's currency. Required.
	Money money.Decimal `json:"money"`
	// Provider is whom it is bought from, as the server knows them: docs/gift-card-providers.md. One of the program's own cards without it.
	Provider string `json:"provider,omitempty"`
	// Product is what the provider calls it.
	Product string `json:"product,omitempty"`
	// Greeting is what it says; that of gift_cards when left out.
	Greeting Text `json:"greeting,omitempty"`
	// Look is one of gift_cards' looks.
	Look string `json:"look,omitempty"`
}

// Seat is a seat at an event. How many there are is the reward's stock.
type Seat struct {
	// At is when the event begins: a time with offset, or a date. It cannot be had after that. Required.
	At string `json:"at"`
	// Place is where it is.
	Place Text `json:"place,omitempty"`
}

// Donation is money that is given on in the member's name.
type Donation struct {
	// To is who gets it. Required.
	To Text `json:"to"`
	// Money is how much, in the program's currency. Required.
	Money money.Decimal `json:"money"`
}

// Raffle is a draw among all who redeemed the reward, one ticket for each piece. Its seed is drawn and its hash told beforehand, so that anybody can
// work the winners out again: docs/rewards.md.
type Raffle struct {
	// Draw is when tickets end: a time with offset, or a date, whose whole day counts. Required.
	Draw string `json:"draw"`
	// Winners is how many there are; 1 when left out. Nobody wins twice.
	Winners int64 `json:"winners,omitempty"`
	// Prize is the id of the reward that each of them is granted. Required.
	Prize string `json:"prize"`
}

// Price is one of several prices of a reward.
type Price struct {
	// Price is by unit: all of them together. Required.
	Price map[string]money.Decimal `json:"price"`
	// Money is what is paid besides, in the program's currency.
	Money *money.Decimal `json:"money,omitempty"`
}

// CompiledPrice is a price in minor units.
type CompiledPrice struct {
	Units map[string]int64
	Money int64
}

// Followed lists the kinds that are followed until they are delivered.
var Followed = []string{KindGiftCard, KindSeat, KindDonation, KindService, KindGoods}

// Kind is what a reward hands over.
func (r *Reward) Kind() string {
	g := &r.Gives
	switch {
	case r.Pay != nil:
		return KindMoney
	case g.Kind != "":
		return g.Kind
	case g.Voucher != nil:
		return KindVoucher
	case g.Pool != "":
		return KindCode
	case g.GiftCard != nil:
		return KindGiftCard
	case g.Seat != nil:
		return KindSeat
	case g.Link != "":
		return KindContent
	case g.Donation != nil:
		return KindDonation
	case g.Raffle != nil:
		return KindRaffle
	case len(g.Choice) > 0:
		return KindChoice
	}
	return KindProduct
}

// given lists the fields of gives that are there, with the kinds that they go with.
func (g *Gives) given() map[string][]string {
	out := map[string][]string{}
	for name, f := range map[string]struct {
		there bool
		kinds []string
	}{
		"product":   {g.Product != "", []string{KindProduct, KindService, KindGoods}},
		"voucher":   {g.Voucher != nil, []string{KindVoucher}},
		"pool":      {g.Pool != "", []string{KindCode}},
		"gift_card": {g.GiftCard != nil, []string{KindGiftCard}},
		"seat":      {g.Seat != nil, []string{KindSeat}},
		"link":      {g.Link != "", []string{KindContent}},
		"donation":  {g.Donation != nil, []string{KindDonation}},
		"raffle":    {g.Raffle != nil, []string{KindRaffle}},
		"choice":    {len(g.Choice) > 0, []string{KindChoice}},
	} {
		if f.there {
			out[name] = f.kinds
		}
	}
	return out
}

// needs is the field that a kind cannot be without.
var needs = map[string][2]string{
	KindVoucher:  {"voucher", "voucher: {money: 50.00}"},
	KindCode:     {"pool", "pool: cinema"},
	KindGiftCard: {"gift_card", "gift_card: {money: 200.00}"},
	KindSeat:     {"seat", "seat: {at: 2027-03-01T18:00:00+01:00}"},
	KindContent:  {"link", "link: https://example.org/guide"},
	KindDonation: {"donation", "donation: {to: Red Cross, money: 25.00}"},
	KindRaffle:   {"raffle", "raffle: {draw: 2027-12-24, prize: weekend}"},
	KindGoods:    {"product", "product: MUG-1"},
	KindChoice:   {"choice", "choice: [coffee, mug]"},
}

func (c *checker) gives(ptr string, r *Reward) {
	g := &r.Gives
	c.oneOf(ptr+"/kind", g.Kind, vocabulary["Gives.kind"]...)
	kind, given := r.Kind(), g.given()
	for _, name := range sortedKeys(given) {
		if !slices.Contains(given[name], kind) {
			c.say(ptr+"/"+name, fmt.Sprintf("%s does not go with a reward of the kind %s", name, kind), "remove it, or make two rewards of it")
		}
	}
	if n, ok := needs[kind]; ok && given[n[0]] == nil {
		c.missing(ptr+"/"+n[0], "what a reward of the kind "+kind+" gives", n[1])
	}
	if utf8.RuneCountInString(g.Product) > maxWord {
		c.say(ptr+"/product", "the sku is too long", "write less")
	}
	if g.Voucher != nil {
		c.voucher(ptr+"/voucher", g.Voucher)
	}
	if g.Pool != "" {
		c.id(ptr+"/pool", g.Pool, "pool")
	}
	if g.Link != "" {
		if u, err := url.Parse(g.Link); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(g.Link) > 2000 {
			c.say(ptr+"/link", "this is no address", "write https://…")
		}
	}
	if s := g.Seat; s != nil {
		c.when(ptr+"/seat/at", s.At, "2027-03-01T18:00:00+01:00")
		c.optionalText(ptr+"/seat/place", s.Place)
	}
	if d := g.Donation; d != nil {
		c.text(ptr+"/donation/to", d.To)
		c.money(ptr+"/donation/money", d.Money, "money", moreThanZero)
	}
	c.cardGiven(ptr+"/gift_card", g.GiftCard)
	c.raffle(ptr+"/raffle", r)
	c.choice(ptr+"/choice", r)
}

func (c *checker) when(ptr, text, example string) {
	if text == "" {
		c.missing(ptr, "the time", example)
		return
	}
	c.instant(ptr, text, true)
}

func (c *checker) cardGiven(ptr string, g *CardGiven) {
	if g == nil {
		return
	}
	c.money(ptr+"/money", g.Money, "money", moreThanZero)
	if g.Provider != "" {
		c.id(ptr+"/provider", g.Provider, "provider")
	}
	c.optionalText(ptr+"/greeting", g.Greeting)
	own := c.d.GiftCards
	if g.Provider == "" {
		c.without(ptr+"/product", g.Product != "", "product is what a provider calls it")
		if own == nil {
			c.say(ptr, "the program has no gift cards of its own", "add gift_cards, or say from which provider it is bought")
			return
		}
		if own.Min != nil && g.Money.Cmp(*own.Min) < 0 || own.Max != nil && g.Money.Cmp(*own.Max) > 0 {
			c.say(ptr+"/money", "gift_cards does not allow this much or this little on a card", "keep it between its min and max")
		}
	}
	if g.Look != "" && (own == nil || !hasLook(own, g.Look)) {
		c.say(ptr+"/look", fmt.Sprintf("there is no look %q in gift_cards", clip(g.Look)), "write one of its looks, or remove it")
	}
}

func hasLook(g *GiftCards, id string) bool {
	_, ok := g.Looks[id]
	return ok
}

func (c *checker) rewardOf(id string) *Reward {
	if i := slices.IndexFunc(c.d.Rewards, func(r Reward) bool { return r.ID == id }); i >= 0 {
		return &c.d.Rewards[i]
	}
	return nil
}

func (c *checker) raffle(ptr string, r *Reward) {
	f := r.Gives.Raffle
	if f == nil {
		return
	}
	c.when(ptr+"/draw", f.Draw, "2027-12-24")
	if f.Winners < 0 || f.Winners > 10_000 {
		c.say(ptr+"/winners", fmt.Sprintf("%d is no number of winners", f.Winners), "write 1 to 10,000")
	}
	switch p := c.rewardOf(f.Prize); {
	case f.Prize == "":
		c.missing(ptr+"/prize", "the reward that is won", "prize: weekend")
	case p == nil:
		c.say(ptr+"/prize", fmt.Sprintf("there is no reward %q", clip(f.Prize)), didYouMean(f.Prize, c.rewardIDs(), "rewards"))
	case p.Pay != nil || p.Kind() == KindRaffle:
		c.say(ptr+"/prize", "this cannot be granted: it is money off for points, or a ticket itself", "name another reward, for example one with granted: true")
	}
}

func (c *checker) rewardIDs() []string {
	out := make([]string, len(c.d.Rewards))
	for i := range c.d.Rewards {
		out[i] = c.d.Rewards[i].ID
	}
	return out
}

func (c *checker) choice(ptr string, r *Reward) {
	ids := r.Gives.Choice
	if len(ids) == 0 {
		return
	}
	if len(ids) < 2 {
		c.say(ptr, "a choice is of two or more", "name another reward")
	}
	for i, id := range ids {
		at := one(ptr, i, len(ids))
		switch p := c.rewardOf(id); {
		case p == nil:
			c.say(at, fmt.Sprintf("there is no reward %q", clip(id)), didYouMean(id, c.rewardIDs(), "rewards"))
		case p.Pay != nil || p.Kind() == KindChoice:
			c.say(at, "this cannot be chosen: it is money off for points, or a choice itself", "name another reward")
		case slices.Index(ids, id) != i:
			c.say(at, fmt.Sprintf("%q is named twice", clip(id)), "name it once")
		}
	}
}

// prices checks what a reward costs besides its first price.
func (c *checker) rewardPrices(ptr string, r *Reward) {
	c.without(ptr+"/money", r.Money != nil && len(r.Price) == 0, "money goes with price: it is paid besides")
	c.without(ptr+"/or", len(r.Or) > 0 && len(r.Price) == 0, "or goes with price: these are further ones")
	if r.Money != nil {
		c.money(ptr+"/money", *r.Money, "money", moreThanZero)
	}
	if c.count(ptr+"/or", len(r.Or), 20) {
		return
	}
	for i := range r.Or {
		o, p := &r.Or[i], at(ptr, "or", i)
		if len(o.Price) == 0 {
			c.missing(p+"/price", "what it costs", "price: {star: 30}")
		}
		for _, unit := range sortedKeys(o.Price) {
			c.spendable(at(p, "price", unit), unit)
			c.points(at(p, "price", unit), o.Price[unit], unit, "the price", moreThanZero)
		}
		if o.Money != nil {
			c.money(p+"/money", *o.Money, "money", moreThanZero)
		}
	}
}

// kinds compiles what a reward gives, and its prices.
func (k *compiler) kinds(c *CompiledReward) {
	r := c.Reward
	c.Kind = r.Kind()
	c.Followed = slices.Contains(Followed, c.Kind)
	first := CompiledPrice{Units: c.Price}
	if r.Money != nil {
		first.Money = k.minor(*r.Money, k.c.Exponent)
	}
	c.Prices = []CompiledPrice{first}
	for i := range r.Or {
		p := CompiledPrice{Units: map[string]int64{}}
		for unit, d := range r.Or[i].Price {
			p.Units[unit] = k.minor(d, k.d.precision(unit))
		}
		if r.Or[i].Money != nil {
			p.Money = k.minor(*r.Or[i].Money, k.c.Exponent)
		}
		c.Prices = append(c.Prices, p)
	}
	if f := r.Gives.Raffle; f != nil {
		_, c.Draws = k.window("", f.Draw)
		c.Until = sooner(c.Until, c.Draws)
	}
	if s := r.Gives.Seat; s != nil {
		c.Starts, _ = k.window(s.At, "")
		if strings.Contains(s.At, "T") {
			c.Until = sooner(c.Until, c.Starts)
		} else {
			_, end := k.window("", s.At)
			c.Until = sooner(c.Until, end)
		}
	}
	if g := r.Gives.GiftCard; g != nil {
		c.Card = k.minor(g.Money, k.c.Exponent)
	}
	if d := r.Gives.Donation; d != nil {
		c.Donated = k.minor(d.Money, k.c.Exponent)
	}
}

func sooner(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}

// Handed is the reward that is handed over when one is redeemed: itself, or the one that was chosen; nil for none.
func (c *Compiled) Handed(reward, chosen string) *CompiledReward {
	if chosen != "" {
		return c.Rewards[chosen]
	}
	return c.Rewards[reward]
}

// IsID says whether a text can be the id of something in a document.
func IsID(s string) bool { return idForm.MatchString(s) }

// IsPool says whether a text can be the name of a pool: an id, or what a provider calls a product, which may have capital letters.
func IsPool(s string) bool { return idForm.MatchString(strings.ToLower(s)) }

// NamesPool says whether a reward of the program hands out the codes of a pool, itself or as the product of a gift card that a provider has in one.
func (c *Compiled) NamesPool(pool string) bool {
	for i := range c.Doc.Rewards {
		g := &c.Doc.Rewards[i].Gives
		if g.Pool == pool || g.GiftCard != nil && pool != "" && (g.GiftCard.Product == pool || g.GiftCard.Provider == pool) {
			return true
		}
	}
	return false
}

// EndOfTime reads a time with offset, or a date: then its last moment in the zone.
func EndOfTime(s string, zone *time.Location) (time.Time, error) { return parseInstant(s, zone, true) }
