package cli

import (
	"fmt"
	"strings"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/order"
	"lojal.dev/lojal/internal/program"
)

// remotes reads the providers that gift cards are bought from over HTTP. A token is in the environment alone: not in a list of processes, nor in the
// database and what is copied of it.
func (c *listening) remotes(getenv func(string) string) (map[string]order.Provider, error) {
	out := map[string]order.Provider{}
	for _, text := range c.Provider {
		name, base, ok := strings.Cut(text, "=")
		if !ok || !program.IsID(name) {
			return nil, errs.Malformed("provider", fmt.Sprintf("--provider: %q is not NAME=URL.", text))
		}
		variable := "LOJAL_PROVIDER_TOKEN_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		token := getenv(variable)
		if token == "" {
			return nil, errs.Malformed("provider", fmt.Sprintf("The token of the provider %s is missing: set %s.", name, variable))
		}
		p, err := order.Remote(base, token, 0)
		if err != nil {
			return nil, err
		}
		out[name] = p
	}
	return out, nil
}
