package ids

import (
	"crypto/rand"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Code makes a code that people read, say and type: n random symbols of Crockford's base 32 in upper case and
// one check symbol, n+1 in all, without separators. Each random symbol holds 5 bits; a code that alone opens
// something of value wants 80 bits, n = 16. n must be 1 … 29.
//
// The check symbol finds every single wrong symbol and every swap of two.
func Code(n int) string {
	if n < 1 || n > 29 {
		panic("ids: a code has 1 to 29 random symbols") // beyond 31 symbols the check would miss swaps
	}
	out := make([]byte, n+1)
	rand.Read(out[:n])
	values := make([]byte, n)
	for i := range values {
		values[i] = out[i] & 31 // 256 is a multiple of 32: no bias
		out[i] = alphabet[values[i]]
	}
	out[n] = alphabet[check(values)]
	return strings.ToUpper(string(out))
}

// Digits draws n random decimal digits, such as a PIN.
func Digits(n int) string {
	out := make([]byte, n)
	var b [1]byte
	for i := range out {
		for b[0] = 255; b[0] >= 250; { // 250 is a multiple of 10: no bias
			rand.Read(b[:])
		}
		out[i] = '0' + b[0]%10
	}
	return string(out)
}

// NormalizeCode gives the code as [Code] wrote it from what a person typed: case, spaces, hyphens and dots do
// not matter, O is 0, I and L are 1. It gives false when a symbol is not of the alphabet or the check symbol
// does not fit.
func NormalizeCode(typed string) (string, bool) {
	out := make([]byte, 0, 32)
	values := make([]byte, 0, 32)
	for i := range len(typed) {
		c := typed[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		switch c {
		case ' ', '-', '.', '\t':
			continue
		case 'o':
			c = '0'
		case 'i', 'l':
			c = '1'
		}
		if digits[c] == 0xFF || len(out) == 30 {
			return "", false
		}
		out = append(out, c)
		values = append(values, digits[c])
	}
	if len(values) < 2 || check(values) != 0 {
		return "", false
	}
	return strings.ToUpper(string(out)), true
}

// Word gives a word that people choose and type as it is compared: in upper case, without spaces, hyphens and dots. It gives false for nothing,
// for more than 100 bytes and for what nobody types.
func Word(typed string) (string, bool) {
	if len(typed) > 100 || !utf8.ValidString(typed) {
		return "", false
	}
	var b strings.Builder
	for _, r := range typed {
		switch {
		case r == ' ' || r == '-' || r == '.' || r == '\t':
		case unicode.IsControl(r):
			return "", false
		default:
			b.WriteRune(unicode.ToUpper(r))
		}
	}
	return b.String(), b.Len() > 0
}

// check gives the symbol that makes the weighted sum of all symbols zero in the field of 32 elements (polynomial
// x⁵+x²+1), where the symbol k places from the end weighs xᵏ. Weights differ for 31 places, hence every
// swap shows; none is zero, hence every wrong symbol shows. Over a code with its check symbol it gives 0.
func check(values []byte) byte {
	var sum byte
	for _, v := range values {
		sum = double(sum) ^ v
	}
	return double(sum)
}

func double(v byte) byte {
	v <<= 1
	if v&32 != 0 {
		v ^= 0b100101
	}
	return v
}
