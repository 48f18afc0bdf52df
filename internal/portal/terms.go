package portal

import (
	"lojal.dev/lojal/internal/page"
)

// termsOf is the program in plain words.
type termsOf struct {
	Title    string `json:"title"`
	Version  int64  `json:"version"`
	Sections []struct {
		ID    string `json:"id"`
		Title string `json:"title"`
		Items []struct {
			Title string `json:"title"`
			Text  string `json:"text"`
		} `json:"items"`
	} `json:"sections"`
}

// termsPage tells the program to everybody: also to who thinks of joining.
func (c *Portal) termsPage(v *visit) error {
	t, err := v.terms()
	if err != nil {
		return err
	}
	return v.show(termsPage(v, t))
}

func (v *visit) terms() (t termsOf, err error) {
	err = v.api.Get(v.r.Context(), page.Path("program", "terms"), nil, &t)
	return t, err
}
