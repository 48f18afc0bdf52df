package program

import (
	"os"
	"reflect"
	"testing"
)

func TestHappy(t *testing.T) {
	t.Parallel()
	b, _ := os.ReadFile("blueprints/coffee-stars.yaml")
	d, err := Parse(b, "coffee-stars.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(d, 1)
	if err != nil {
		t.Fatal(err)
	}
	if c.ByID["base"].Per != 1000 || c.Multipliers["purchase"][0].Num != 2 || c.Tiers["club"].From[1] != 300000 {
		t.Fatal(c.ByID["base"])
	}
	j, err := Canonical(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", j)
	e, err := Parse(j, "x")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(d, e) {
		t.Fatal("differ")
	}
	_, err = Parse([]byte("program: x\nnname: {nb: 1}\nunits:\n  star: {name: [1]}\nearn:\n  - {id: a, per: 1, on: [b], limit: {per: 1, times: x}}\n  - foo\n"), "bad.yaml")
	t.Log(err)
}
