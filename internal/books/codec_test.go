package books

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/money"
)

// texts that JSON has something to say about.
var texts = []string{"", "a", "Ærlig talt", `"quoted"`, `back\slash`, "line\nend", "<b>&amp;</b>", "\u2028", "emoji 🙂", "tab\t\u0001", "–", "]},{["}

// fill gives every field of a value something, deep into it, with lists and maps of up to two.
func fill(r *rand.Rand, v reflect.Value, depth int) {
	switch v.Interface().(type) {
	case time.Time:
		at := time.Unix(r.Int64N(4e9), r.Int64N(1e6)*1000).UTC()
		if r.IntN(2) == 0 {
			at = at.In(time.FixedZone("", 3600))
		}
		v.Set(reflect.ValueOf(at))
		return
	case money.Decimal:
		v.Set(reflect.ValueOf(money.New(r.Int64N(1e12)-5e11, r.IntN(5))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[r.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{0, 1, -1, 1 << 40, -1 << 63, 1<<63 - 1}[r.IntN(6)])
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(r, field, depth)
		}
	case reflect.Pointer:
		if depth > 0 && r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem(), depth-1)
		}
	case reflect.Slice:
		for range r.IntN(3) * min(depth, 1) {
			e := reflect.New(v.Type().Elem()).Elem()
			fill(r, e, depth-1)
			v.Set(reflect.Append(v, e))
		}
	case reflect.Map:
		n := r.IntN(3) * min(depth, 1)
		if n > 0 {
			v.Set(reflect.MakeMap(v.Type()))
		}
		for range n {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, k, 0)
			if e.Kind() == reflect.Pointer {
				e.Set(reflect.New(e.Type().Elem()))
				fill(r, e.Elem(), depth-1)
			} else {
				fill(r, e, depth-1)
			}
			v.SetMapIndex(k, e)
		}
	default:
		panic(fmt.Sprintf("%s in what is stored: the encoder must learn it", v.Type()))
	}
}

// Whatever a decision, a state or a purchase may hold is stored and read again: also a field that comes later, which must be
// written too.
func TestWhatIsStoredIsReadAgain(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		var d, again engine.Decision
		fill(r, reflect.ValueOf(&d).Elem(), 5)
		text, err := encodeDecision(&d)
		if err != nil {
			t.Fatal(err)
		}
		events, err := encodeEvents(d.Events)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid([]byte(text)) || !json.Valid([]byte(events)) {
			t.Fatalf("seed %d: no JSON: %s %s", seed, text, events)
		}
		if err := decodeDecision(text, &again); err != nil {
			t.Fatalf("seed %d: %v: %s", seed, err, text)
		}
		if again.Events, err = decodeEvents(events); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(inJSON(t, d), inJSON(t, again)); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}

		var s, read engine.State
		fill(r, reflect.ValueOf(&s).Elem(), 4)
		written, err := encodeState(&s)
		if err != nil {
			t.Fatal(err)
		}
		if want := inJSON(t, s); written != want {
			t.Fatalf("seed %d: a state is\n%s, and to encoding/json\n%s", seed, written, want)
		}
		if err := decodeState(written, &read); err != nil {
			t.Fatalf("seed %d: %v: %s", seed, err, written)
		}
		if diff := cmp.Diff(written, inJSON(t, read)); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}

		var p engine.Purchase
		fill(r, reflect.ValueOf(&p).Elem(), 4)
		bytes, err := encodePurchase(&p)
		if err != nil {
			t.Fatal(err)
		}
		if want := inJSON(t, body{Purchase: &p}); string(bytes) != want {
			t.Fatalf("seed %d: a purchase is\n%s, and to encoding/json\n%s", seed, bytes, want)
		}
	}
}

func inJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A decision of before has its names in full.
func TestADecisionOfBeforeIsRead(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	var d, again engine.Decision
	fill(r, reflect.ValueOf(&d).Elem(), 5)
	text := inJSON(t, d)
	if err := decodeDecision(text, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, inJSON(t, again)); diff != "" {
		t.Error(diff)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"v":1,"p":[["star",105,"program:issued","member",3,"base"]],"w":[["base",1,["earned",{"gave":["star",3],"money":509}],["x"],"star",3]],"n":["nothing"]}`)
	f.Add(`{"seq":1,"units":{"star":{"spendable":3,"inactive_warned":true}},"tiers":{"club":{"tier":"gold","history":[{"at":"2026-01-01T00:00:00Z"}]}}}`)
	f.Add(`[["points.earned",{"amount":"3"}],["tier.up"]]`)
	f.Fuzz(func(t *testing.T, text string) {
		var d, again engine.Decision
		if decodeDecision(text, &d) == nil && !strings.Contains(text, `"version"`) {
			written, err := encodeDecision(&d)
			if err != nil {
				t.Skip() // a year beyond 9999
			}
			if err := decodeDecision(written, &again); err != nil {
				t.Errorf("%s was read, and not again as %s: %v", text, written, err)
			}
		}
		var s engine.State
		_ = decodeState(text, &s)
		_, _ = decodeEvents(text)
	})
}

func BenchmarkCodec(b *testing.B) {
	const text = `{"v":1,"p":[["star",105,"program:issued","member",3,"base"]],"a":[["base","star",105,3,[3]]],"l":[["1",1000,3900]],"c":[["spend@day","2026-11-21",3900]],"w":[["base",1,["earned",{"gave":["star",3]}],[["tax",{"tax":509}],["basis",{"money":3391}],["per",{"amount":["star",1],"basis":3391,"gave":["star",3],"per":1000,"rounding":{"o":"down"}}]],"star",3],["gift-cards",0,"no_line"],["early-bird",0,"condition",[["cond_weekday",{"seen":{"o":"saturday"},"want":{"q":["monday","tuesday"]}}]]]],"n":[["lot",{"gave":["star",3],"time":{"t":"2027-12-01T00:00:00+01:00"}}]]}`
	var d engine.Decision
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := decodeDecision(text, &d); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if out, err := encodeDecision(&d); err != nil || out != text {
				b.Fatal(out, err)
			}
		}
	})
	b.Run("encode by reflection", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(&d); err != nil {
				b.Fatal(err)
			}
		}
	})
}
