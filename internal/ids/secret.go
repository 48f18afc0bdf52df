package ids

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"math/big"
	"strings"
)

// The prefixes of API keys: a person, a secret scanner and the server see at a glance what they hold.
const (
	LiveKey = "lj_live_"
	TestKey = "lj_test_"
)

const (
	base62     = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	secretBody = 43 // 32 bytes in base 62
	secretSum  = 6  // a CRC-32 in base 62
)

// Secret makes a secret: the prefix, 32 random bytes in base 62 (43 characters) and a CRC-32 of all before it
// (6 characters), so that a mistyped or cut key is told from a wrong one without asking the database.
// Store only its [HashSecret].
func Secret(prefix string) string {
	var random [32]byte
	rand.Read(random[:])
	s := prefix + inBase62(new(big.Int).SetBytes(random[:]), secretBody)
	return s + sumOf(s)
}

// CheckSecret says what is wrong with the form of s as a secret of the prefix, nil when nothing is. That it
// has the form does not say that it was ever given out.
func CheckSecret(prefix, s string) error {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return errors.New("does not begin with " + prefix)
	}
	if len(rest) != secretBody+secretSum || sumOf(s[:len(s)-secretSum]) != s[len(s)-secretSum:] {
		return errors.New("is not whole: some of its characters are missing or wrong")
	}
	return nil
}

// HashSecret gives the SHA-256 of the secret in 64 hexadecimal digits: what is stored and looked up. A slow,
// salted hash is for passwords; 256 random bits cannot be guessed from a fast one.
func HashSecret(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func sumOf(s string) string {
	return inBase62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(s)))), secretSum)
}

// inBase62 writes n in exactly width digits, most significant first. n is used up.
func inBase62(n *big.Int, width int) string {
	out := make([]byte, width)
	radix, digit := big.NewInt(62), new(big.Int)
	for i := width - 1; i >= 0; i-- {
		n.DivMod(n, radix, digit)
		out[i] = base62[digit.Int64()]
	}
	return string(out)
}
