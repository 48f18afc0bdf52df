// Package wallet makes cards for the wallets of phones: a signed pass for Apple Wallet, and a link that saves a card in Google Wallet.
//
// It owns the two formats and the operator's keys that sign them. It does not own what stands on a card. What always holds: a pass is signed by a certificate that
// its issuer's certificate proves, or there is none; no key is told in an error; what is written on a card is data in the formats and nothing else.
package wallet

import (
	"image"
	"slices"

	"lojal.dev/lojal/internal/tint"
)

// Text is a text by language.
type Text map[string]string

// In gives the text in a language, or in any.
func (t Text) In(lang string) string {
	for _, l := range []string{lang, "en"} {
		if s, ok := t[l]; ok {
			return s
		}
	}
	for _, l := range Languages {
		if s, ok := t[l]; ok {
			return s
		}
	}
	return ""
}

// Languages are those that a card has its texts in.
var Languages = []string{"nb", "sv", "da", "en"}

// Field is a value with what it is, on a card.
type Field struct {
	// Key names it, and stays the same when the value changes.
	Key          string
	Label, Value Text
}

// Card is what a wallet shows.
type Card struct {
	// ID names the card for ever, Program the program that it is of; both of letters, digits, "-" and "_".
	ID, Program string
	// Name is the program's.
	Name Text
	// About says in a few words what it is, for those who hear it.
	About Text
	// Holder is whose it is; it may be empty.
	Holder string
	// Number is what its code says.
	Number string
	// Corner stands beside the name, Main is large, More are below it, and Back is behind.
	Corner     *Field
	Main       Field
	More, Back []Field
	Colour     tint.Color
	// Mark is the program's picture, nil without one.
	Mark image.Image
	// MarkURL is where others can fetch it.
	MarkURL string
	// Home is where members' own pages are; it may be empty.
	Home string
	// Lang is the holder's language.
	Lang string
}

// fields are all of them.
func (c *Card) fields() []Field {
	out := []Field{c.Main}
	if c.Corner != nil {
		out = append(out, *c.Corner)
	}
	return slices.Concat(out, c.More, c.Back)
}
