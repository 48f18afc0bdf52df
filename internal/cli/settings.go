package cli

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/logs"
)

// A setting is a flag, and the variable in the environment that stands for it. The command line wins over the environment,
// the environment over what a file says, and all over the default.

// inFiles lists the variables whose value may lie in a file, named by the variable with _FILE behind: those that may hold a
// password.
var inFiles = []string{"LOJAL_DB", "LOJAL_DEMO_DB", "LOJAL_SMTP_URL", "LOJAL_OIDC"}

// fromFiles gives the values that lie in files.
func fromFiles() kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		for _, name := range flag.Envs {
			for _, known := range inFiles {
				path := os.Getenv(name + "_FILE")
				if name != known || path == "" {
					continue
				}
				if os.Getenv(name) != "" {
					return nil, errs.Malformed("setting_twice", fmt.Sprintf("%s and %s_FILE are both set: leave one of them out.", name, name))
				}
				text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
				if err != nil {
					return nil, errs.Invalid("file", fmt.Sprintf("The file %s, which %s_FILE names, cannot be read: %s.", path, name, reasonOf(err)))
				}
				return strings.TrimSpace(string(text)), nil
			}
		}
		return nil, nil // kong's word for: not known here
	})
}

// setting is one as it is in force.
type setting struct {
	name, value, from string
}

// settings lists those of the command that runs. Passwords are hidden.
func (e *env) settings() []setting {
	given := map[*kong.Value]bool{}
	for _, step := range e.parsed.Path {
		if step.Flag != nil && !step.Resolved {
			given[step.Flag.Value] = true
		}
	}
	var out []setting
	for _, group := range e.parsed.Selected().AllFlags(true) {
		for _, f := range group {
			if f.Name == "help" || f.Name == "settings" {
				continue
			}
			s := setting{"--" + f.Name, logs.Redact(withoutUser(valueText(e.parsed.FlagValue(f)))), "default"}
			switch env := firstSet(f.Envs, ""); {
			case given[f.Value]:
				s.from = "command line"
			case env != "":
				s.from = env
			case firstSet(f.Envs, "_FILE") != "":
				s.from = firstSet(f.Envs, "_FILE")
			}
			out = append(out, s)
		}
	}
	return out
}

// withoutUser takes the user and the password out of an address, also where signs in them would hide from those who look for a usual one.
func withoutUser(value string) string {
	scheme, rest, ok := strings.Cut(value, "://")
	if at := strings.LastIndex(rest, "@"); ok && at >= 0 {
		return scheme + "://[hidden]" + rest[at:]
	}
	return value
}

func firstSet(names []string, end string) string {
	for _, n := range names {
		if os.Getenv(n+end) != "" {
			return n + end
		}
	}
	return ""
}

func valueText(v any) string {
	if list, ok := v.([]string); ok {
		return strings.Join(list, ",")
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Int && r.Int() == 0 {
		return "" // a number that is left out is chosen at the start
	}
	return fmt.Sprint(v)
}

// changed are the settings that are not the default, for the log.
func (e *env) changed() string {
	var out []string
	for _, s := range e.settings() {
		if s.from != "default" {
			out = append(out, s.name+"="+s.value)
		}
	}
	return strings.Join(out, " ")
}

func (e *env) printSettings() error {
	for _, s := range e.settings() {
		value := s.value
		if value == "" {
			value = "-"
		}
		e.printf("%-18s %-42s %s\n", s.name, value, s.from)
	}
	return nil
}
