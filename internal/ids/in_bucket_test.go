package ids_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/ids"
)

func TestAnIDKeepsItsBucket(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bucket := rapid.Int32Range(0, ids.Buckets-1).Draw(t, "bucket")
		at := time.UnixMicro(rapid.Int64Range(0, 4102444800_000_000).Draw(t, "at"))
		id := ids.NewIn("pur", at, bucket)
		u := decode(t, id)
		if u.Version() != 7 || ids.Check("pur", id) != nil {
			t.Fatalf("%s is not a TypeID of a UUIDv7", id)
		}
		if got, ok := ids.BucketOf(id); !ok || got != bucket {
			t.Fatalf("the bucket of %s is %d (%v), want %d", id, got, ok, bucket)
		}
	})
}

func TestIDsInABucketRise(t *testing.T) {
	// Not parallel: only ids made by others for the same instant in between may break the order.
	made := []string{}
	for i := range 20_000 {
		made = append(made, ids.NewIn("pur", noon, int32(i*37%ids.Buckets)))
	}
	if !slices.IsSorted(made) || len(slices.Compact(slices.Clone(made))) != len(made) {
		t.Error("ids do not rise strictly")
	}
}

func TestBucketOfRefusesWhatIsNoID(t *testing.T) {
	t.Parallel()
	good := ids.NewIn("fct", noon, 17)
	for _, s := range []string{"", "_", "fct", "fct_", good[:len(good)-1], good + "0", good[4:], strings.ToUpper(good), "9" + good} {
		if _, ok := ids.BucketOf(s); ok {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestABucketThatIsNoneOfThem(t *testing.T) {
	t.Parallel()
	for _, b := range []int32{-1, ids.Buckets} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("bucket %d was taken", b)
				}
			}()
			ids.NewIn("fct", noon, b)
		}()
	}
}
