package code

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// A code of somebody else cannot be kept as a hash alone: the member needs it in clear. It is sealed with a key that is made from the
// program's, so that it is readable in no copy of a table, and that one row's cannot be put into another's place.

const sealed = "v1."

// Seal encrypts a text; what says what it is and whose, and must be the same as it is opened.
func (k *Key) Seal(what, text string) (string, error) {
	a, err := k.sealer()
	if err != nil {
		return "", err
	}
	nonce := make([]byte, a.NonceSize())
	rand.Read(nonce)
	return sealed + base64.RawStdEncoding.EncodeToString(a.Seal(nonce, nonce, []byte(text), []byte(k.program+"\n"+what))), nil
}

// errSealed tells nothing of what is in it.
var errSealed = errors.New("what is sealed cannot be opened: it was changed, or the program's key of codes was")

// Open decrypts what Seal made.
func (k *Key) Open(what, text string) (string, error) {
	a, err := k.sealer()
	if err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(text, sealed)
	b, err := base64.RawStdEncoding.DecodeString(rest)
	if err != nil || !ok || len(b) < a.NonceSize() {
		return "", errSealed
	}
	out, err := a.Open(nil, b[:a.NonceSize()], b[a.NonceSize():], []byte(k.program+"\n"+what))
	if err != nil {
		return "", errSealed
	}
	return string(out), nil
}

func (k *Key) sealer() (cipher.AEAD, error) {
	h := hmac.New(sha256.New, k.key)
	h.Write([]byte("seal"))
	c, err := aes.NewCipher(h.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return cipher.NewGCM(c)
}

// Tail is what may be shown of a code: too little to guess the rest, none of a short one.
func Tail(text string) string { return tail(text) }
