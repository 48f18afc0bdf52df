package cli

import (
	"strings"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/staff"
)

// signingIn is how the staff may sign in besides by what is kept here.
type signingIn struct {
	OIDC     string `name:"oidc" env:"LOJAL_OIDC" placeholder:"URL" help:"Where the staff of the organization sign in (OpenID Connect): the issuer's address with the client's id and secret, https://CLIENT:SECRET@login.example.no. It sends people back to the address of --url with /console/oidc/back."`
	OIDCName string `name:"oidc-name" env:"LOJAL_OIDC_NAME" placeholder:"NAME" help:"What stands on the button, such as Entra; the issuer's host when left out."`
}

// provider reads the settings; nil when none is set.
func (s signingIn) provider(url string) (*staff.Provider, error) {
	if s.OIDC == "" {
		return nil, nil //nolint:nilnil // none is what was asked for
	}
	if url == "" {
		return nil, errs.Malformed("url_missing", "--oidc needs --url: the provider sends people back to it.")
	}
	return staff.NewProvider(s.OIDC, s.OIDCName, strings.TrimRight(url, "/")+"/console/oidc/back")
}
