package tint_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/tint"
)

func TestContrastIsThatOfTheRules(t *testing.T) {
	t.Parallel()
	// Values of WebAIM's contrast checker.
	for _, c := range []struct {
		a, b string
		want float64
	}{{"#000000", "#ffffff", 21}, {"#ffffff", "#ffffff", 1}, {"#777777", "#ffffff", 4.48}, {"#ff0000", "#ffffff", 4}, {"#1d6b52", "#ffffff", 6.4}, {"#0000ff", "#ffff00", 8}} {
		if got := tint.Contrast(tint.Must(c.a), tint.Must(c.b)); math.Abs(got-c.want) > 0.05 {
			t.Errorf("%s on %s is %.2f, want %.2f", c.a, c.b, got, c.want)
		}
	}
}

func TestColoursAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"#6b3f1d", "#000000", "#ffffff", "#0a0b0c"} {
		if c, ok := tint.Parse(s); !ok || c.String() != s {
			t.Errorf("%s: %v %v", s, c, ok)
		}
	}
	if c, ok := tint.Parse("#ABCDEF"); !ok || c.String() != "#abcdef" {
		t.Errorf("%v %v", c, ok)
	}
	for _, s := range []string{"", "#", "#fff", "6b3f1d", "#6b3f1", "#6b3f1d0", "#6b3f1g", "#6b3f1d\n", "red", "#６b3f1d"} {
		if c, ok := tint.Parse(s); ok {
			t.Errorf("%q is read as %v", s, c)
		}
	}
}

var light, dark = []tint.Color{tint.Must("#ffffff"), tint.Must("#f7f6f3"), tint.Must("#f1efea")}, []tint.Color{tint.Must("#131412"), tint.Must("#1c1d1b"), tint.Must("#252623")}

// Whatever colour a program has, what is made of it can be read.
func TestEveryColourHasTonesThatCanBeRead(t *testing.T) {
	t.Parallel()
	check := func(t rapid.TB, c tint.Color) {
		if r := tint.Contrast(c, c.Ink()); r < 4.5 {
			t.Errorf("%v: ink %v has %.2f", c, c.Ink(), r)
		}
		for _, m := range []struct {
			dark    bool
			grounds []tint.Color
			ink     tint.Color
		}{{false, light, tint.Must("#1c1b19")}, {true, dark, tint.Must("#f1efe9")}} {
			p := c.On(m.dark, m.grounds...)
			for _, g := range m.grounds {
				if tint.Contrast(p.Text, g) < 4.5 || tint.Contrast(p.Fill, g) < 3 {
					t.Errorf("%v on %v: %+v", c, g, p)
				}
			}
			if tint.Contrast(p.Text, p.Soft) < 4.5 || tint.Contrast(p.Ink, p.Fill) < 4.5 || tint.Contrast(m.ink, p.Soft) < 7 {
				t.Errorf("%v, dark %v: %+v", c, m.dark, p)
			}
		}
	}
	for r := 0; r < 256; r += 51 {
		for g := 0; g < 256; g += 51 {
			for b := 0; b < 256; b += 51 {
				check(t, tint.Color{R: uint8(r), G: uint8(g), B: uint8(b)})
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		one := rapid.Uint8()
		check(t, tint.Color{R: one.Draw(t, "r"), G: one.Draw(t, "g"), B: one.Draw(t, "b")})
	})
}

// A colour that will do is left as it is, and one that must change keeps its hue.
func TestAColourIsChangedNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	if p := tint.Must("#6b3f1d").On(false, light...); p.Fill.String() != "#6b3f1d" || p.Text.String() != "#6b3f1d" || p.Ink != tint.White {
		t.Errorf("%+v", p)
	}
	if p := tint.Must("#ffd400").On(false, light...); p.Fill.R < p.Fill.G || p.Fill.G < 2*p.Fill.B || p.Text == tint.Black {
		t.Errorf("a yellow becomes %+v", p)
	}
	if p := tint.Must("#102a6b").On(true, dark...); p.Text.B <= p.Text.R || p.Text.B <= p.Text.G || p.Text == tint.White {
		t.Errorf("a blue becomes %+v", p)
	}
}
