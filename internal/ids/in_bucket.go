package ids

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"
)

// lastIn is to NewIn what last is to New.
var lastIn struct {
	sync.Mutex
	tick uint64
	low  uint64 // the 50 random bits
}

// NewIn makes an id like [New] whose last 12 bits are the bucket, 0 … 4095, so that a row is found from its id alone.
//
// Ids sort by at, and rise within one process, as those of New do; the other 50 bits are random. It panics when the
// bucket or the prefix is out of range, since such an id could never be read again.
func NewIn(prefix string, at time.Time, bucket int32) string {
	if !validPrefix(prefix) {
		panic(fmt.Sprintf("ids: prefix %q is not made of lower-case letters", prefix))
	}
	if bucket < 0 || bucket >= Buckets {
		panic(fmt.Sprintf("ids: there is no bucket %d", bucket))
	}
	tick := tickOf(at)
	var random [8]byte
	rand.Read(random[:])
	r := binary.BigEndian.Uint64(random[:])

	lastIn.Lock()
	low := r >> 15 // the top bit of 50 stays free, so that rising by up to 2²⁰ has room 2²⁹ times
	if tick == lastIn.tick {
		low = lastIn.low + 1 + r>>44
	}
	lastIn.tick, lastIn.low = tick, low
	lastIn.Unlock()

	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], tick>>12<<16|0x7000|tick&0xFFF)
	binary.BigEndian.PutUint64(u[8:], 1<<63|low<<12&(1<<62-1)|uint64(bucket))
	return prefix + "_" + encode(u)
}

// BucketOf reads the bucket from an id that NewIn made; for any other id it gives some bucket. It gives false when the
// text has not the form of an id, of whatever prefix.
func BucketOf(id string) (int32, bool) {
	cut := strings.LastIndexByte(id, '_')
	if cut < 1 || !validPrefix(id[:cut]) || Check(id[:cut], id) != nil {
		return 0, false
	}
	var low uint64
	for _, c := range []byte(id[len(id)-3:]) {
		low = low<<5 | uint64(digits[c])
	}
	return int32(low & (Buckets - 1)), true
}
