package condition

import "testing"

func TestHappy(t *testing.T) {
	t.Parallel()
	f, err := Compile(Context{Trigger: "purchase", Exponent: 2}, Int, `basis > 50000 ? floor(basis/50) : floor(basis/100)`)
	if err != nil {
		t.Fatal(err)
	}
	n, err := f.Int(map[string]any{"basis": int64(60000)})
	if n != 1200 || err != nil {
		t.Fatal(n, err)
	}
}
