package program

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"strings"
	"unicode/utf8"

	"lojal.dev/lojal/internal/tint"
)

// Appearance is how the program looks to members: in the portal, on cards in their phones, on the poster.
type Appearance struct {
	// Colour is the program's own: # and six hexadecimal digits, in quotation marks in YAML, since # begins a comment there: "#6b3f1d". Darker and lighter tones that can be
	// read are made of it where it cannot be, and text on it is black or white.
	Colour string `json:"colour,omitempty" jsonschema:"pattern=^#[0-9A-Fa-f]{6}$"`
	// Picture is the program's mark, within the document, so that no other server learns who looks at it: a PNG or JPEG of at most 64 kB and 32 to 1024 pixels a side, best square, as
	// data:image/png;base64,… or data:image/jpeg;base64,…
	Picture string `json:"picture,omitempty" jsonschema:"pattern=^data:image/(png|jpeg);base64"`
	// Card is a line on members' cards, such as what to do with them; 80 letters at most.
	Card Text `json:"card,omitempty"`
}

// The bounds of a picture, in bytes and pixels.
const (
	maxPicture           = 64 << 10
	minPixels, maxPixels = 32, 1024
	maxCardLetters       = 80
)

// Picture is the mark of a program.
type Picture struct {
	// Kind is its media type: image/png or image/jpeg.
	Kind string
	Body []byte
	// Width and Height are in pixels.
	Width, Height int
}

// readPicture reads a picture and sees that it is whole. Other media types than the two are left out on purpose: SVG may hold scripts.
func readPicture(uri string) (Picture, image.Image, error) {
	rest, ok := strings.CutPrefix(uri, "data:")
	head, body, found := strings.Cut(rest, ",")
	kind, based := strings.CutSuffix(head, ";base64")
	if !ok || !found || !based {
		return Picture{}, nil, errors.New("is not a picture within the document")
	}
	if kind != "image/png" && kind != "image/jpeg" {
		return Picture{}, nil, errors.New("is neither a PNG nor a JPEG")
	}
	if base64.StdEncoding.DecodedLen(len(body)) > maxPicture+2 {
		return Picture{}, nil, fmt.Errorf("has more than %d kB", maxPicture>>10)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(body)
	if err != nil || strings.ContainsAny(body, "\r\n") {
		return Picture{}, nil, errors.New("is not base64")
	}
	if len(raw) > maxPicture {
		return Picture{}, nil, fmt.Errorf("has more than %d kB", maxPicture>>10)
	}
	size, decode := png.DecodeConfig, png.Decode
	if kind == "image/jpeg" {
		size, decode = jpeg.DecodeConfig, jpeg.Decode
	}
	c, err := size(bytes.NewReader(raw))
	if err != nil {
		return Picture{}, nil, fmt.Errorf("says that it is %s and is not", kind)
	}
	if min(c.Width, c.Height) < minPixels || max(c.Width, c.Height) > maxPixels {
		return Picture{}, nil, fmt.Errorf("has %d × %d pixels", c.Width, c.Height)
	}
	whole, err := decode(bytes.NewReader(raw))
	if err != nil {
		return Picture{}, nil, errors.New("is damaged")
	}
	return Picture{Kind: kind, Body: raw, Width: c.Width, Height: c.Height}, whole, nil
}

// Mark gives the program's picture, and what is seen on it; without one ok is false.
func (d *Document) Mark() (p Picture, seen image.Image, ok bool) {
	if d.Look == nil || d.Look.Picture == "" {
		return Picture{}, nil, false
	}
	p, seen, err := readPicture(d.Look.Picture)
	return p, seen, err == nil
}

// Colour is the program's colour, where it has one.
func (d *Document) Colour() (tint.Color, bool) {
	if d.Look == nil {
		return tint.Color{}, false
	}
	return tint.Parse(d.Look.Colour)
}

func (c *checker) look(ptr string, l *Appearance) {
	if _, ok := tint.Parse(l.Colour); l.Colour != "" && !ok {
		c.say(ptr+"/colour", fmt.Sprintf("%q is not a colour", clip(l.Colour)), "write # and six hexadecimal digits in quotation marks, for example \"#6b3f1d\"")
	}
	if l.Picture != "" {
		if _, _, err := readPicture(l.Picture); err != nil {
			c.say(ptr+"/picture", "the picture "+err.Error(), fmt.Sprintf("write a PNG or JPEG of at most %d kB and %d to %d pixels a side as data:image/png;base64,…; docs/program.md tells how to make one", maxPicture>>10, minPixels, maxPixels))
		}
	}
	c.optionalText(ptr+"/card", l.Card)
	for _, lang := range sortedKeys(l.Card) {
		if n := utf8.RuneCountInString(l.Card[lang]); n > maxCardLetters || strings.ContainsAny(l.Card[lang], "\r\n") {
			c.say(langPointer(ptr+"/card", lang), fmt.Sprintf("the line has %d letters; the most is %d, on one line", n, maxCardLetters), "write less")
		}
	}
}

// pictured tells a picture in words: two that are not the same are told apart by the beginning of their sum.
func pictured(uri string) string {
	sum := sha256.Sum256([]byte(uri))
	p, _, err := readPicture(uri)
	if err != nil {
		return hex.EncodeToString(sum[:3])
	}
	return fmt.Sprintf("%s %d × %d (%s)", strings.ToUpper(strings.TrimPrefix(p.Kind, "image/")), p.Width, p.Height, hex.EncodeToString(sum[:3]))
}
