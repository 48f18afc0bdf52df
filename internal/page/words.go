package page

import (
	"fmt"
	"net/http"
	"slices"

	"lojal.dev/lojal/internal/lang"
)

// Languages are those that pages are in, in the order of the texts of Words, each by its own name.
var Languages = []struct{ Tag, Name string }{{"nb", "Norsk"}, {"sv", "Svenska"}, {"da", "Dansk"}, {"en", "English"}}

// Words are the texts of some pages by their keys: Norwegian, Swedish, Danish, English. Places for values are those of fmt.
type Words map[string][4]string

// Say gives a text in a language. A text that is not there is a mistake, which a test finds; people see its key.
func (w Words) Say(l, key string, args ...any) string {
	texts, ok := w[key]
	if !ok {
		return "⟨" + key + "⟩"
	}
	i := slices.IndexFunc(Languages, func(k struct{ Tag, Name string }) bool { return k.Tag == l })
	if i < 0 {
		i = 3
	}
	text := texts[i%len(texts)]
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// Join puts tables of words together; a key may stand in one of them only.
func Join(tables ...Words) Words {
	out := Words{}
	for _, t := range tables {
		for k, v := range t {
			if _, there := out[k]; there {
				panic("page: two texts by the key " + k)
			}
			out[k] = v
		}
	}
	return out
}

// The names of the cookies in which a browser keeps what somebody chose without being signed in.
const (
	langCookie  = "lojal_lang"
	themeCookie = "lojal_theme"
)

// LangOf is the language for a request: that of the address, of the setting, of the cookie, or what the browser asks for.
func LangOf(r *http.Request, setting string) string {
	if l := lang.Known(r.URL.Query().Get("lang")); l != "" {
		return l
	}
	if l := lang.Known(setting); l != "" {
		return l
	}
	if c, err := r.Cookie(langCookie); err == nil {
		if l := lang.Known(c.Value); l != "" {
			return l
		}
	}
	return lang.Negotiate(r.Header.Get("Accept-Language"))
}

// ThemeOf is light, dark, or empty for what the device says.
func ThemeOf(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}

// Keep has the browser keep a choice for a year.
func Keep(w http.ResponseWriter, what, value string, secure bool) {
	name := map[string]string{"lang": langCookie, "theme": themeCookie}[what]
	//nolint:gosec // Secure wherever people come by https
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode})
}
