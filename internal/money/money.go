// Package money holds exact numbers: decimals as people write them, int64 minor units as the books keep them, and
// the few roundings between the two.
//
// It owns parsing, scale, rounding and splitting. It does not own formatting for people (lang) nor any rule of a
// program. Nothing here is a float, and every overflow is an error.
package money

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// MaxDigits bounds what is read as a decimal: 18 digits always fit an int64.
const MaxDigits = 18

// Errors of reading and computing.
var (
	ErrSyntax   = errors.New("not a decimal number such as 12 or 12.50")
	ErrTooLong  = errors.New("more than 18 digits")
	ErrScale    = errors.New("too many decimals")
	ErrOverflow = errors.New("number too large")
)

// Decimal is an exact decimal number, digits × 10^-scale, with at most 18 digits. The zero value is 0.
type Decimal struct {
	digits int64
	scale  uint8
}

// New makes the decimal digits × 10^-scale, so New(1250, 2) is 12.50. Scale is 0 to 18.
func New(digits int64, scale int) Decimal { return Decimal{digits, uint8(scale)} }

// Parse reads "12", "-0.5" or "12.50". No exponent, no plus sign, no spaces, no thousands separator.
func Parse(s string) (Decimal, error) {
	body := strings.TrimPrefix(s, "-")
	whole, frac, dot := strings.Cut(body, ".")
	if whole == "" || (dot && frac == "") || (len(whole) > 1 && whole[0] == '0') {
		return Decimal{}, ErrSyntax
	}
	digits := whole + frac
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return Decimal{}, ErrSyntax
		}
	}
	if len(strings.TrimLeft(digits, "0")) > MaxDigits || len(frac) > MaxDigits {
		return Decimal{}, ErrTooLong
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return Decimal{}, ErrSyntax
	}
	if body != s {
		n = -n
	}
	return Decimal{n, uint8(len(frac))}, nil
}

// MustParse is Parse for literals in code and tests; it panics on bad text.
func MustParse(s string) Decimal {
	d, err := Parse(s)
	if err != nil {
		panic(fmt.Sprintf("money: %q: %v", s, err))
	}
	return d
}

// FromMinor makes a decimal of minor units: FromMinor(1250, 2) is 12.50.
func FromMinor(minor int64, scale int) Decimal { return Decimal{minor, uint8(scale)} }

// Minor gives the value in units of 10^-scale. ErrScale when decimals would be lost, ErrOverflow when it does not fit.
func (d Decimal) Minor(scale int) (int64, error) {
	n, have := d.digits, int(d.scale)
	for have > scale {
		if n%10 != 0 {
			return 0, ErrScale
		}
		n, have = n/10, have-1
	}
	for have < scale {
		if n > math.MaxInt64/10 || n < math.MinInt64/10 {
			return 0, ErrOverflow
		}
		n, have = n*10, have+1
	}
	return n, nil
}

// Ratio gives the value as a fraction num/den with den a power of ten, reduced of trailing zeros.
func (d Decimal) Ratio() (num, den int64) {
	n, s := d.digits, d.scale
	for s > 0 && n%10 == 0 {
		n, s = n/10, s-1
	}
	return n, Pow10(int(s))
}

// Sign is -1, 0 or 1.
func (d Decimal) Sign() int {
	switch {
	case d.digits < 0:
		return -1
	case d.digits > 0:
		return 1
	}
	return 0
}

// IsZero says whether the value is 0; it also makes `omitzero` work.
func (d Decimal) IsZero() bool { return d.digits == 0 }

// Cmp compares two decimals: -1, 0 or 1.
func (d Decimal) Cmp(e Decimal) int {
	s := max(d.scale, e.scale)
	a, errA := d.Minor(int(s))
	b, errB := e.Minor(int(s))
	if errA != nil || errB != nil { // only the one that was scaled up can be too large
		return cmpSign(d, e, errA != nil)
	}
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func cmpSign(d, e Decimal, first bool) int {
	if first {
		return d.Sign()
	}
	return -e.Sign()
}

// String writes the decimal as it was written: scale is kept.
func (d Decimal) String() string { return Format(d.digits, int(d.scale)) }

// Format writes minor units as plain decimal text: Format(-1250, 2) is "-12.50".
func Format(minor int64, scale int) string {
	var buf [32]byte
	return string(Append(buf[:0], minor, scale))
}

// Append appends what Format gives.
func Append(dst []byte, minor int64, scale int) []byte {
	u := uint64(minor)
	if minor < 0 {
		dst, u = append(dst, '-'), -u
	}
	var buf [20]byte
	digits := strconv.AppendUint(buf[:0], u, 10)
	if scale <= 0 {
		return append(dst, digits...)
	}
	whole := len(digits) - scale
	if whole <= 0 {
		dst = append(dst, '0', '.')
		for range -whole {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	return append(append(append(dst, digits[:whole]...), '.'), digits[whole:]...)
}

// MarshalJSON writes a JSON string, so that no reader makes a float of it.
func (d Decimal) MarshalJSON() ([]byte, error) { return []byte(`"` + d.String() + `"`), nil }

// UnmarshalJSON reads a JSON string or the digits of a JSON number; an exponent is refused.
func (d *Decimal) UnmarshalJSON(b []byte) error {
	s := string(b)
	if len(s) >= 2 && s[0] == '"' {
		s = s[1 : len(s)-1]
	}
	v, err := Parse(s)
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// Pow10 is 10^n for n from 0 to 18.
func Pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// Add is a+b, or ErrOverflow.
func Add(a, b int64) (int64, error) {
	c := a + b
	if (c > a) != (b > 0) && b != 0 {
		return 0, ErrOverflow
	}
	return c, nil
}

// Mode says how a fraction becomes whole.
type Mode string

// The rounding modes. Down goes towards zero, up away from it; half modes differ only at exactly one half.
const (
	Down     Mode = "down"
	Up       Mode = "up"
	HalfUp   Mode = "nearest"
	HalfEven Mode = "half-even"
)

// MulDiv is a×b/c rounded by mode, exact in between (128 bits). c must not be 0.
func MulDiv(a, b, c int64, mode Mode) (int64, error) {
	if c == 0 {
		return 0, ErrOverflow
	}
	neg := (a < 0) != (b < 0) != (c < 0)
	hi, lo := bits.Mul64(abs(a), abs(b))
	d := abs(c)
	if hi >= d {
		return 0, ErrOverflow
	}
	q, r := bits.Div64(hi, lo, d)
	if r != 0 {
		switch mode {
		case Up:
			q++
		case HalfUp:
			if r >= d-r {
				q++
			}
		case HalfEven:
			if r > d-r || (r == d-r && q&1 == 1) {
				q++
			}
		case Down:
		}
	}
	if q > math.MaxInt64 {
		return 0, ErrOverflow
	}
	if neg {
		return -int64(q), nil
	}
	return int64(q), nil
}

func abs(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// Split shares total over weights by largest remainder, so that the parts always add up to total. Weights must not be
// negative; when all are zero the last takes it all. Ties go to the later part, as the last one takes the remainder.
// An empty list of weights gives nil.
func Split(total int64, weights []int64) ([]int64, error) {
	if len(weights) == 0 {
		return nil, nil
	}
	parts := make([]int64, len(weights))
	var sum int64
	for _, w := range weights {
		if w < 0 {
			return nil, fmt.Errorf("split over a negative weight: %d", w)
		}
		var err error
		if sum, err = Add(sum, w); err != nil {
			return nil, err
		}
	}
	if sum == 0 {
		parts[len(parts)-1] = total
		return parts, nil
	}
	rest := total
	rem := make([]uint64, len(parts))
	for i, w := range weights {
		q, err := MulDiv(total, w, sum, Down)
		if err != nil {
			return nil, err
		}
		parts[i] = q
		rest -= q
		hi, lo := bits.Mul64(abs(total), abs(w))
		_, rem[i] = bits.Div64(hi, lo, uint64(sum))
	}
	step := int64(1)
	if rest < 0 {
		step = -1
	}
	for ; rest != 0; rest -= step {
		best := 0 // there is always a remainder while something is left
		for i := range rem {
			if rem[i] >= rem[best] {
				best = i
			}
		}
		parts[best] += step
		rem[best] = 0
	}
	return parts, nil
}
