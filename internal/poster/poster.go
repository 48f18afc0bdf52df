// Package poster makes a page to hang up where people are to join: the program's name in its colour, what one gets, and a QR code that opens the page to join.
//
// It owns the look of the page and the choice of what stands on it. It does not own the words of rules and rewards (terms). What always holds: the same program gives the same
// bytes; the code is black on white with its quiet zone, whatever the colour, so that every camera reads it.
package poster

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/boombuler/barcode/qr"
	"github.com/go-pdf/fpdf"

	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/terms"
	"lojal.dev/lojal/internal/tint"
)

// words are what a poster says in a language.
type words struct{ join, get, scan, terms string }

var languages = map[string]words{
	lang.Norwegian: {"Bli medlem", "Dette får du", "Skann koden med kameraet på telefonen. Det tar under ett minutt.", "Vilkårene finner du samme sted."},
	lang.Swedish:   {"Bli medlem", "Det här får du", "Skanna koden med kameran i telefonen. Det tar under en minut.", "Villkoren finns på samma ställe."},
	lang.Danish:    {"Bliv medlem", "Det får du", "Scan koden med kameraet på telefonen. Det tager under et minut.", "Vilkårene finder du samme sted."},
	lang.English:   {"Become a member", "What you get", "Scan the code with your phone’s camera. It takes less than a minute.", "You find the terms in the same place."},
}

// Line is one thing that a member gets.
type Line struct{ Title, Text string }

// mostLines fit above the code.
const mostLines = 4

// Lines chooses what stands on a poster: what joining gives, how points come, and what they are good for, of each what the document has first.
func Lines(p *program.Compiled, language string) []Line {
	told := map[string]terms.Item{}
	for _, s := range terms.Of(p, language) {
		for _, i := range s.Items {
			if _, twice := told[i.Of]; i.Of != "" && !twice {
				told[i.Of] = i
			}
		}
	}
	var welcome, earn, rewards, more []Line
	add := func(list *[]Line, id string) {
		if i, ok := told[id]; ok && i.Text != "" {
			l := Line{i.Title, first(i.Text)}
			if l.Title == "" {
				l = Line{Title: l.Text}
			}
			*list = append(*list, l)
		}
	}
	for i := range p.Doc.Earn {
		switch r := &p.Doc.Earn[i]; {
		case r.DryRun || r.Give == nil || r.Give.Amount != nil && r.Give.Amount.Sign() == 0 || r.When != nil:
		case r.On == "enrolment":
			add(&welcome, r.ID)
		default:
			add(&earn, r.ID)
		}
	}
	for i := range p.Doc.Rewards {
		if r := &p.Doc.Rewards[i]; r.Shown == nil && len(r.Price) > 0 {
			add(&rewards, r.ID)
		}
	}
	for i := range p.Doc.Challenges {
		add(&more, p.Doc.Challenges[i].ID)
	}
	for i := range p.Doc.Benefits {
		add(&more, p.Doc.Benefits[i].ID)
	}
	take := func(list *[]Line, n int) (out []Line) {
		n = min(n, len(*list))
		out, *list = (*list)[:n:n], (*list)[n:]
		return out
	}
	out := append(take(&welcome, 1), take(&earn, 1)...)
	out = append(out, take(&rewards, 2)...)
	for _, rest := range []*[]Line{&more, &rewards, &earn} {
		out = append(out, take(rest, mostLines-len(out))...)
	}
	return out
}

// first is the first sentence of a text: it ends before a capital letter, since "pr. 10 kr" is none.
func first(text string) string {
	for at := 0; ; {
		i := strings.Index(text[at:], ". ")
		if i < 0 {
			return text
		}
		at += i + 2
		if r, _ := utf8.DecodeRuneInString(text[at:]); unicode.IsUpper(r) {
			return text[:at-1]
		}
	}
}

// usualColour is that of a program without one.
var usualColour = tint.Must("#1d6b52")

// The page, in millimetres.
const (
	wide, high = 210.0, 297.0
	edge       = 18.0
	band       = 88.0 // what is in the colour
	codeSize   = 82.0
)

// plain are the signs that the core fonts do not have.
var plain = strings.NewReplacer("\u202f", " ", "\u00a0", " ", "\u2212", "-", "\u2011", "-")

// PDF writes a poster on one A4 page, in a language. url is the page to join.
func PDF(p *program.Compiled, language, url string, at time.Time) ([]byte, error) {
	w, ok := languages[language]
	if !ok {
		w = languages[lang.English]
	}
	colour, ok := p.Doc.Colour()
	if !ok {
		colour = usualColour
	}
	ink := colour.Ink()
	name := p.Doc.Name.In(language)
	doc := fpdf.New("P", "mm", "A4", "")
	doc.SetCreationDate(at.UTC().Truncate(24 * time.Hour))
	doc.SetModificationDate(at.UTC().Truncate(24 * time.Hour))
	doc.SetCatalogSort(true)
	doc.SetTitle(name+", "+w.join, true)
	doc.SetLang(language)
	latin := doc.UnicodeTranslatorFromDescriptor("") // the core fonts write Latin letters
	text := func(s string) string { return latin(plain.Replace(s)) }
	doc.SetMargins(edge, edge, edge)
	doc.SetAutoPageBreak(false, 0)
	doc.SetCellMargin(0)
	doc.AddPage()
	write := func(style string, size float64, c tint.Color) {
		doc.SetFont("Helvetica", style, size)
		doc.SetTextColor(int(c.R), int(c.G), int(c.B))
	}
	// lay writes a text in lines of a width and gives where it ends; size is the largest at which it takes no more than a number of lines.
	lay := func(style string, size, x, y, width float64, lines int, c tint.Color, s string) float64 {
		write(style, size, c)
		for len(doc.SplitLines([]byte(text(s)), width)) > lines && size > 8 {
			size *= 0.92
			write(style, size, c)
		}
		step := size * 0.3528 * 1.22
		for _, l := range doc.SplitLines([]byte(text(s)), width) {
			doc.SetXY(x, y)
			doc.CellFormat(width, step, string(l), "", 0, "L", false, 0, "")
			y += step
		}
		return y
	}
	doc.SetFillColor(int(colour.R), int(colour.G), int(colour.B))
	doc.Rect(0, 0, wide, band, "F")
	top := 20.0
	room := wide - 2*edge
	if _, seen, ok := p.Doc.Mark(); ok {
		room -= 36
		if err := mark(doc, seen, wide-edge-30, top, 30); err != nil {
			return nil, err
		}
	}
	y := lay("", 20, edge, top, room, 1, ink, w.join)
	lay("B", 54, edge, y+4, room, 2, ink, name)
	dark, soft := tint.Must("#1c1b19"), tint.Must("#5d5a54")
	accent := colour.On(false, tint.White).Text
	y = lay("B", 15, edge, band+11, wide-2*edge, 1, accent, w.get) + 3
	for _, l := range Lines(p, language) {
		y = lay("B", 18, edge, y, wide-2*edge, 1, dark, l.Title)
		if l.Text != "" {
			y = lay("", 14, edge, y, wide-2*edge, 1, soft, l.Text)
		}
		y += 3.5
	}
	foot := high - edge - codeSize
	if err := code(doc, url, edge, foot, codeSize); err != nil {
		return nil, err
	}
	beside := edge + codeSize + 10
	y = lay("B", 22, beside, foot+12, wide-edge-beside, 2, accent, w.join)
	y = lay("", 15, beside, y+3, wide-edge-beside, 4, dark, w.scan)
	_, shown, _ := strings.Cut(url, "://")
	y = lay("B", 12, beside, y+5, wide-edge-beside, 1, dark, shown)
	lay("", 11, beside, y+2, wide-edge-beside, 2, soft, w.terms)
	var out bytes.Buffer
	if err := doc.Output(&out); err != nil {
		return nil, fmt.Errorf("write a poster: %w", err)
	}
	return out.Bytes(), nil
}

// mark puts the program's picture on a white plate, in a square. It is drawn anew: the library does not read every PNG.
func mark(doc *fpdf.Fpdf, seen image.Image, x, y, size float64) error {
	box := seen.Bounds()
	flat := image.NewNRGBA(image.Rect(0, 0, box.Dx(), box.Dy()))
	draw.Draw(flat, flat.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(flat, flat.Bounds(), seen, box.Min, draw.Over)
	var b bytes.Buffer
	if err := png.Encode(&b, flat); err != nil {
		return fmt.Errorf("draw a mark: %w", err)
	}
	doc.RegisterImageOptionsReader("mark", fpdf.ImageOptions{ImageType: "PNG"}, &b)
	doc.SetFillColor(255, 255, 255)
	doc.RoundedRect(x, y, size, size, 3, "1234", "F")
	const pad = 2.5
	scale := (size - 2*pad) / float64(max(box.Dx(), box.Dy()))
	width, height := float64(box.Dx())*scale, float64(box.Dy())*scale
	doc.ImageOptions("mark", x+(size-width)/2, y+(size-height)/2, width, height, false, fpdf.ImageOptions{ImageType: "PNG"}, 0, "")
	return nil
}

// code draws a QR code of a text in a square; the paper around it is its quiet zone.
func code(doc *fpdf.Fpdf, text string, x, y, size float64) error {
	made, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return fmt.Errorf("make a QR code: %w", err)
	}
	n := made.Bounds().Dx()
	one := size / float64(n)
	doc.SetFillColor(0, 0, 0)
	for row := range n {
		for from := 0; from < n; from++ {
			to := from
			for to < n && isDark(made, to, row) {
				to++
			}
			if to > from {
				const over = 0.02 // so that no hair of paper shows between two rows
				doc.Rect(x+float64(from)*one, y+float64(row)*one, float64(to-from)*one, one+over, "F")
				from = to
			}
		}
	}
	return nil
}

func isDark(img image.Image, x, y int) bool {
	return color.GrayModel.Convert(img.At(x, y)) == color.Gray{}
}
