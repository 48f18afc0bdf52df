package cli

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/reward"
	"lojal.dev/lojal/internal/version"
)

type poolCmd struct {
	Load poolLoadCmd `cmd:"" help:"Load codes from a CSV file into a pool."`
	List poolListCmd `cmd:"" help:"Say how many codes the pools have."`
}

type poolLoadCmd struct {
	jsonFlag
	Pool  string `arg:"" help:"Pool: what a reward in the program document calls it, or the product of a gift card that is bought."`
	File  string `arg:"" type:"path" help:"CSV file with a column code, and ends_at where codes end; - is the standard input."`
	Batch string `placeholder:"NAME" help:"What these codes are called together."`
	inProgram
}

func (poolLoadCmd) Help() string {
	return `A file without a header is a list of codes, one a line. ends_at is a time such as 2027-12-31T23:59:59+01:00, or a date, whose whole day counts. Codes that are
in the pool already are not added again. They are kept sealed, and shown to nobody but the members who get them.

Examples:

    lojal pool load cinema codes.csv --batch autumn
    lojal pool load cinema - < codes.txt`
}

func (c *poolLoadCmd) Run(e *env) error { return c.on(e, c.run) }

func (c *poolLoadCmd) run(e *env, d *db.DB, id string) error {
	if !program.IsPool(c.Pool) {
		return errs.Invalid("invalid_pool", fmt.Sprintf("%q cannot be a pool: it is named by 1 to 40 of a-z, A-Z, 0-9, - and _.", c.Pool))
	}
	data, err := e.readInput(c.File)
	if err != nil {
		return err
	}
	zone, named := time.UTC, false
	err = d.Read(e.ctx, func(tx *db.Tx) error {
		set, err := version.Load(e.ctx, tx, id)
		if err == nil {
			now := set.At(e.now())
			zone, named = set.Latest().Zone, set.Latest().NamesPool(c.Pool) || now != nil && now.NamesPool(c.Pool)
		}
		return err
	})
	if err != nil {
		return err
	}
	list, err := readCodes(string(data), zone)
	if err != nil {
		return err
	}
	var out reward.Loaded
	now := e.now()
	err = d.Write(e.ctx, func(tx *db.Tx) error {
		var err error
		if out, err = reward.Load(e.ctx, tx, id, c.Pool, c.Batch, list, now); err != nil {
			return err
		}
		return note(e, tx, id, "pool.loaded", c.Pool, now)
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(map[string]any{"pool": c.Pool, "added": out.Added, "known": out.Known, "unnamed": !named})
	}
	e.printf("%s added to the pool %s", lang.Things(out.Added, "code"), c.Pool)
	if out.Known > 0 {
		e.printf("; %s there already", lang.Things(out.Known, "code"))
	}
	e.printf(".\n")
	if !named {
		e.printf("No reward of the program names the pool %s: nothing hands these codes out, until one does.\n", c.Pool)
	}
	return nil
}

// readCodes reads a CSV with a header, or a code a line.
func readCodes(text string, zone *time.Location) ([]reward.NewCode, error) {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	if first, _, _ := strings.Cut(text, "\n"); strings.Contains(first, ";") && !strings.Contains(first, ",") {
		r.Comma = ';'
	}
	column, ends := 0, -1
	var out []reward.NewCode
	for line := 1; ; line++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errs.Invalid("invalid_csv", "The file cannot be read as CSV: "+err.Error())
		}
		if line == 1 && has(row, "code") {
			for i, name := range row {
				switch strings.ToLower(strings.TrimSpace(name)) {
				case "code":
					column = i
				case "ends_at":
					ends = i
				}
			}
			continue
		}
		if column >= len(row) || strings.TrimSpace(row[column]) == "" {
			return nil, errs.Invalid("invalid_csv", "Line "+strconv.Itoa(line)+" has no code.")
		}
		c := reward.NewCode{Text: strings.TrimSpace(row[column])}
		if ends >= 0 && ends < len(row) && strings.TrimSpace(row[ends]) != "" {
			at, err := program.EndOfTime(strings.TrimSpace(row[ends]), zone)
			if err != nil {
				return nil, errs.Invalid("invalid_csv", "Line "+strconv.Itoa(line)+": ends_at "+err.Error()+".")
			}
			c.EndsAt = &at
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errs.Invalid("invalid_csv", "There is no code in the file.")
	}
	return out, nil
}

func has(row []string, name string) bool {
	for _, s := range row {
		if strings.EqualFold(strings.TrimSpace(s), name) {
			return true
		}
	}
	return false
}

type poolListCmd struct{ asking }

func (poolListCmd) Help() string {
	return `Examples:

    lojal pool list
    lojal pool list --json`
}

func (c *poolListCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return list(&c.asking, o, path("pools"), nil, 0, func(p *api.PoolView) {
			e.printf("%-20s %8d left  %8d given  %8d ended  of %d", p.Pool, p.Left, p.Given, p.Ended, p.Loaded)
			if len(p.Rewards) > 0 {
				e.printf("  for %s", strings.Join(p.Rewards, ", "))
			}
			e.printf("\n")
		})
	})
}
