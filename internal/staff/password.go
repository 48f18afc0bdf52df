package staff

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"lojal.dev/lojal/internal/errs"
)

// What a hash costs: 19 MiB of memory, two passes, one lane (OWASP, Password Storage Cheat Sheet, argon2id).
const (
	memory  = 19 << 10 // KiB
	passes  = 2
	lanes   = 1
	saltLen = 16
	sumLen  = 32
)

// MinPassword and MaxPassword bound a password, in characters.
const (
	MinPassword = 12
	MaxPassword = 200
)

// hashing bounds how many hashes are made at once, since each takes 19 MiB.
var hashing = make(chan struct{}, 2)

func argon(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("hash a password: %w", ctx.Err())
	}
	defer func() { <-hashing }()
	return argon2.IDKey([]byte(password), salt, passes, memory, lanes, sumLen), nil
}

// HashPassword gives a PHC string of argon2id, after a look whether the password may be taken. Personal are words that it may not consist of.
func HashPassword(ctx context.Context, password string, personal ...string) (string, error) {
	if err := checkPassword(password, personal); err != nil {
		return "", err
	}
	salt := make([]byte, saltLen)
	rand.Read(salt)
	sum, err := argon(ctx, password, salt)
	if err != nil {
		return "", err
	}
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, lanes, b.EncodeToString(salt), b.EncodeToString(sum)), nil
}

func checkPassword(password string, personal []string) error {
	refuse := func(reason, message string) error {
		return errs.Invalid("invalid_password", message, errs.Field{Pointer: "/password", Reason: reason, Message: message})
	}
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password):
		return refuse("invalid_text", "The password is not text.")
	case n < MinPassword:
		return refuse("too_short", fmt.Sprintf("A password has at least %d characters: three or four words will do.", MinPassword))
	case n > MaxPassword:
		return refuse("too_long", fmt.Sprintf("A password has at most %d characters.", MaxPassword))
	}
	low := strings.ToLower(password)
	for _, w := range personal {
		if w = strings.ToLower(strings.TrimSpace(w)); len(w) >= 4 && strings.Contains(low, w) {
			return refuse("guessable", "The password contains your name or address: take another.")
		}
	}
	if common(low) {
		return refuse("guessable", "This password is one of the first that are tried: take another.")
	}
	return nil
}

// common says whether a password is made of very little: a short word or run over and over, a row of the keyboard, or a word that heads every list.
func common(low string) bool {
	distinct := map[rune]bool{}
	for _, r := range low {
		distinct[r] = true
	}
	if len(distinct) < 5 {
		return true
	}
	for size := 1; size <= len(low)/2; size++ {
		if strings.Repeat(low[:size], len(low)/size+1)[:len(low)] == low {
			return true
		}
	}
	for _, row := range []string{"abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "qwertyuiopåasdfghjkløæzxcvbnm", "qwertyuiopasdfghjklzxcvbnm", "1234567890qwertyuiop"} {
		if strings.Contains(row, low) {
			return true
		}
	}
	bare := strings.Trim(low, "0123456789!?.-_ ")
	for _, w := range []string{"password", "passord", "lösenord", "adgangskode", "kodeord", "velkommen", "välkommen", "welcome", "letmein", "sommer", "sommar", "vinter", "qwerty", "qwertyuiop", "administrator", "lojal", "loyalty"} {
		if bare == w || bare == w+w {
			return true
		}
	}
	return false
}

// nobody is compared with where there is no password, so that an answer takes as long as another.
const nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// matches says whether the password is that of the PHC string. It takes as long for an empty one.
func matches(ctx context.Context, phc, password string) (bool, error) {
	there := phc != ""
	if !there {
		phc = nobody
	}
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errs.Internal("password_form", "a stored password is of no known form")
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, fmt.Errorf("read a stored password: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false, fmt.Errorf("read a stored password: %w", err)
	}
	if utf8.RuneCountInString(password) > MaxPassword {
		password, there = "", false
	}
	got, err := argon(ctx, password, salt)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1 && there, nil
}
