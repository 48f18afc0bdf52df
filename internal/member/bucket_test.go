package member

import "testing"

// A card is found under the bucket of its KIND:VALUE: printf 'PROGRAM\0KIND:VALUE' | sha256sum, digits 2 to 4.
func TestTheBucketOfAnIdentifierIsFrozen(t *testing.T) {
	t.Parallel()
	if got := (Identifier{Card, "1001"}).bucket("kaffe"); got != 0x901 {
		t.Errorf("%#x, want %#x", got, 0x901)
	}
}
