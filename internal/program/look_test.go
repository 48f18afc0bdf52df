package program

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"
)

const lookHead = "program: bar\nname: Bar\ntime_zone: Europe/Oslo\ncurrency: NOK\nunits: {star: {name: star}}\n"

// drawn is a picture of a size in a form, as a document has it; with noise it is large.
func drawn(t *testing.T, kind string, w, h int, noise bool) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(1, 2))
	for x := range w {
		for y := range h {
			img.Set(x, y, color.RGBA{107, 63, 29, 255})
			if noise {
				img.Set(x, y, color.RGBA{uint8(r.Uint32()), uint8(r.Uint32()), uint8(r.Uint32()), 255})
			}
		}
	}
	var b bytes.Buffer
	var err error
	switch kind {
	case "png":
		err = png.Encode(&b, img)
	case "jpeg":
		err = jpeg.Encode(&b, img, nil)
	case "gif":
		err = gif.Encode(&b, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return inline("image/"+kind, b.Bytes())
}

func inline(kind string, body []byte) string {
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(body)
}

func TestLooksThatAreMistakes(t *testing.T) {
	t.Parallel()
	good := drawn(t, "png", 64, 64, false)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(good, "data:image/png;base64,"))
	if err != nil {
		t.Fatal(err)
	}
	bomb := bytes.Clone(raw)
	copy(bomb[16:24], []byte{0, 0, 0x7f, 0xff, 0, 0, 0x7f, 0xff}) // it says 32767 × 32767
	for _, c := range []struct{ look, pointer, says string }{
		{`{colour: red}`, "/look/colour", `"red" is not a colour`},
		{`{colour: "#fff"}`, "/look/colour", "six hexadecimal digits"},
		{`{colour: "6b3f1d"}`, "/look/colour", "not a colour"},
		{"\n  colour: #6b3f1d", "/look/colour", "quotation marks"},
		{`{color: "#6b3f1d"}`, "/look/color", `Did you mean "colour"`},
		{`{picture: "https://example.no/mark.png"}`, "/look/picture", "not a picture within the document"},
		{`{picture: "data:image/png,xyz"}`, "/look/picture", "not a picture within"},
		{`{picture: "data:image/svg+xml;base64,PHN2Zy8+"}`, "/look/picture", "neither a PNG nor a JPEG"},
		{`{picture: "` + drawn(t, "gif", 64, 64, false) + `"}`, "/look/picture", "neither a PNG nor a JPEG"},
		{`{picture: "` + inline("image/png", []byte("<svg onload=alert(1)>")) + `"}`, "/look/picture", "says that it is image/png and is not"},
		{`{picture: "` + strings.Replace(good, "image/png", "image/jpeg", 1) + `"}`, "/look/picture", "says that it is image/jpeg and is not"},
		{`{picture: "data:image/png;base64,%%%"}`, "/look/picture", "not base64"},
		{`{picture: "` + inline("image/png", raw[:len(raw)-20]) + `"}`, "/look/picture", "damaged"},
		{`{picture: "` + inline("image/png", bomb) + `"}`, "/look/picture", "says that it is image/png and is not"},
		{`{picture: "` + drawn(t, "png", 31, 64, false) + `"}`, "/look/picture", "31 × 64 pixels"},
		{`{picture: "` + drawn(t, "png", 64, 1025, false) + `"}`, "/look/picture", "64 × 1025 pixels"},
		{`{picture: "` + drawn(t, "png", 200, 200, true) + `"}`, "/look/picture", "more than 64 kB"},
		{`{card: ""}`, "/look/card", "empty"},
		{`{card: {nb: ` + strings.Repeat("x", 81) + `}}`, "/look/card/nb", "81 letters"},
		{`{card: "a\nb"}`, "/look/card", "one line"},
	} {
		_, err := Parse([]byte(lookHead+"look: "+c.look+"\n"), "bar.yaml")
		if err == nil || !strings.Contains(err.Error(), c.pointer+":") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.80s: %v, want %s %q", c.look, err, c.pointer, c.says)
		}
	}
}

func TestALookIsReadBack(t *testing.T) {
	t.Parallel()
	for kind, uri := range map[string]string{"image/png": drawn(t, "png", 128, 64, false), "image/jpeg": drawn(t, "jpeg", 128, 64, false)} {
		d, err := Parse([]byte(lookHead+`look: {colour: "#6B3F1D", picture: "`+uri+`", card: {nb: Vis kortet, en: Show it}}`), "bar.yaml")
		if err != nil {
			t.Fatal(err)
		}
		p, seen, ok := d.Mark()
		if !ok || p.Kind != kind || p.Width != 128 || p.Height != 64 || seen.Bounds().Dx() != 128 || !strings.HasSuffix(uri, base64.StdEncoding.EncodeToString(p.Body)) {
			t.Errorf("%s: %+v %v", kind, p, ok)
		}
		if c, ok := d.Colour(); !ok || c.String() != "#6b3f1d" {
			t.Errorf("%v %v", c, ok)
		}
	}
	d, err := Parse([]byte(lookHead), "bar.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := d.Mark(); ok {
		t.Error("a program without a look has a mark")
	}
	if _, ok := d.Colour(); ok {
		t.Error("a program without a look has a colour")
	}
}

func TestDifferencesOfALookInWords(t *testing.T) {
	t.Parallel()
	parse := func(look string) *Document {
		d, err := Parse([]byte(lookHead+look), "bar.yaml")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	none, brown := parse(""), parse(`look: {colour: "#6b3f1d", picture: "`+drawn(t, "png", 64, 64, false)+`"}`)
	other := parse(`look: {colour: "#12733c", picture: "` + drawn(t, "png", 64, 64, true) + `", card: Vis kortet}`)
	for _, c := range []struct {
		a, b *Document
		lang string
		want []string
	}{
		{none, brown, "nb", []string{"Programmet har fått sitt eget utseende"}},
		{brown, none, "da", []string{"Programmet har ikke længere sit eget udseende"}},
		{brown, brown, "en", nil},
		{brown, other, "sv", []string{"Utseende: färg #6b3f1d → #12733c", "Utseende: bild PNG 64 × 64 (", "Utseende: rad på kortet inget → "}},
	} {
		got := Diff(c.a, c.b, c.lang)
		if len(got) != len(c.want) {
			t.Errorf("%+v, want %q", got, c.want)
			continue
		}
		for i, w := range c.want {
			if !strings.HasPrefix(got[i].Sentence, w) || strings.Contains(got[i].Sentence, "base64") {
				t.Errorf("%q, want %q", got[i].Sentence, w)
			}
		}
	}
}
