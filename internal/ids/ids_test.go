package ids_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"
	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/ids"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 123_456_789, time.UTC)

// decode reads a TypeID's 26 symbols the slow way, so that a fault in the encoder shows.
func decode(t interface{ Fatalf(string, ...any) }, id string) uuid.UUID {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	s := id[strings.LastIndex(id, "_")+1:]
	bits := ""
	for _, c := range s {
		bits += fmt.Sprintf("%05b", strings.IndexRune(alphabet, c))
	}
	if len(bits) != 130 || bits[:2] != "00" {
		t.Fatalf("%s does not hold 128 bits", id)
	}
	var u uuid.UUID
	for i := range 16 {
		fmt.Sscanf(bits[2+8*i:10+8*i], "%b", &u[i])
	}
	return u
}

func TestAnIDIsATypeIDOfAUUIDv7(t *testing.T) {
	t.Parallel()
	id := ids.New("purchase", noon)
	if !regexp.MustCompile(`^purchase_0[0-9a-hjkmnp-tv-z]{25}$`).MatchString(id) {
		t.Fatalf("%s has another form", id)
	}
	u := decode(t, id)
	if u.Version() != 7 || u.Variant() != uuid.VariantRFC9562 {
		t.Errorf("%s is %s: version %d, variant %d", id, u, u.Version(), u.Variant())
	}
	ts, err := uuid.TimestampFromV7(u)
	if err != nil {
		t.Fatal(err)
	}
	if at, err := ts.Time(); err != nil || !at.Equal(noon.Truncate(time.Millisecond)) {
		t.Errorf("its time is %v (%v), want %v", at, err, noon)
	}
	if err := ids.Check("purchase", id); err != nil {
		t.Error(err)
	}
}

func TestIDsOfOneInstantAndLaterOnesRise(t *testing.T) {
	// Not parallel: only ids made by others for the same instant in between may break the order.
	at, made := noon, []string{}
	for i := range 20_000 {
		if i%1000 == 999 {
			at = at.Add(300 * time.Nanosecond)
		}
		made = append(made, ids.New("m", at))
	}
	if !slices.IsSorted(made) || len(slices.Compact(slices.Clone(made))) != len(made) {
		t.Error("ids do not rise strictly")
	}
}

func TestIDsSortByTheirTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		micros := rapid.Int64Range(0, 4102444800_000_000)
		a, b := micros.Draw(t, "a"), micros.Draw(t, "b")
		x, y := ids.New("p", time.UnixMicro(a)), ids.New("p", time.UnixMicro(b))
		decode(t, x)
		if a != b && (a < b) != (x < y) {
			t.Fatalf("%d is %s, %d is %s", a, x, b, y)
		}
	})
}

func TestIDsMadeAtOnceAreDistinct(t *testing.T) {
	t.Parallel()
	const workers, each = 8, 2000
	made := make([][]string, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range each {
				made[w] = append(made[w], ids.New("m", noon))
			}
		})
	}
	wg.Wait()
	all := slices.Concat(made...)
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != workers*each {
		t.Errorf("%d distinct of %d", n, workers*each)
	}
}

func TestTimesOutsideTheRangeAreClamped(t *testing.T) {
	t.Parallel()
	early, late := ids.New("m", time.Unix(-5, 0)), ids.New("m", time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC))
	if !strings.HasPrefix(early, "m_0000000000") || !strings.HasPrefix(late, "m_7zzzzzzzzz") {
		t.Errorf("%s, %s", early, late)
	}
}

func TestAPrefixThatCannotBeReadBackPanics(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"", "_a", "a_", "A", "a1", "é", strings.Repeat("a", 64)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was taken", p)
				}
			}()
			ids.New(p, noon)
		}()
	}
	if id := ids.New("gift_card", noon); ids.Check("gift_card", id) != nil {
		t.Errorf("%s is refused", id)
	}
}

func TestCheckRefusesWhatIsNoID(t *testing.T) {
	t.Parallel()
	good := ids.New("member", noon)
	for _, s := range []string{
		"", "member", "member_", good[:len(good)-1], good + "0", strings.ToUpper(good), "purchase" + good[6:], good[7:],
		"member_8" + good[8:], "member_u" + good[8:], good[:len(good)-2] + "é", " " + good, "member_" + good,
	} {
		if ids.Check("member", s) == nil {
			t.Errorf("%q passes", s)
		}
	}
}

// The vectors are promises to every database in the field. A change that fails this test is wrong, however
// good its reasons: rows would no longer be found. printf 'PROGRAM\0MEMBER' | sha256sum, digits 2 to 4.
func TestTheBucketIsFrozen(t *testing.T) {
	t.Parallel()
	if ids.Buckets != 4096 {
		t.Errorf("there are %d buckets", ids.Buckets)
	}
	for _, v := range []struct {
		program, member string
		bucket          int32
	}{
		{"", "", 0xe34},
		{"kaffebaren", "member_01jd9v5k0e7xk8w2y3z4a5b6c7", 0xa7c},
		{"kaffebaren", "kari", 0x3cb},
		{"a", "b", 0x9b2},
		{"ab", "", 0x69c},
		{"prog_æøå", "ÄÖ", 0xbad},
	} {
		if got := ids.Bucket(v.program, v.member); got != v.bucket {
			t.Errorf("Bucket(%q, %q) = %#x, want %#x", v.program, v.member, got, v.bucket)
		}
	}
}

func TestMembersSpreadEvenlyOverBuckets(t *testing.T) {
	t.Parallel()
	const members = 400_000
	var count [ids.Buckets]int
	r := rand.New(rand.NewPCG(1, 2))
	for range members {
		b := ids.Bucket("kaffebaren", fmt.Sprintf("member_%026d", r.Uint64()))
		if b < 0 || b >= ids.Buckets {
			t.Fatalf("bucket %d", b)
		}
		count[b]++
	}
	// Chi-square with 4095 degrees of freedom: mean 4095, deviation 90.5; five deviations allowed.
	mean, chi := float64(members)/ids.Buckets, 0.0
	for _, n := range count {
		chi += (float64(n) - mean) * (float64(n) - mean) / mean
	}
	if chi < 4095-453 || chi > 4095+453 {
		t.Errorf("chi-square %.0f over 4096 buckets", chi)
	}
}

func TestACodeIsReadBackHoweverItIsTyped(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		code := ids.Code(rapid.IntRange(1, 29).Draw(t, "n"))
		typed := ""
		for _, c := range code {
			s := string(c)
			switch {
			case s == "0":
				s = rapid.SampledFrom([]string{"0", "o", "O"}).Draw(t, "zero")
			case s == "1":
				s = rapid.SampledFrom([]string{"1", "i", "I", "l", "L"}).Draw(t, "one")
			case rapid.Bool().Draw(t, "lower"):
				s = strings.ToLower(s)
			}
			typed += s + rapid.SampledFrom([]string{"", "", " ", "-", "."}).Draw(t, "gap")
		}
		if got, ok := ids.NormalizeCode(typed); !ok || got != code {
			t.Fatalf("%s typed as %q is %q, %v", code, typed, got, ok)
		}
	})
}

func TestACodeWithOneWrongSymbolOrASwapIsRefused(t *testing.T) {
	t.Parallel()
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	for _, n := range []int{1, 7, 16, 29} {
		code := ids.Code(n)
		for i := range len(code) {
			for _, c := range alphabet {
				if wrong := code[:i] + string(c) + code[i+1:]; wrong != code {
					if _, ok := ids.NormalizeCode(wrong); ok {
						t.Errorf("%s passes for %s", wrong, code)
					}
				}
			}
			for j := range i {
				swapped := []byte(code)
				swapped[i], swapped[j] = swapped[j], swapped[i]
				if _, ok := ids.NormalizeCode(string(swapped)); ok && string(swapped) != code {
					t.Errorf("%s passes for %s", swapped, code)
				}
			}
		}
	}
}

func TestWhatIsNoCodeIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "0", "-", "U", "ABCU", "æ", "ABC\x00D", strings.Repeat("0", 31)} {
		if got, ok := ids.NormalizeCode(s); ok {
			t.Errorf("%q passes as %q", s, got)
		}
	}
	// The form of a code is printed on cards: these stay valid.
	for _, s := range []string{"0000", "K7QD2M9T", "1000-0000-0000-0000-V"} {
		if _, ok := ids.NormalizeCode(s); !ok {
			t.Errorf("%q is refused", s)
		}
	}
}

func FuzzNormalizeCode(f *testing.F) {
	f.Add("k7qd-2m9x")
	f.Add(" O1l ")
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := ids.NormalizeCode(typed)
		if !ok {
			return
		}
		if again, ok := ids.NormalizeCode(code); !ok || again != code {
			t.Errorf("%q is %q, then %q", typed, code, again)
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add("member_01jd9v5k0e7xk8w2y3z4a5b6c7")
	f.Fuzz(func(t *testing.T, s string) {
		if ids.Check("member", s) == nil {
			decode(t, s)
		}
	})
}

func TestASecretHasItsFormAndHash(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 200 {
		s := ids.Secret(ids.TestKey)
		if !regexp.MustCompile(`^lj_test_[0-9A-Za-z]{49}$`).MatchString(s) || seen[s] {
			t.Fatalf("%s", s)
		}
		seen[s] = true
		if err := ids.CheckSecret(ids.TestKey, s); err != nil {
			t.Error(err)
		}
		if ids.CheckSecret(ids.LiveKey, s) == nil {
			t.Error("a test key passes for a live one")
		}
		if ids.CheckSecret(ids.TestKey, s[:len(s)-1]) == nil {
			t.Error("a cut key passes")
		}
		i := len(ids.TestKey) + rand.IntN(49)
		other := byte('0')
		if s[i] == '0' {
			other = '1'
		}
		if ids.CheckSecret(ids.TestKey, s[:i]+string(other)+s[i+1:]) == nil {
			t.Error("a mistyped key passes")
		}
	}
	if got := ids.HashSecret("abc"); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("the hash is %s", got)
	}
}

func TestDigitsAreDigitsAndEachIsDrawn(t *testing.T) {
	t.Parallel()
	seen := map[rune]int{}
	for range 500 {
		pin := ids.Digits(4)
		if len(pin) != 4 || strings.Trim(pin, "0123456789") != "" {
			t.Fatalf("%q", pin)
		}
		for _, d := range pin {
			seen[d]++
		}
	}
	for d, n := range seen { // 200 of each are to be expected; 120 is six standard deviations away
		if n < 120 || n > 280 {
			t.Errorf("%c was drawn %d times in 2000", d, n)
		}
	}
	if len(seen) != 10 {
		t.Errorf("only %d digits were drawn", len(seen))
	}
}
