// Package ids makes and reads the names of things: ids of rows, the bucket of a member, codes that people
// type, and secrets.
//
// It owns their forms, which are promises: they are stored, printed and sent to others, so a form may get a
// sibling but never changes. It knows nothing of what the things are.
package ids

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"
)

// alphabet is Crockford's base 32 in lower case, as in the TypeID specification 0.3: no i, l, o or u.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// suffixLen is the length of 128 bits in base 32.
const suffixLen = 26

// digits maps a lower-case symbol of the alphabet to its value, anything else to 0xFF.
var digits = func() (d [256]byte) {
	for i := range d {
		d[i] = 0xFF
	}
	for i := range len(alphabet) {
		d[alphabet[i]] = byte(i)
	}
	return d
}()

// last remembers the newest id, so that ids made for the same instant still rise.
var last struct {
	sync.Mutex
	tick uint64 // milliseconds since 1970, shifted left by 12, plus the fraction in 1/4096 ms
	low  uint64 // the 62 random bits
}

// New makes an id: the prefix, "_", and a UUIDv7 (RFC 9562, section 5.7, with the fraction of the
// millisecond in rand_a as in section 6.2, method 3) in 26 symbols of base 32: a TypeID.
//
// Ids sort by at as text within one prefix, to about 0.25 µs. Ids made by one process for times that do not
// go back rise strictly; between processes, equal instants are ordered by chance. at must lie between 1970
// and the year 10889; a time outside is clamped. The prefix must match [a-z]([a-z_]{0,61}[a-z])?, which is
// the caller's constant; New panics when it does not, since such an id could never be read again.
func New(prefix string, at time.Time) string {
	if !validPrefix(prefix) {
		panic(fmt.Sprintf("ids: prefix %q is not made of lower-case letters", prefix))
	}
	tick := tickOf(at)
	var random [8]byte
	rand.Read(random[:])
	r := binary.BigEndian.Uint64(random[:])

	last.Lock()
	low := r >> 3 // the top bit of 62 stays free, so that rising by up to 2³² has room 2²⁹ times
	if tick == last.tick {
		low = last.low + 1 + r>>32
	}
	last.tick, last.low = tick, low
	last.Unlock()

	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], tick>>12<<16|0x7000|tick&0xFFF)
	binary.BigEndian.PutUint64(u[8:], 1<<63|low&(1<<62-1))
	return prefix + "_" + encode(u)
}

// tickOf gives t in 1/4096 ms since 1970, clamped to 60 bits.
func tickOf(t time.Time) uint64 {
	ms := t.UnixMilli()
	if ms < 0 {
		return 0
	}
	if ms >= 1<<48 {
		return 1<<60 - 1
	}
	frac := t.Nanosecond() % 1_000_000 // ns
	return uint64(ms)<<12 | uint64(frac*4096/1_000_000)
}

// Check says what is wrong with s as an id of the prefix, nil when nothing is. It does not ask for a version of
// UUID, so that ids brought from elsewhere pass.
func Check(prefix, s string) error {
	rest, ok := strings.CutPrefix(s, prefix+"_")
	if !ok {
		return fmt.Errorf("an id here begins with %q", prefix+"_")
	}
	if len(rest) != suffixLen {
		return fmt.Errorf("an id has %d characters after %q, not %d", suffixLen, prefix+"_", len(rest))
	}
	for i := range len(rest) {
		if digits[rest[i]] == 0xFF {
			return fmt.Errorf("an id is made of %s after %q", alphabet, prefix+"_")
		}
	}
	if rest[0] > '7' { // 26 symbols hold 130 bits: the first two must be zero
		return fmt.Errorf("an id has a digit from 0 to 7 after %q", prefix+"_")
	}
	return nil
}

func validPrefix(p string) bool {
	if p == "" || len(p) > 63 || p[0] == '_' || p[len(p)-1] == '_' {
		return false
	}
	for i := range len(p) {
		if (p[i] < 'a' || p[i] > 'z') && p[i] != '_' {
			return false
		}
	}
	return true
}

// encode writes 128 bits, most significant first, five at a time.
func encode(u [16]byte) string {
	hi, lo := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	var out [suffixLen]byte
	for i := suffixLen - 1; i >= 0; i-- {
		out[i] = alphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(out[:])
}

// Buckets is the number of buckets. It may never change: rows are stored under it.
const Buckets = 4096

// Bucket gives the bucket of a member in a program, 0 … 4095: the second to fourth hexadecimal digit of
// SHA-256(program, a zero byte, member).
//
// It is frozen. Every hot table's keys begin with it, so another function would make all that is stored
// unfindable. SHA-256 rather than a faster hash, because any language, shell and PostgreSQL itself have it:
// printf 'PROGRAM\0MEMBER' | sha256sum. The strings must not hold a zero byte.
func Bucket(program, member string) int32 {
	buf := make([]byte, 0, 128)
	buf = append(buf, program...)
	buf = append(buf, 0)
	buf = append(buf, member...)
	sum := sha256.Sum256(buf)
	return int32(binary.BigEndian.Uint16(sum[:2]) & (Buckets - 1))
}
