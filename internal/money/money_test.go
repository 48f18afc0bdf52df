package money

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Decimal{
		"0": New(0, 0), "12": New(12, 0), "12.50": New(1250, 2), "-0.5": New(-5, 1), "0.000000000000000001": New(1, 18),
		"999999999999999999": New(999999999999999999, 0),
	} {
		got, err := Parse(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("Parse(%q) = %#v, %v", text, got, err)
		}
	}
	for text, want := range map[string]error{
		"": ErrSyntax, "-": ErrSyntax, ".5": ErrSyntax, "5.": ErrSyntax, "+1": ErrSyntax, "01": ErrSyntax, "1e3": ErrSyntax, "1,5": ErrSyntax,
		"1_000": ErrSyntax, "--1": ErrSyntax, "1.2.3": ErrSyntax, "٣": ErrSyntax, "NaN": ErrSyntax,
		"1000000000000000000": ErrTooLong, "0.0000000000000000001": ErrTooLong,
		"1 000": ErrSyntax,
	} {
		if _, err := Parse(text); !errors.Is(err, want) {
			t.Errorf("Parse(%q): %v, want %v", text, err, want)
		}
	}
}

func rat(d Decimal) *big.Rat {
	num, den := d.Ratio()
	return big.NewRat(num, den)
}

var decimals = rapid.Custom(func(t *rapid.T) Decimal {
	return New(rapid.Int64Range(-999_999_999_999_999_999, 999_999_999_999_999_999).Draw(t, "digits"), rapid.IntRange(0, 18).Draw(t, "scale"))
})

func TestDecimalAgainstBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, e := decimals.Draw(t, "d"), decimals.Draw(t, "e")
		if back, err := Parse(d.String()); err != nil || back != d {
			t.Fatalf("%s reads back as %v, %v", d, back, err)
		}
		if want, ok := new(big.Rat).SetString(d.String()); !ok || want.Cmp(rat(d)) != 0 {
			t.Fatalf("%s is not %s", d, rat(d))
		}
		if got, want := d.Cmp(e), rat(d).Cmp(rat(e)); got != want {
			t.Fatalf("%s cmp %s = %d, want %d", d, e, got, want)
		}
		if d.Sign() != rat(d).Sign() || d.IsZero() != (rat(d).Sign() == 0) {
			t.Fatal("sign of", d)
		}
		var f Decimal
		if b, err := d.MarshalJSON(); err != nil || f.UnmarshalJSON(b) != nil || f != d {
			t.Fatal("JSON of", d)
		}
		scale := rapid.IntRange(0, 18).Draw(t, "minor scale")
		exact := new(big.Rat).Mul(rat(d), new(big.Rat).SetInt64(Pow10(scale)))
		n, err := d.Minor(scale)
		switch {
		case err == nil && (!exact.IsInt() || exact.Num().Cmp(big.NewInt(n)) != 0):
			t.Fatalf("%s in 10^-%d is %s, got %d", d, scale, exact, n)
		case errors.Is(err, ErrScale) && exact.IsInt():
			t.Fatalf("%s in 10^-%d is whole", d, scale)
		case errors.Is(err, ErrOverflow) && exact.IsInt() && exact.Num().IsInt64():
			t.Fatalf("%s in 10^-%d fits: %s", d, scale, exact)
		}
		if err == nil && FromMinor(n, scale).Cmp(d) != 0 {
			t.Fatalf("%s does not come back from minor units", d)
		}
	})
}

// bigRound rounds a/b to a whole number by mode, from the definition of each.
func bigRound(num, den *big.Int, mode Mode) *big.Int {
	r := new(big.Rat).SetFrac(num, den)
	neg := r.Sign() < 0
	r.Abs(r)
	q, rem := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	half := new(big.Int).Lsh(rem, 1).Cmp(r.Denom())
	up := false
	switch mode {
	case Up:
		up = rem.Sign() > 0
	case HalfUp:
		up = half >= 0
	case HalfEven:
		up = half > 0 || (half == 0 && q.Bit(0) == 1)
	case Down:
	}
	if up {
		q.Add(q, big.NewInt(1))
	}
	if neg {
		q.Neg(q)
	}
	return q
}

var anyInt = rapid.OneOf(rapid.Int64(), rapid.Int64Range(-1000, 1000), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, 0, 1, -1}))

func TestMulDivAgainstBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := anyInt.Draw(t, "a"), anyInt.Draw(t, "b"), anyInt.Draw(t, "c")
		mode := rapid.SampledFrom([]Mode{Down, Up, HalfUp, HalfEven}).Draw(t, "mode")
		got, err := MulDiv(a, b, c, mode)
		if c == 0 {
			if err == nil {
				t.Fatal("division by zero")
			}
			return
		}
		want := bigRound(new(big.Int).Mul(big.NewInt(a), big.NewInt(b)), big.NewInt(c), mode)
		if err != nil {
			// The one value that fits and is refused: the negative end has no positive twin.
			if want.IsInt64() && want.Int64() != math.MinInt64 {
				t.Fatalf("%d*%d/%d %s = %s was refused: %v", a, b, c, mode, want, err)
			}
			return
		}
		if want.Cmp(big.NewInt(got)) != 0 {
			t.Fatalf("%d*%d/%d %s = %d, want %s", a, b, c, mode, got, want)
		}
	})
}

func TestAddAgainstBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyInt.Draw(t, "a"), anyInt.Draw(t, "b")
		want := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
		got, err := Add(a, b)
		if (err == nil) != want.IsInt64() || (err == nil && want.Int64() != got) {
			t.Fatalf("%d+%d = %d, %v; want %s", a, b, got, err, want)
		}
	})
}

// The parts add up to the whole, lie within one of their exact share, carry the sign of the whole, and a weight of
// nothing gets nothing.
func TestSplitAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.OneOf(rapid.Int64Range(-1_000_000_000_000_000, 1_000_000_000_000_000), rapid.Int64Range(-20, 20)).Draw(t, "total")
		weights := rapid.SliceOfN(rapid.OneOf(rapid.Int64Range(0, 1_000_000_000_000), rapid.Int64Range(0, 3)), 0, 12).Draw(t, "weights")
		parts, err := Split(total, weights)
		if err != nil {
			t.Fatal(err)
		}
		if len(weights) == 0 {
			if parts != nil {
				t.Fatal("parts of nothing")
			}
			return
		}
		var sum, whole int64
		for i, p := range parts {
			sum += p
			whole += weights[i]
		}
		if sum != total {
			t.Fatalf("the parts %v of %d add up to %d", parts, total, sum)
		}
		if whole == 0 {
			return
		}
		for i, p := range parts {
			exact := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(total), big.NewInt(weights[i])), big.NewInt(whole))
			off := new(big.Rat).Sub(exact, new(big.Rat).SetInt64(p))
			if off.Abs(off).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("part %d of %v over %v is %d, exact %s", i, total, weights, p, exact)
			}
			if weights[i] == 0 && p != 0 {
				t.Fatalf("a weight of 0 got %d", p)
			}
			if p != 0 && (p < 0) != (total < 0) {
				t.Fatalf("part %d has another sign than %d", p, total)
			}
		}
	})
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		total   int64
		weights []int64
		want    []int64
	}{
		{1000, []int64{5000, 5000, 5000}, []int64{333, 333, 334}}, // K02: the remainder goes to the last
		{1500, []int64{50, 50, 50}, []int64{500, 500, 500}},
		{-1000, []int64{1, 1, 1}, []int64{-333, -333, -334}},
		{7, []int64{0, 0}, []int64{0, 7}},
		{1, []int64{1, 0}, []int64{1, 0}},
	} {
		got, err := Split(c.total, c.weights)
		if err != nil || len(got) != len(c.want) {
			t.Fatal(err)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("Split(%d, %v) = %v, want %v", c.total, c.weights, got, c.want)
			}
		}
	}
	if _, err := Split(1, []int64{-1}); err == nil {
		t.Error("a negative weight was taken")
	}
	if _, err := Split(1, []int64{math.MaxInt64, 1}); !errors.Is(err, ErrOverflow) {
		t.Error("weights beyond int64 were taken")
	}
}

// I11: half-even at two decimals.
func TestHalfEven(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"1.225": 122, "1.235": 124, "1.236": 124, "-1.225": -122} {
		num, den := MustParse(text).Ratio()
		if got, err := MulDiv(num, 100, den, HalfEven); err != nil || got != want {
			t.Errorf("%s = %d, %v", text, got, err)
		}
	}
}

func TestCurrency(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{"NOK": 2, "ISK": 0, "JPY": 0, "KWD": 3, "EUR": 2} {
		if Exponent(code) != want || !IsCurrency(code) {
			t.Error(code)
		}
	}
	for _, bad := range []string{"", "nok", "NO", "NOKK", "N1K", "ÆØÅ"} {
		if IsCurrency(bad) {
			t.Error(bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"12.50", "-0", "0.0", "1e9", "999999999999999999", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse(s)
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok || want.Cmp(rat(d)) != 0 {
			t.Fatalf("%q is %s", s, d)
		}
	})
}
