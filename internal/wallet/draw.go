package wallet

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"

	"lojal.dev/lojal/internal/tint"
)

// PNG writes a picture as PNG.
func PNG(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("draw a picture: %w", err)
	}
	return b.Bytes(), nil
}

// Sign draws a mark for a program that has none: a ring and a dot on its colour, in a square of a size.
func Sign(colour tint.Color, size int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	ink := colour.Ink()
	middle, ring, thick, dot := float64(size)/2, float64(size)*0.28, float64(size)*0.085, float64(size)*0.1
	for y := range size {
		for x := range size {
			far := math.Hypot(float64(x)+0.5-middle, float64(y)+0.5-middle)
			cover := max(thick/2-math.Abs(far-ring), dot-far) + 0.5 // of a pixel, so that edges are smooth
			img.SetRGBA(x, y, mix(colour, ink, min(max(cover, 0), 1)))
		}
	}
	return img
}

func mix(a, b tint.Color, part float64) color.RGBA {
	one := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + (float64(y)-float64(x))*part)) }
	return color.RGBA{one(a.R, b.R), one(a.G, b.G), one(a.B, b.B), 255}
}

// icon is a square: the program's picture in the middle of its colour, or a sign on it.
func icon(c *Card, size int) image.Image {
	if c.Mark == nil {
		return Sign(c.Colour, size)
	}
	out := image.NewRGBA(image.Rect(0, 0, size, size))
	for i := range size * size {
		out.SetRGBA(i%size, i/size, mix(c.Colour, c.Colour, 0))
	}
	small := within(c.Mark, size, size)
	box := small.Bounds()
	left, top := (size-box.Dx())/2, (size-box.Dy())/2
	for y := range box.Dy() {
		for x := range box.Dx() {
			over := small.RGBAAt(x, y) // its channels are multiplied by its alpha
			under := out.RGBAAt(left+x, top+y)
			rest := 255 - int(over.A)
			add := func(o, u uint8) uint8 { return uint8(min(255, int(o)+int(u)*rest/255)) }
			out.SetRGBA(left+x, top+y, color.RGBA{add(over.R, under.R), add(over.G, under.G), add(over.B, under.B), 255})
		}
	}
	return out
}

// within gives a picture as large as it can be in a box, each pixel the mean of what it covers.
func within(img image.Image, width, height int) *image.RGBA {
	box := img.Bounds()
	scale := min(float64(width)/float64(box.Dx()), float64(height)/float64(box.Dy()))
	w, h := max(1, int(math.Round(float64(box.Dx())*scale))), max(1, int(math.Round(float64(box.Dy())*scale)))
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	span := func(i, n, of int) (from, to int) {
		from = i * of / n
		return from, max(from+1, (i+1)*of/n)
	}
	for y := range h {
		top, bottom := span(y, h, box.Dy())
		for x := range w {
			left, right := span(x, w, box.Dx())
			var sum [4]uint64
			for sy := top; sy < bottom; sy++ {
				for sx := left; sx < right; sx++ {
					r, g, b, a := img.At(box.Min.X+sx, box.Min.Y+sy).RGBA()
					for i, v := range []uint32{r, g, b, a} {
						sum[i] += uint64(v)
					}
				}
			}
			n := uint64((bottom-top)*(right-left)) * 257
			out.SetRGBA(x, y, color.RGBA{uint8(sum[0] / n), uint8(sum[1] / n), uint8(sum[2] / n), uint8(sum[3] / n)})
		}
	}
	return out
}
