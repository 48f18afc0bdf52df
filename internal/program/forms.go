package program

import (
	"bytes"
	"encoding/json"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// The types here have two forms in the document: a short one for the plain case and a full one. Both are read; the
// short one is written wherever it says the same, so that a document has one canonical form.

// Never is the expiry policy that loses nothing. On a rule it overrides the unit's.
const never = "never"

// strict are the options every part of a document is read with.
var strict = jsonv2.JoinOptions(jsonv2.RejectUnknownMembers(true), jsonv2.MatchCaseInsensitiveNames(false))

// canonical are the options a document is written with: stable order, and nothing that is not set.
var canonical = jsonv2.JoinOptions(jsonv2.Deterministic(true), jsonv1.OmitEmptyWithLegacySemantics(true))

func isString(b []byte) bool { b = bytes.TrimSpace(b); return len(b) > 0 && b[0] == '"' }
func isObject(b []byte) bool { b = bytes.TrimSpace(b); return len(b) > 0 && b[0] == '{' }

// UnmarshalJSON reads "Gull" or {"nb": "Gull", "en": "Gold"}.
func (t *Text) UnmarshalJSON(b []byte) error {
	if isString(b) {
		var s string
		if err := jsonv2.Unmarshal(b, &s, strict); err != nil {
			return err
		}
		*t = Text{"": s}
		return nil
	}
	var m map[string]string
	if err := jsonv2.Unmarshal(b, &m, strict); err != nil {
		return err
	}
	*t = m
	return nil
}

// MarshalJSON writes the plain string where there is but one text for every language.
func (t Text) MarshalJSON() ([]byte, error) {
	if s, ok := t[""]; ok && len(t) == 1 {
		return jsonv2.Marshal(s, canonical)
	}
	return jsonv2.Marshal(map[string]string(t), canonical)
}

// In gives the text in a language: that one, the text for every language, English, or the first there is.
func (t Text) In(lang string) string {
	for _, l := range []string{lang, "", "en"} {
		if s, ok := t[l]; ok {
			return s
		}
	}
	for _, l := range sortedKeys(t) {
		return t[l]
	}
	return ""
}

// UnmarshalJSON reads "star", {"nb": "stjerne"} or {"nb": {"one": "stjerne", "other": "stjerner"}}.
func (n *Noun) UnmarshalJSON(b []byte) error {
	if isString(b) {
		var f Forms
		if err := f.UnmarshalJSON(b); err != nil {
			return err
		}
		*n = Noun{"": f}
		return nil
	}
	var m map[string]Forms
	if err := jsonv2.Unmarshal(b, &m, strict); err != nil {
		return err
	}
	*n = m
	return nil
}

// MarshalJSON writes the plain string where there is but one noun for every language.
func (n Noun) MarshalJSON() ([]byte, error) {
	if f, ok := n[""]; ok && len(n) == 1 && f.One == f.Other {
		return jsonv2.Marshal(f.One, canonical)
	}
	return jsonv2.Marshal(map[string]Forms(n), canonical)
}

// In gives the noun in a language, for a count of one or of several.
func (n Noun) In(lang string, one bool) string {
	pick := func(f Forms) string {
		if one {
			return f.One
		}
		return f.Other
	}
	for _, l := range []string{lang, "", "en"} {
		if f, ok := n[l]; ok {
			return pick(f)
		}
	}
	for _, l := range sortedKeys(n) {
		return pick(n[l])
	}
	return ""
}

// UnmarshalJSON reads "stjerne" or {"one": "stjerne", "other": "stjerner"}.
func (f *Forms) UnmarshalJSON(b []byte) error {
	if isString(b) {
		var s string
		if err := jsonv2.Unmarshal(b, &s, strict); err != nil {
			return err
		}
		*f = Forms{s, s}
		return nil
	}
	type plain Forms
	return jsonv2.Unmarshal(b, (*plain)(f), strict)
}

// MarshalJSON writes the plain string where both forms are alike.
func (f Forms) MarshalJSON() ([]byte, error) {
	if f.One == f.Other {
		return jsonv2.Marshal(f.One, canonical)
	}
	type plain Forms
	return jsonv2.Marshal(plain(f), canonical)
}

// UnmarshalJSON reads a word or a list of words.
func (w *Words) UnmarshalJSON(b []byte) error {
	if isString(b) {
		var s string
		if err := jsonv2.Unmarshal(b, &s, strict); err != nil {
			return err
		}
		*w = Words{s}
		return nil
	}
	var l []string
	if err := jsonv2.Unmarshal(b, &l, strict); err != nil {
		return err
	}
	*w = l
	return nil
}

// MarshalJSON writes one word as a plain string.
func (w Words) MarshalJSON() ([]byte, error) {
	if len(w) == 1 {
		return jsonv2.Marshal(w[0], canonical)
	}
	return jsonv2.Marshal([]string(w), canonical)
}

// UnmarshalJSON reads a limit or a list of limits.
func (l *Limits) UnmarshalJSON(b []byte) error {
	if isObject(b) {
		var one Limit
		if err := jsonv2.Unmarshal(b, &one, strict); err != nil {
			return err
		}
		*l = Limits{one}
		return nil
	}
	var list []Limit
	if err := jsonv2.Unmarshal(b, &list, strict); err != nil {
		return err
	}
	*l = list
	return nil
}

// MarshalJSON writes one limit without a list around it.
func (l Limits) MarshalJSON() ([]byte, error) {
	if len(l) == 1 {
		return jsonv2.Marshal(l[0], canonical)
	}
	return jsonv2.Marshal([]Limit(l), canonical)
}

// UnmarshalJSON reads "never" or a policy.
func (e *Expiry) UnmarshalJSON(b []byte) error {
	if isString(b) {
		var s string
		if err := jsonv2.Unmarshal(b, &s, strict); err != nil {
			return err
		}
		if s != never {
			return fmt.Errorf("%q is not an expiry; write \"never\" or a policy such as {after: 12 months}", s)
		}
		*e = Expiry{Never: true}
		return nil
	}
	type plain Expiry
	return jsonv2.Unmarshal(b, (*plain)(e), strict)
}

// MarshalJSON writes "never" or the policy.
func (e Expiry) MarshalJSON() ([]byte, error) {
	if e.Never {
		return []byte(`"never"`), nil
	}
	type plain Expiry
	return jsonv2.Marshal(plain(e), canonical)
}

// MarshalJSON writes the canonical form.
func (d Document) MarshalJSON() ([]byte, error) {
	type plain Document
	return jsonv2.Marshal(plain(d), canonical)
}

// UnmarshalJSON reads a document of known good form, such as a stored version. Parse explains mistakes; this does not.
func (d *Document) UnmarshalJSON(b []byte) error {
	type plain Document
	return jsonv2.Unmarshal(b, (*plain)(d), strict)
}

var (
	_ json.Marshaler   = Document{}
	_ json.Unmarshaler = (*Document)(nil)
)
