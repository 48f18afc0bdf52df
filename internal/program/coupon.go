package program

import (
	"fmt"
	"time"
	"unicode/utf8"

	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/money"
)

// Coupon is money or a part off that nobody has to redeem anything for: by a public word, or by codes that are given out in batches to whoever
// has them. docs/gift-cards.md tells of issuing and using.
type Coupon struct {
	// ID names the coupon. Required. Never reuse one for another meaning.
	ID string `json:"id"`
	// Title is shown to members.
	Title Text `json:"title,omitempty"`
	// Word is what everybody may type: SUMMER10. Case, spaces and hyphens do not matter. Whoever uses it is a member. Without it codes are issued in
	// batches, for whoever has them.
	Word string `json:"word,omitempty"`
	// Money is the value off, in the program's currency. Either Money or Percent.
	Money *money.Decimal `json:"money,omitempty"`
	// Percent is the part off, 0 to 100.
	Percent *money.Decimal `json:"percent,omitempty"`
	// Least is the least that must be bought for, of the lines that it is for.
	Least *money.Decimal `json:"least,omitempty"`
	// Lines says which lines of a purchase it lowers: all goods, unless it narrows them. Such a coupon is used with a purchase, never by itself.
	Lines *Lines `json:"lines,omitempty"`
	// When must hold of the purchase and of who buys, as for rules: tier, total, member_for, attribute, weekdays, formula. Such a coupon is used with a
	// purchase, never by itself.
	When *Condition `json:"when,omitempty"`
	// From and Until bound the time of use, as for rules.
	From  string `json:"from,omitempty"`
	Until string `json:"until,omitempty"`
	// Uses is how often each code of a batch can be used; once when left out.
	Uses int64 `json:"uses,omitempty"`
	// Limit caps how often it is used: per day, week, month, quarter, year or lifetime, with times, by each member (with a word) or in the whole
	// program.
	Limit Limits `json:"limit,omitempty"`
	// Stacks says with what other coupons and vouchers it goes in one purchase: "with others" (the default) or "alone".
	Stacks string `json:"stacks,omitempty"`
	// Group names coupons and vouchers of which one purchase takes one.
	Group string `json:"group,omitempty"`
}

// CompiledCoupon is a coupon with its times and limits looked up.
type CompiledCoupon struct {
	*Coupon
	// Money is in minor units of the currency; 0 where Percent is.
	Money       int64
	From, Until *time.Time
	Limits      []CompiledLimit
	When        *CompiledCondition
}

// LooksAtPurchase says whether it can be used with a purchase only, since it looks at what is bought and by whom.
func (c *CompiledCoupon) LooksAtPurchase() bool { return c.Coupon.Lines != nil || c.When != nil }

// Stacking is by what rules it goes with vouchers and other coupons.
func (c *CompiledCoupon) Stacking() Voucher {
	return Voucher{Stacks: c.Stacks, Group: c.Group, Least: c.Least}
}

func (k *compiler) coupons() {
	k.c.Coupons, k.c.Words = map[string]*CompiledCoupon{}, map[string]string{}
	for i := range k.d.Coupons {
		d := &k.d.Coupons[i]
		c := &CompiledCoupon{Coupon: d, Limits: k.limits("coupon:"+d.ID, d.Limit, 0), When: k.condition("purchase", d.When)}
		c.From, c.Until = k.window(d.From, d.Until)
		if d.Money != nil {
			c.Money = k.minor(*d.Money, k.c.Exponent)
		}
		k.c.Coupons[d.ID] = c
		if word, ok := ids.Word(d.Word); ok {
			k.c.Words[word] = d.ID
		}
	}
}

// shortestWord and longestWord bound a public word.
const shortestWord, longestWord = 3, 40

func (c *checker) coupons() {
	c.count("/coupons", len(c.d.Coupons), maxMapItems)
	known, words := map[string]bool{}, map[string]string{}
	for i := range c.d.Coupons {
		d, ptr := &c.d.Coupons[i], at("/coupons", i)
		if c.id(ptr+"/id", d.ID, "coupon") && known[d.ID] {
			c.say(ptr+"/id", fmt.Sprintf("the id %q is used already", d.ID), "give one of them another id")
		}
		known[d.ID] = true
		c.coupon(ptr, d)
		if d.Word == "" {
			continue
		}
		word, ok := ids.Word(d.Word)
		_, drawn := ids.NormalizeCode(d.Word)
		switch n := utf8.RuneCountInString(word); {
		case !ok || n < shortestWord || n > longestWord:
			c.say(ptr+"/word", fmt.Sprintf("%q is no word that people can type", clip(d.Word)), "write 3 to 40 letters and digits, such as SUMMER10")
		case drawn && n > 12:
			c.say(ptr+"/word", "the word looks like a code that is drawn", "write a word, such as SUMMER10")
		case words[word] != "":
			c.say(ptr+"/word", fmt.Sprintf("it is the word of %s too", words[word]), "give one of them another word; case, spaces and hyphens do not tell words apart")
		default:
			words[word] = d.ID
		}
	}
}

func (c *checker) coupon(ptr string, d *Coupon) {
	c.optionalText(ptr+"/title", d.Title)
	if (d.Money == nil) == (d.Percent == nil) {
		c.say(ptr, word(d.Money == nil, "it is not said what the coupon is worth", "there are both money and percent"), "write one of money: 50.00 and percent: 10")
	}
	if d.Money != nil {
		c.money(ptr+"/money", *d.Money, "money", moreThanZero)
	}
	if d.Percent != nil {
		c.percent(ptr+"/percent", *d.Percent)
	}
	if d.Least != nil {
		c.money(ptr+"/least", *d.Least, "least", moreThanZero)
	}
	if d.Lines != nil {
		c.lines(ptr+"/lines", d.Lines)
	}
	if d.When != nil {
		c.condition(ptr+"/when", d.When, "purchase")
	}
	c.window(ptr, d.From, d.Until)
	if d.Uses < 0 || d.Uses > 1_000_000 {
		c.say(ptr+"/uses", "a code is used 1 to 1,000,000 times", "write uses: 1, or leave it out")
	}
	c.without(ptr+"/uses", d.Word != "" && d.Uses != 0, "how often a word is used is said by limit")
	c.limits(ptr+"/limit", d.Limit, rewardLimit, "")
	for i := range d.Limit {
		c.without(one(ptr+"/limit", i, len(d.Limit))+"/each", d.Word == "" && d.Limit[i].Each != "program", "a code of a batch is used by whoever has it: limit it by uses, or write each: program")
	}
	c.oneOf(ptr+"/stacks", d.Stacks, vocabulary["Coupon.stacks"]...)
}
