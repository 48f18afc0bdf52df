package logs

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden are the texts that no line may hold, and what stands in their place. Each wants one of the signs of suspicious.
var hidden = []struct {
	what *regexp.Regexp
	with string
}{
	// Keys and secrets, of ours and of headers, whole.
	{regexp.MustCompile(`\b(lj_(?:live|test)_|whsec_)[A-Za-z0-9+/=_-]+`), "${1}[hidden]"},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{6,}`), "${1} [hidden]"},
	{regexp.MustCompile(`(?i)\b((?:pass(?:word|wd)?|pwd|secret|token|api_?key|authorization)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&)]+)`), "${1}[hidden]"},
	// The password in a URL, and with it the name.
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/@"']{0,200}@`), "${1}[hidden]@"},
	{regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{N}-]*\p{L}[\p{L}\p{N}-]*(\.[\p{L}\p{N}-]+)*`), "[e-mail]"},
	// Identifiers as callers write them, and phone numbers.
	{regexp.MustCompile(`\b(phone|email|card|ext):[^\s"',;)]+`), "${1}:[hidden]"},
	{regexp.MustCompile(`\+[0-9][0-9 ()./-]{5,18}[0-9]`), "[number]"},
	{regexp.MustCompile(`(^|[\s"'(=,])[0-9]{8,19}($|[\s"'),.;])`), "${1}[number]${2}"},
	{regexp.MustCompile(`(^|[\s"'(=,])[0-9]{2,4}( [0-9]{2,3}){2,3}($|[\s"'),.;])`), "${1}[number]${3}"},
}

// Redact takes out of a text what no log may hold, and writes signs that would move a terminal's cursor or turn its
// direction as their code.
func Redact(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "�")
	}
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
	if !suspicious(s) {
		return s
	}
	for _, h := range hidden {
		s = h.what.ReplaceAllString(s, h.with)
	}
	return s
}

// suspicious spares most texts the patterns: none of those matches a text that has nothing of this.
func suspicious(s string) bool {
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '@' || c == '+' || c == ':' || c == '=':
			return true
		case c >= '0' && c <= '9':
			if digits++; digits >= 7 {
				return true
			}
		}
	}
	return strings.Contains(s, "lj_") || strings.Contains(s, "whsec_") || hasFold(s, "bearer") || hasFold(s, "basic")
}

func hasFold(s, sub string) bool {
	for i := 0; i+len(sub) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sub)], sub) {
			return true
		}
	}
	return false
}

// text is a value of another type as the log would write it.
func text(v any) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(v)
}
