package page

import (
	"fmt"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/code128"
	"github.com/boombuler/barcode/qr"
)

// QR gives a QR code (ISO/IEC 18004) of a text as a path of SVG, one unit a module, with the size of its square. Error correction is M: a tenth may be
// covered.
func QR(text string) (Modules, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return Modules{}, fmt.Errorf("make a QR code: %w", err)
	}
	return modules(code), nil
}

// Code128 gives a bar code (ISO/IEC 15417) of a text as a path of SVG, one unit a module wide and one high.
func Code128(text string) (Modules, error) {
	code, err := code128.Encode(text)
	if err != nil {
		return Modules{}, fmt.Errorf("make a bar code: %w", err)
	}
	return modules(code), nil
}

// Modules are the dark places of a code: Path in a square of Size, without the quiet zone.
type Modules struct {
	Path string
	Size int
}

func modules(code barcode.Barcode) Modules {
	var b strings.Builder
	box := code.Bounds()
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			from := x
			for x < box.Max.X {
				if r, _, _, _ := code.At(x, y).RGBA(); r != 0 {
					break
				}
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
			}
		}
	}
	return Modules{b.String(), box.Dx()}
}
