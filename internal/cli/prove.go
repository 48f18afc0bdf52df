package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/seal"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

type sealCmd struct {
	jsonFlag
	Head bool `help:"Print the heads of the chains, and seal nothing."`
	database
	programFlag
}

func (sealCmd) Help() string {
	return `The books are sealed by a chain of hashes over all facts and postings: whoever changes history in the database breaks it. A
server seals by itself, every few minutes. The head of the chain stands for everything up to it: keep it elsewhere, where those who
run the database cannot change it, and compare later with: lojal verify --head PROGRAM:HASH@NUMBER

Examples:

    lojal seal
    lojal seal --head >> heads.txt`
}

func (c *sealCmd) Run(e *env) (err error) {
	d, err := c.open(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	programs, err := c.all(e, d)
	if err != nil {
		return err
	}
	done := []seal.Sealed{}
	for _, id := range programs {
		s := seal.Sealed{Program: id}
		if c.Head {
			err = d.Read(e.ctx, func(tx *db.Tx) (err error) {
				s.Head, err = seal.Last(e.ctx, tx, id)
				return err
			})
			if errs.Is(err, errs.CodeNotFound, "not_sealed") && c.Program == "" {
				err = nil
			}
		} else {
			s, err = seal.Program(e.ctx, d, id, e.now())
		}
		if err != nil {
			return err
		}
		done = append(done, s)
	}
	if c.JSON {
		return e.json(done)
	}
	for _, s := range done {
		switch {
		case c.Head && s.Head != nil:
			e.printf("%s\n", s.Head.Head().Of(s.Program))
		case c.Head:
		case s.Head == nil:
			e.printf("%s: nothing to seal yet.\n", s.Program)
		default:
			e.printf("%s: %s sealed in %s. The head is %s\n", s.Program, lang.Things(s.Facts, "fact"), lang.Things(s.Seals, "seal"), s.Head.Head().Of(s.Program))
		}
	}
	return nil
}

// all gives the program that is named, or every one.
func (p programFlag) all(e *env, d *db.DB) (out []string, err error) {
	if p.Program != "" {
		id, err := p.of(e, d)
		return []string{id}, err
	}
	var all []version.Program
	err = d.Read(e.ctx, func(tx *db.Tx) (err error) {
		all, err = version.Programs(e.ctx, tx)
		return err
	})
	for _, one := range all {
		out = append(out, one.ID)
	}
	return out, err
}

type verifyCmd struct {
	jsonFlag
	Heads     []string `name:"head" sep:"none" placeholder:"PROGRAM:HASH@NUMBER" help:"Head that was kept, as lojal seal --head printed it: the books must still hold it. May be given several times; PROGRAM: may be left out when there is one."`
	Member    string   `placeholder:"MEMBER" help:"Prove the books of one member: an id, or an identifier such as card:1001."`
	Since     string   `placeholder:"TIME" help:"Prove the members about whom something was recorded since: a date, a time, or how long ago, such as 24h."`
	Sample    int      `placeholder:"PERCENT" help:"Prove this percentage of the members, picked by chance."`
	OneMoment bool     `name:"one-moment" help:"Prove all in one transaction, as it stands at one moment: only where nobody waits for the log, the feed or the vacuum."`
	Workers   int      `placeholder:"N" help:"How many parts are proved at once; as many as there are processors when left out."`
	database
	programFlag
}

func (verifyCmd) Help() string {
	return `Every fact is decided again, every lot, balance, counter and event is compared with what follows from the facts, and the chain
of seals is computed anew; docs/verify.md lists what is proved. The first bad row is named first, by table and key. Without --program
all programs are proved. Nothing is written, and the database may be in use: it is read in small parts, each in a short
transaction of its own. With --member, --since or --sample, what holds between members is not proved.

The exit status is 5 when something does not hold.

Examples:

    lojal verify
    lojal verify --json
    lojal verify --since 24h
    lojal verify --head kaffebaren:4f1cb1…@128`
}

func (c *verifyCmd) Run(e *env) (err error) {
	if c.Sample < 0 || c.Sample > 100 {
		return errs.Malformed("sample", "--sample is a percentage, from 1 to 100.")
	}
	if n := count(c.Member != "", c.Since != "", c.Sample > 0); n > 1 {
		return errs.Malformed("which_part", "--member, --since and --sample do not go together: give one of them.")
	}
	d, err := c.open(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	programs, err := c.all(e, d)
	if err != nil {
		return err
	}
	heads, err := c.heads(programs)
	if err != nil {
		return err
	}
	if len(programs) > 1 && c.Member != "" {
		return errs.Malformed("which_program", fmt.Sprintf("A member is of one program: name one of %s with --program.", strings.Join(programs, ", ")))
	}
	var versions version.Cache
	reports := []*verify.Report{}
	var broken error
	for _, id := range programs {
		r, err := c.prove(e, d, &versions, id, heads[id])
		if err != nil {
			return err
		}
		reports = append(reports, r)
		if broken == nil {
			broken = r.Err()
		}
		if !c.JSON {
			printProof(e, r)
		}
	}
	if c.JSON {
		if err := e.json(reports); err != nil {
			return err
		}
	} else if len(programs) == 0 {
		e.printf("There is no program in this database, and nothing to prove.\n")
	}
	return broken
}

// heads reads the heads that were kept, by program.
func (c *verifyCmd) heads(programs []string) (map[string][]seal.Head, error) {
	out := map[string][]seal.Head{}
	for _, text := range c.Heads {
		if strings.TrimSpace(text) == "" {
			continue
		}
		id, h, err := seal.ParseHead(text)
		switch {
		case err != nil:
			return nil, err
		case id == "" && len(programs) == 1:
			id = programs[0]
		case id == "":
			return nil, errs.Malformed("which_program", fmt.Sprintf("A head is of one program: name one of %s with --program, or give the line as `lojal seal --head` prints it.", strings.Join(programs, ", ")))
		case !slices.Contains(programs, id):
			return nil, errs.NotFound("program_not_found", fmt.Sprintf("The head is of program %q, which is not among those that are proved: %s.", id, strings.Join(programs, ", ")))
		}
		out[id] = append(out[id], h)
	}
	return out, nil
}

func count(all ...bool) (n int) {
	for _, one := range all {
		if one {
			n++
		}
	}
	return n
}

func (c *verifyCmd) prove(e *env, d *db.DB, versions *version.Cache, id string, heads []seal.Head) (*verify.Report, error) {
	opts := verify.Options{Heads: heads, Sample: c.Sample, OneMoment: c.OneMoment, Workers: c.Workers}
	err := d.Read(e.ctx, func(tx *db.Tx) error {
		set, err := versions.Get(e.ctx, tx, id)
		if err != nil {
			return err
		}
		if c.Member != "" {
			opts.Member, err = member.Resolve(e.ctx, tx, set.Latest(), c.Member)
		}
		if c.Since != "" && err == nil {
			opts.Since, err = ago(e, c.Since, set.Latest().Doc.TimeZone)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	tell, end := e.progress("auto", "facts")
	defer end()
	if tell != nil {
		opts.Progress = func(done, all int64) { tell(int(done), int(all)) }
	}
	return verify.Run(e.ctx, d, versions, id, opts)
}

// ago reads a time, or how long ago it was.
func ago(e *env, text, zone string) (time.Time, error) {
	if long, err := time.ParseDuration(text); err == nil {
		return e.now().Add(-long), nil
	}
	return moment(text, zone)
}

func printProof(e *env, r *verify.Report) {
	part := ""
	if r.Part != "" {
		part = " (" + r.Part + ")"
	}
	holders := []string{lang.Things(r.Members, "member")}
	for _, other := range []struct {
		n    int64
		word string
	}{{r.GiftCards, "gift card"}, {r.Households, "household"}, {r.Organizations, "organization"}, {r.CouponCodes, "coupon code"}} {
		if other.n > 0 {
			holders = append(holders, lang.Things(other.n, other.word))
		}
	}
	e.printf("%s%s: %s, %s, %s, %s, %s; %s decided again, %s over %s compared.\n",
		r.Program, part, strings.Join(holders, ", "), lang.Things(r.Facts, "fact"), lang.Things(r.Postings, "posting"), lang.Things(r.Lots, "lot"), lang.Things(r.Events, "event"),
		lang.Things(r.Replayed, "fact"), lang.Things(r.Seals, "seal"), lang.Things(r.Sealed, "fact"))
	speed := ""
	if r.Facts > 0 && r.Seconds > 0 {
		speed = fmt.Sprintf(", %.0f facts a second", float64(r.Facts)/r.Seconds)
	}
	e.printf("It took %.1f s%s.\n", r.Seconds, speed)
	switch {
	case r.Head != "":
		e.printf("The head is %s:%s", r.Program, r.Head)
		if r.Unsealed > 0 {
			e.printf("; %s not sealed yet", lang.Things(r.Unsealed, "fact"))
		}
		e.printf(".\n")
	case r.Part == "":
		e.printf("Nothing is sealed yet: `lojal seal` does, and a server does by itself.\n")
	}
	for _, left := range r.Left {
		e.printf("Not proved: %s.\n", left)
	}
	if r.OK() {
		e.printf("The books hold.\n")
		return
	}
	for _, f := range r.Findings {
		e.printf("  %s\n", f)
	}
	if r.More > 0 {
		e.printf("  … and %d more findings\n", r.More)
	}
}
