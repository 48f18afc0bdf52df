package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/demo"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

type demoCmd struct {
	listening `set:"level=warn"`
	DB        string `name:"db" env:"LOJAL_DEMO_DB" default:"sqlite:lojal-demo.db" placeholder:"URL" help:"Database of the demo: sqlite:PATH, or postgres://… of an empty one; ${default} when left out (${env})."`
	Blueprint string `default:"coffee-stars" placeholder:"NAME" help:"Sample program to fill with life, one of those that lojal init --list tells; ${default} when left out."`
	Seed      uint64 `default:"1" placeholder:"N" help:"Another number than ${default} makes other people and purchases."`
}

func (demoCmd) Help() string {
	return `The first start makes a shop with 500 members and two years of purchases, which takes some seconds; a later one
finds it and starts at once. The demo has a database of its own, each blueprint another: delete the file to begin anew.

Examples:

    lojal demo
    lojal demo --blueprint grocery
    lojal demo --addr 127.0.0.1:9000`
}

// demoDB is where the demo lies unless another database is named.
const demoDB = "sqlite:lojal-demo.db"

func (c *demoCmd) Run(e *env) error {
	if _, err := program.Blueprint(c.Blueprint); err != nil {
		return errs.NotFound("no_blueprint", sentence(err.Error()))
	}
	if c.DB == demoDB {
		if c.Blueprint != demo.Blueprint {
			c.DB = "sqlite:lojal-demo-" + c.Blueprint + ".db"
		}
		if !writable(".") {
			c.DB = "sqlite:" + filepath.Join(os.TempDir(), sqliteFile(c.DB))
		}
	}
	if err := c.make(e); err != nil {
		return err
	}
	var id, secret, code string
	var s sample
	run := &server{demo: true, c: &c.listening, t: &tuning{LogRequests: 1, SlowAfter: time.Second}, e: e}
	run.open = func(opts db.Options) (d *db.DB, err error) {
		opts.Migrate = true
		if d, err = db.Open(e.ctx, c.DB, opts); err != nil {
			return nil, err
		}
		if id, err = c.demo(e, d); err == nil {
			secret, err = demoKey(e, d, id)
		}
		if err == nil {
			code, err = demoStaff(e, d, id)
		}
		if err == nil {
			s, err = samples(e, d, id)
		}
		if err == nil {
			s.pass, err = demoMember(e, d, id, s.id)
		}
		if err != nil {
			return nil, errors.Join(err, d.Close())
		}
		return d, nil
	}
	return run.serve(func(_ *db.DB, url string) { c.welcome(e, url, id, secret, code, s) })
}

// writable says whether files can be made in a folder.
func writable(dir string) bool {
	file, err := os.CreateTemp(dir, ".lojal-*")
	if err != nil {
		return false
	}
	return errors.Join(file.Close(), os.Remove(file.Name())) == nil
}

// making is the name of a demo's file until it is whole, so that a start that was killed leaves no half of one.
const making = ".making"

// make fills the database unless it holds the demo already.
func (c *demoCmd) make(e *env) error {
	file := sqliteFile(c.DB)
	if file == "" {
		return c.fillPostgres(e)
	}
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	for _, end := range []string{"", "-wal", "-shm"} { // what a killed start left
		if err := os.Remove(file + making + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return errs.Unavailable("file", fmt.Sprintf("%s cannot be removed: %s.", file+making+end, reasonOf(err)))
		}
	}
	d, err := db.Open(e.ctx, "sqlite:"+file+making, db.Options{Migrate: true})
	if err != nil {
		return err
	}
	if err := errors.Join(c.fill(e, d), d.Close()); err != nil {
		return err
	}
	if err := os.Rename(file+making, file); err != nil {
		return errs.Unavailable("file", fmt.Sprintf("%s cannot be named: %s.", file, reasonOf(err)))
	}
	return nil
}

// sqliteFile is the path in a URL of a SQLite database, "" for PostgreSQL.
func sqliteFile(url string) string {
	if strings.HasPrefix(url, "postgres:") || strings.HasPrefix(url, "postgresql:") {
		return ""
	}
	return strings.TrimPrefix(strings.TrimPrefix(url, "sqlite:"), "//")
}

func (c *demoCmd) fillPostgres(e *env) (err error) {
	d, err := db.Open(e.ctx, c.DB, db.Options{Migrate: true})
	if err != nil {
		return err
	}
	defer closing(d, &err)
	var all []version.Program
	err = d.Read(e.ctx, func(tx *db.Tx) (err error) {
		all, err = version.Programs(e.ctx, tx)
		return err
	})
	if err != nil || len(all) > 0 {
		return err
	}
	return c.fill(e, d)
}

func (c *demoCmd) fill(e *env, d *db.DB) error {
	before := debug.SetGCPercent(400) // it serves afterwards: see hurry
	defer debug.SetGCPercent(before)
	begun := e.now()
	fmt.Fprintf(e.Err, "Making a shop with two years of purchases (%s)…\n", c.Blueprint)
	tell, end := e.progress("auto", "weeks")
	r := record.New(d, &version.Cache{})
	defer r.Close()
	in := demo.Input{DB: d, Recorder: r, Now: begun, Seed: c.Seed, Blueprint: c.Blueprint, Progress: tell}
	s, err := demo.Fill(e.ctx, in)
	end()
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Err, "%s, %s, %s, %s, %s in %s.\n", lang.Things(s.Members, "member"), lang.Things(s.Purchases, "purchase"), lang.Things(s.Returns, "return"),
		lang.Things(s.Activities, "activity"), lang.Things(s.Redemptions, "redemption"),
		e.now().Sub(begun).Round(100*time.Millisecond))
	return nil
}

// demo sees that the database holds a whole demo and nothing else, and gives the program.
func (c *demoCmd) demo(e *env, d *db.DB) (string, error) {
	var all []version.Program
	whole := false
	err := d.Read(e.ctx, func(tx *db.Tx) (err error) {
		if all, err = version.Programs(e.ctx, tx); err != nil || len(all) != 1 {
			return err
		}
		entries, _, err := audit.List(e.ctx, tx, all[0].ID, audit.Query{Action: demo.Filled, Limit: 1})
		whole = len(entries) > 0
		return err
	})
	switch {
	case err != nil:
		return "", err
	case !whole:
		return "", errs.Conflict("not_a_demo", fmt.Sprintf("%s holds something else than a whole demo. Delete it, or name another database with --db; `lojal serve` serves a program of your own.", c.DB))
	}
	return all[0].ID, nil
}

// demoKey makes a new key for the examples and ends those of earlier starts, whose secrets nobody has any more.
func demoKey(e *env, d *db.DB, id string) (secret string, err error) {
	now := e.now()
	err = d.Write(e.ctx, func(tx *db.Tx) error {
		old, err := key.List(e.ctx, tx, id)
		if err != nil {
			return err
		}
		for _, k := range old {
			if k.Name == "demo" && k.RevokedAt == nil {
				if _, err := key.Revoke(e.ctx, tx, id, k.ID, now); err != nil {
					return err
				}
			}
		}
		_, secret, err = key.Create(e.ctx, tx, key.New{Program: id, Name: "demo", Scopes: []string{key.Admin}, Test: true, Now: now})
		return err
	})
	return secret, err
}

// sample is what the examples speak of.
type sample struct {
	member, ref, purchase string
	// id is the member's own, pass the code that enters their pages.
	id, pass string
	// again is the latest purchase as a request.
	again string
	// route is where it goes, did what it is.
	route, did string
	// about is what of the member is most worth a look in this program, path where it is.
	about, path string
}

// samples finds the first member and their latest purchase.
func samples(e *env, d *db.DB, id string) (s sample, err error) {
	err = d.Read(e.ctx, func(tx *db.Tx) error {
		set, err := version.Load(e.ctx, tx, id)
		if err != nil {
			return err
		}
		m, err := member.Find(e.ctx, tx, set.Latest(), member.Ext, "1001")
		if err != nil {
			return err
		}
		facts, err := books.Facts(e.ctx, tx, books.Ref{Program: id, Member: m.ID}, books.Page{Kinds: []engine.Kind{engine.PurchaseK}, Limit: 20})
		if err == nil && len(facts) == 0 { // a program in which nobody buys
			facts, err = books.Facts(e.ctx, tx, books.Ref{Program: id, Member: m.ID}, books.Page{Kinds: []engine.Kind{engine.ActivityK}, Limit: 20})
		}
		if err != nil || len(facts) == 0 {
			s.id = m.ID
			return err
		}
		best := slices.MaxFunc(facts, func(a, b books.Entry) int {
			return len(a.Decision.Awards) + len(a.Decision.Counts) - len(b.Decision.Awards) - len(b.Decision.Counts)
		})
		s = sample{id: m.ID, member: m.DisplayName(), ref: "ext:1001", purchase: best.Fact.ID, route: "purchases", did: "purchase", about: "what they have", path: "/balances"}
		switch p := set.Latest(); {
		case len(p.TierIDs) > 0:
			s.about, s.path = "what their tier is, and what it takes to rise or to keep it", "?include=tiers"
		case len(p.Doc.Challenges) > 0:
			s.about, s.path = "how far they are, and what they won", "/challenges"
		}
		if a := best.Fact.Activity; a != nil {
			s.route, s.did = "activities", "activity"
			text, err := json.Marshal(struct {
				Member     string            `json:"member"`
				Kind       string            `json:"kind"`
				Properties map[string]string `json:"properties,omitempty"`
			}{s.ref, a.Kind, a.Properties})
			s.again = string(text)
			return err
		}
		type line struct {
			SKU      string         `json:"sku"`
			Category string         `json:"category,omitempty"`
			Amount   *money.Decimal `json:"amount"`
		}
		body := struct {
			Member string `json:"member"`
			Store  string `json:"store"`
			Lines  []line `json:"lines"`
		}{Member: s.ref, Store: best.Fact.Purchase.Store}
		for _, l := range best.Fact.Purchase.Lines {
			body.Lines = append(body.Lines, line{l.SKU, l.Category, l.Amount})
		}
		text, err := json.Marshal(body)
		s.again = string(text)
		return err
	})
	return s, err
}

func (c *demoCmd) welcome(e *env, url, id, secret, code string, s sample) {
	e.printf(`lojal serves the demo %[2]s at %[1]s

  Console         %[1]s/console/enter?code=%[12]s
  Member's pages  %[1]s/portal/%[2]s/enter?code=%[16]s
                  as %[6]s
  API reference   %[1]s/docs

In another terminal, in this folder:

  export LOJAL=%[1]s LOJAL_KEY=%[3]s LOJAL_DB=%[7]s

  # a regular: %[10]s
  curl -s -H "Authorization: Bearer $LOJAL_KEY" "$LOJAL/v1/members/%[4]s%[11]s"

  # %[13]s of theirs: points at once, and why
  curl -s -H "Authorization: Bearer $LOJAL_KEY" -H 'Content-Type: application/json' "$LOJAL/v1/%[14]s?include=explanation" \
    -d '%[8]s'

  # why an earlier %[15]s earned what it did, in Norwegian
  curl -s -H "Authorization: Bearer $LOJAL_KEY" "$LOJAL/v1/facts/%[5]s/explanation?lang=nb"

  # what %[6]s can have
  curl -s -H "Authorization: Bearer $LOJAL_KEY" "$LOJAL/v1/rewards?member=%[4]s"

  %[9]s member show %[4]s
  %[9]s verify

Stop with Ctrl-C.
`, url, id, secret, s.ref, s.purchase, s.member, c.DB, s.again, calledAs(os.Args[0]), s.about, s.path, code, map[string]string{"purchase": "a purchase", "activity": "an activity"}[s.did], s.route, s.did, s.pass)
}

// calledAs is what to write to run this program again as it was run now: by go run, by its path, or by its name.
func calledAs(arg string) string {
	dir, name := filepath.Split(arg)
	switch {
	case strings.Contains(filepath.ToSlash(dir), "/go-build"):
		return "go run ./cmd/lojal"
	case dir == "":
		return name
	}
	return arg
}
