// Package tint makes the tones of one colour that text can be read on and be written in.
//
// It owns the arithmetic of colours, and knows no page. What always holds: Ink on the colour it is asked of reaches 4.5:1; of a palette, Text reaches 4.5:1
// on every ground and on Soft, Ink 4.5:1 on Fill, and Fill 3:1 on every ground (WCAG 2.2, success criteria 1.4.3 and 1.4.11). Any colour has such tones: black
// and white are among them.
package tint

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// Color is a colour in sRGB.
type Color struct{ R, G, B uint8 }

// White and Black are what text is written in when its ground is given.
var (
	White = Color{255, 255, 255}
	Black = Color{}
)

// Pattern is how a colour is written: # and six hexadecimal digits.
const Pattern = `^#[0-9A-Fa-f]{6}$`

var form = regexp.MustCompile(Pattern)

// Parse reads a colour such as #6b3f1d.
func Parse(s string) (Color, bool) {
	if !form.MatchString(s) {
		return Color{}, false
	}
	n, err := strconv.ParseUint(s[1:], 16, 32)
	return Color{uint8(n >> 16), uint8(n >> 8), uint8(n)}, err == nil
}

// Must is Parse of a colour that is written in the program.
func Must(s string) Color {
	c, ok := Parse(s)
	if !ok {
		panic("tint: " + s + " is no colour")
	}
	return c
}

// String writes a colour as Parse reads it.
func (c Color) String() string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// linear is a channel as light, 0 to 1 (IEC 61966-2-1).
func linear(v uint8) float64 {
	if x := float64(v) / 255; x > 0.04045 {
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return float64(v) / 255 / 12.92
}

// channel is the other way; what no screen can show is cut off.
func channel(x float64) uint8 {
	if x > 0.0031308 {
		x = 1.055*math.Pow(x, 1/2.4) - 0.055
	} else {
		x *= 12.92
	}
	return uint8(math.Round(255 * min(max(x, 0), 1)))
}

// luminance is the relative luminance of WCAG 2.2.
func (c Color) luminance() float64 {
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// Contrast is how much two colours differ, 1 to 21 (WCAG 2.2, contrast ratio).
func Contrast(a, b Color) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// The contrasts that are wanted: of text, of text on what gets a little brighter under the pointer, and of what is no text. A little more than the rules say, for
// tones are rounded.
const (
	text, hovered, shape = 4.55, 5.4, 3.05
)

// Ink is what can be read on the colour: white where that reaches 4.5:1, or else black, which then reaches more.
func (c Color) Ink() Color {
	if Contrast(c, White) >= text {
		return White
	}
	return Black
}

// tone is a colour by how it is seen: lightness 0 to 1, colourfulness, and the direction of the hue (OKLCH, Björn Ottosson 2020).
type tone struct{ l, c, h float64 }

func (c Color) tone() tone {
	r, g, b := linear(c.R), linear(c.G), linear(c.B)
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	s := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	x, y := 1.9779984951*l-2.4285922050*m+0.4505937099*s, 0.0259040371*l+0.7827717662*m-0.8086757660*s
	return tone{0.2104542553*l + 0.7936177850*m - 0.0040720468*s, math.Hypot(x, y), math.Atan2(y, x)}
}

// light gives the tone as linear sRGB, which may lie outside what a screen can show.
func (t tone) light() (r, g, b float64) {
	x, y := t.c*math.Cos(t.h), t.c*math.Sin(t.h)
	l, m, s := t.l+0.3963377774*x+0.2158037573*y, t.l-0.1055613458*x-0.0638541728*y, t.l-0.0894841775*x-1.2914855480*y
	l, m, s = l*l*l, m*m*m, s*s*s
	return 4.0767416621*l - 3.3077115913*m + 0.2309699292*s, -1.2684380046*l + 2.6097574011*m - 0.3413193965*s, -0.0041960863*l - 0.7034186147*m + 1.7076147010*s
}

// color gives the tone as a colour, less colourful where no screen shows it as it is.
func (t tone) color() Color {
	shown := func(c float64) bool {
		r, g, b := tone{t.l, c, t.h}.light()
		const edge = 0.0005
		return min(r, g, b) >= -edge && max(r, g, b) <= 1+edge
	}
	if !shown(t.c) {
		low, high := 0.0, t.c
		for range 20 {
			if mid := (low + high) / 2; shown(mid) {
				low = mid
			} else {
				high = mid
			}
		}
		t.c = low
	}
	r, g, b := t.light()
	return Color{channel(r), channel(g), channel(b)}
}

// Palette are the tones of a colour for pages of given grounds.
type Palette struct {
	// Fill is what stands out: buttons, bars, the ring around what has the focus. Ink is text on it.
	Fill, Ink Color
	// Text is for links and words in the colour.
	Text Color
	// Soft is a ground that hints at the colour.
	Soft Color
}

// On makes the palette of a colour for grounds that are all light, or all dark. It keeps the hue, and changes the lightness no more than it must.
func (c Color) On(dark bool, grounds ...Color) Palette {
	t := c.tone()
	soft := tone{0.955, min(t.c, 0.03), t.h}
	if dark {
		soft = tone{0.30, min(t.c, 0.045), t.h}
	}
	p := Palette{Soft: soft.color()}
	reaches := func(x Color, least float64, on ...Color) bool {
		for _, g := range on {
			if Contrast(x, g) < least {
				return false
			}
		}
		return true
	}
	p.Text = t.toward(dark, func(x Color) bool { return reaches(x, text, grounds...) && reaches(x, text, p.Soft) })
	p.Fill = t.toward(dark, func(x Color) bool {
		return reaches(x, shape, grounds...) && (Contrast(x, White) >= hovered || Contrast(x, Black) >= text)
	})
	p.Ink = Black
	if Contrast(p.Fill, White) >= hovered {
		p.Ink = White
	}
	return p
}

// toward makes a tone lighter, or darker, until it will do.
func (t tone) toward(lighter bool, do func(Color) bool) Color {
	const steps = 200
	end := 0.0
	if lighter {
		end = 1
	}
	for i := range steps {
		if x := (tone{t.l + (end-t.l)*float64(i)/steps, t.c, t.h}).color(); do(x) {
			return x
		}
	}
	if lighter {
		return White
	}
	return Black
}
