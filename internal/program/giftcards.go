package program

import (
	"fmt"

	"lojal.dev/lojal/internal/money"
)

// GiftCards says how the program's own gift cards work. docs/gift-cards.md tells of issuing and paying.
type GiftCards struct {
	// Unit counts what is on a card: a unit worth 1.00 with as many decimals as the currency. Required.
	Unit string `json:"unit"`
	// Min and Max bound what is put on a card at once.
	Min *money.Decimal `json:"min,omitempty"`
	Max *money.Decimal `json:"max,omitempty"`
	// Most is the most that a card may hold.
	Most *money.Decimal `json:"most,omitempty"`
	// Valid is how long what was loaded can be used, to the end of the last day; for ever without it. For a card that is sold inactive it
	// begins as the card is activated. The unit's own expiry does not count on cards.
	Valid *Period `json:"valid,omitempty"`
	// Warn is how long before the end that is told.
	Warn *Period `json:"warn,omitempty"`
	// TopUp false refuses loading a card again.
	TopUp *bool `json:"top_up,omitempty"`
	// PIN true gives each card a PIN that must come with its code.
	PIN bool `json:"pin,omitempty"`
	// Greeting is what a card says when nobody wrote anything.
	Greeting Text `json:"greeting,omitempty"`
	// Looks are how cards can look, by id: what the shop and the messages show.
	Looks map[string]Look `json:"looks,omitempty"`
}

// Look is how a gift card looks.
type Look struct {
	// Name is shown to whoever chooses.
	Name Text `json:"name,omitempty"`
	// Picture is the address of a picture.
	Picture string `json:"picture,omitempty"`
	// Colour and TextColour are written #RRGGBB.
	Colour     string `json:"colour,omitempty"`
	TextColour string `json:"text_colour,omitempty"`
}

// CompiledGiftCards are gift cards in minor units of the currency; -1 where there is no bound.
type CompiledGiftCards struct {
	*GiftCards
	Min, Max, Most int64
	Expires        *Expiry
}

func (k *compiler) giftCards() {
	g := k.d.GiftCards
	if g == nil {
		return
	}
	bound := func(d *money.Decimal) int64 {
		if d == nil {
			return -1
		}
		n, err := d.Minor(k.c.Exponent)
		if err != nil && k.err == nil {
			k.err = err
		}
		return n
	}
	k.c.GiftCards = &CompiledGiftCards{GiftCards: g, Min: bound(g.Min), Max: bound(g.Max), Most: bound(g.Most)}
	if g.Valid != nil {
		k.c.GiftCards.Expires = &Expiry{After: g.Valid, Warn: g.Warn}
	}
}

func (c *checker) giftCards(ptr string, g *GiftCards) {
	if g.Unit == "" {
		c.missing(ptr+"/unit", "the unit that counts what is on a card", "krone")
	} else {
		c.spendable(ptr+"/unit", g.Unit)
		if u, ok := c.d.Units[g.Unit]; ok {
			if u.Precision != c.exponent {
				c.say(ptr+"/unit", fmt.Sprintf("a gift card holds money, and %s has %d decimals where %s has %d", g.Unit, u.Precision, c.d.Currency, c.exponent),
					fmt.Sprintf("give the unit precision: %d", c.exponent))
			}
			one := money.MustParse("1")
			if u.Worth == nil || u.Worth.Cmp(one) != 0 {
				c.say(ptr+"/unit", "a gift card holds money, so one of its unit is worth one of the currency", "give the unit worth: 1.00")
			}
		}
	}
	for name, d := range map[string]*money.Decimal{"min": g.Min, "max": g.Max, "most": g.Most} {
		if d != nil {
			c.money(ptr+"/"+name, *d, name, moreThanZero)
		}
	}
	c.ordered(ptr, g.Min, g.Max)
	c.period(ptr+"/valid", g.Valid, 0)
	c.period(ptr+"/warn", g.Warn, 0)
	if g.Warn != nil && g.Valid == nil {
		c.say(ptr+"/warn", "there is no end to warn of", "add valid, or remove warn")
	}
	c.optionalText(ptr+"/greeting", g.Greeting)
	c.count(ptr+"/looks", len(g.Looks), maxMapItems)
	for _, id := range sortedKeys(g.Looks) {
		at := at(ptr+"/looks", id)
		c.id(at, id, "look")
		c.optionalText(at+"/name", g.Looks[id].Name)
		for name, colour := range map[string]string{"colour": g.Looks[id].Colour, "text_colour": g.Looks[id].TextColour} {
			if colour != "" && !isColour(colour) {
				c.say(at+"/"+name, fmt.Sprintf("%q is no colour", clip(colour)), "write it as #RRGGBB")
			}
		}
	}
}

func isColour(s string) bool {
	if len(s) != 7 || s[0] != '#' {
		return false
	}
	for _, c := range []byte(s[1:]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}
