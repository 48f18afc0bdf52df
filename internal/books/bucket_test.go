package books

import (
	"testing"

	"lojal.dev/lojal/internal/ids"
)

// The buckets of what is not found by a member are promises too: rows are stored under them. What each is the hash of can
// be tried by hand: printf 'PROGRAM\0SOURCE\0EXTERNAL_ID' | sha256sum, digits 2 to 4.
func TestTheBucketsOfKeysAreFrozen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what      string
		got, want int32
	}{
		{"natural key", NaturalKey{"kaffe", "till-1", "R-1001"}.bucket(), 0x4fb},
		{"Idempotency-Key", AnswerKey{"kaffe", "shop", "key-1"}.bucket(), 0xe6a},
		{"member", Ref{"kaffe", "mem_01"}.Bucket(), 0x34b},
		{"counter", ids.Bucket("kaffe", "program:stock:cup"), 0xb74},
	} {
		if c.got != c.want {
			t.Errorf("%s: %#x, want %#x", c.what, c.got, c.want)
		}
	}
}
