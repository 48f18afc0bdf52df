// Package deps keeps modules that are decided on but not imported yet in go.mod, so that `go mod tidy`
// leaves their pins alone. A line goes when its module is imported for real, and the package goes with the last line.
package deps

import (
	_ "cel.dev/cel-go/cel"
	_ "github.com/alecthomas/kong"
	_ "github.com/danielgtaylor/huma/v2"
	_ "github.com/go-chi/httprate"
	_ "github.com/go-json-experiment/json"
	_ "github.com/goccy/go-yaml"
	_ "github.com/gofrs/uuid/v5"
	_ "github.com/govalues/decimal"
	_ "github.com/invopop/jsonschema"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/nyaruka/phonenumbers"
	_ "github.com/pressly/goose/v3"
	_ "github.com/schollz/progressbar/v3"
	_ "golang.org/x/text/language"
	_ "modernc.org/sqlite"
)
