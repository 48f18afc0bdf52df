package cli

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

type simulateCmd struct {
	jsonFlag
	File  string `arg:"" help:"Facts, YAML or JSON, in the form of the API's simulations; - is the standard input."`
	Draft string `placeholder:"FILE" help:"Program document to decide by, in place of the published versions."`
	Lang  string `default:"en" enum:"nb,sv,da,en" placeholder:"LANG" help:"Language of the sentences: nb, sv, da or en (the default)."`
	inProgram
}

func (simulateCmd) Help() string {
	return `Each fact sees what those before it led to; nothing is written. A file holds one fact, or a list of them:

    - enrolment: {external_id: "4711"}
    - purchase: {member: "ext:4711", amount: 123.00, occurred_at: 2026-11-24T10:00:00+01:00}

Examples:

    lojal simulate facts.yaml
    lojal simulate facts.yaml --draft new-program.yaml
    echo '{"purchase": {"member": "card:1001", "amount": "99.00"}}' | lojal simulate -`
}

func (c *simulateCmd) Run(e *env) (err error) {
	facts, err := e.facts(c.File)
	if err != nil {
		return err
	}
	d, err := c.open(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	id, err := c.of(e, d)
	if err != nil {
		return err
	}
	opts := record.SimOptions{}
	if c.Draft != "" {
		doc, err := e.document(c.Draft)
		if err != nil {
			return err
		}
		if opts.Draft, err = program.Compile(doc, 0); err != nil {
			return err
		}
	}
	reqs := make([]record.Request, len(facts))
	for i := range facts {
		if reqs[i], err = requestOf(facts[i]); err != nil {
			return errs.Invalid("invalid_fact", fmt.Sprintf("Fact %d: %s", i+1, errs.As(err).Message))
		}
		reqs[i].Now, reqs[i].Actor = e.now(), actor
	}
	var versions version.Cache
	for i := range reqs {
		if err := bring(e, d, &versions, id, opts.Draft, &reqs[i]); err != nil {
			return err
		}
	}
	r := record.New(d, &versions)
	defer r.Close()
	outs, err := r.Simulate(e.ctx, id, reqs, opts)
	if err != nil {
		return err
	}
	if c.JSON {
		return c.json(e, outs)
	}
	refused := 0
	for i, out := range outs {
		if out.Err != nil {
			refused++
			f := errs.As(out.Err)
			e.printf("%d. %s\n", i+1, explain.Say(c.Lang, explain.LabelRefused, f.Message))
			for _, field := range f.Fields {
				e.printf("     %s: %s\n", field.Pointer, field.Message)
			}
			continue
		}
		p := out.Result.Program
		e.printf("%d. %s, %s\n", i+1, explain.Kind(out.Result.Fact.Kind, c.Lang), lang.DateTime(c.Lang, out.Result.Fact.OccurredAt, p.Zone))
		for _, line := range explain.Lines(&out.Result.Decision.Explanation, p, c.Lang, false) {
			e.printf("     %s\n", line)
		}
	}
	if refused > 0 {
		return errs.Invalid("refused", fmt.Sprintf("%d of %s would be refused.", refused, lang.Things(len(outs), "fact")))
	}
	return nil
}

// simulated is what came of one fact, as JSON.
type simulated struct {
	Fact      *engine.Fact       `json:"fact,omitempty"`
	Earned    map[string]string  `json:"earned,omitempty"`
	Balances  map[string]string  `json:"balances,omitempty"`
	Sentences []explain.Sentence `json:"sentences,omitempty"`
	Decision  *engine.Decision   `json:"decision,omitempty"`
	Refused   *refusal           `json:"refused,omitempty"`
}

type refusal struct {
	Code    errs.Code    `json:"code"`
	Reason  string       `json:"reason"`
	Message string       `json:"message"`
	Errors  []errs.Field `json:"errors,omitempty"`
}

func (c *simulateCmd) json(e *env, outs []record.Outcome) error {
	all := make([]simulated, len(outs))
	for i, out := range outs {
		if out.Err != nil {
			f := errs.As(out.Err)
			all[i].Refused = &refusal{f.Code, f.Reason, f.Message, f.Fields}
			continue
		}
		r := out.Result
		all[i] = simulated{Fact: &r.Fact, Decision: &r.Decision, Earned: map[string]string{}, Balances: map[string]string{},
			Sentences: explain.Sentences(explain.Whole(r.Fact.Kind, r.Decision.Explanation), r.Program, c.Lang, false)}
		for unit, n := range r.Decision.Sums() {
			all[i].Earned[unit] = unitAmount(r.Program, unit, n)
		}
		for unit, h := range r.Account.State.Units {
			all[i].Balances[unit] = unitAmount(r.Program, unit, h.Balance())
		}
	}
	return e.json(all)
}

// facts reads one fact or a list of them, as JSON or YAML.
func (e *env) facts(path string) ([]api.AnyFact, error) {
	data, err := e.readInput(path)
	if err != nil {
		return nil, err
	}
	text := bytes.TrimSpace(data)
	if len(text) == 0 {
		return nil, errs.Malformed("no_facts", "There is no fact in it.")
	}
	if text[0] != '{' && text[0] != '[' {
		if text, err = yaml.YAMLToJSON(text); err != nil {
			return nil, errs.Malformed("not_yaml", "It cannot be read as YAML: "+firstLine(yaml.FormatError(err, false, false)))
		}
		text = bytes.TrimSpace(text)
	}
	if text[0] != '[' {
		text = append(append([]byte("["), text...), ']')
	}
	var in struct {
		Facts []api.AnyFact `json:"facts"`
	}
	err = web.Unmarshal(append(append([]byte(`{"facts":`), text...), '}'), &in)
	if err != nil {
		return nil, errs.As(err)
	}
	if len(in.Facts) == 0 || len(in.Facts) > api.MaxBatch {
		return nil, errs.Invalid("invalid_facts", fmt.Sprintf("A file holds 1 to %d facts.", api.MaxBatch))
	}
	return in.Facts, nil
}

var errOneKind = errors.New("it must have exactly one of enrolment, purchase, return, activity, redemption, adjustment, transfer, plan, use")

// bring looks up what is brought with a purchase: whoever sits at the database need not guess.
func bring(e *env, d *db.DB, versions *version.Cache, id string, draft *program.Compiled, req *record.Request) error {
	if !req.Fact.Brings() {
		return nil
	}
	p, who := draft, ""
	err := d.Read(e.ctx, func(tx *db.Tx) error {
		set, err := versions.Get(e.ctx, tx, id)
		if err != nil {
			return err
		}
		if p == nil {
			p = set.Latest()
		}
		if req.Member == "" {
			return nil
		}
		found, err := member.ResolveAll(e.ctx, tx, p, []string{req.Member})
		if err == nil {
			who = found[0].ID
		}
		return err
	})
	if err != nil {
		return err
	}
	b := *req.Fact.Purchase
	b.Codes, err = record.Present(e.ctx, d, id, p, who, b.Codes, func(u engine.CodeUse) (c code.Code, err error) {
		err = d.Read(e.ctx, func(tx *db.Tx) error {
			k, err := code.KeyOf(e.ctx, tx, id)
			if err != nil {
				return err
			}
			hash, _ := k.Hash(u.Code)
			c, err = code.ByHash(e.ctx, tx, id, hash)
			return err
		})
		return c, err
	})
	req.Fact.Purchase = &b
	return err
}

// requestOf makes a request of a fact in the API's form.
func requestOf(a api.AnyFact) (record.Request, error) {
	var req record.Request
	n := 0
	head := func(k api.FactKey, member string) {
		req.Member, req.Fact.Source, req.Fact.ExternalID = member, k.Source, k.ExternalID
		if k.OccurredAt != nil {
			req.Fact.OccurredAt = *k.OccurredAt
		}
		n++
	}
	if f := a.Enrolment; f != nil {
		n++
		req.Fact = engine.Fact{Kind: engine.Enrolment, Enrolment: &engine.EnrolmentBody{Channel: f.Channel, Store: f.Store}}
		if f.JoinedAt != nil {
			req.Fact.OccurredAt = *f.JoinedAt
		}
		req.Enrol = &member.New{Profile: member.Profile(f.Profile)}
		for _, i := range f.Identifiers {
			req.Enrol.Identifiers = append(req.Enrol.Identifiers, member.Identifier(i))
		}
	}
	if f := a.Purchase; f != nil {
		req.Fact.Kind, req.Fact.Purchase = engine.PurchaseK, &f.Purchase
		head(f.FactKey, f.Member)
	}
	if f := a.Return; f != nil {
		req.Fact.Kind, req.Fact.Return, req.Fact.Parent = engine.ReturnK, &f.Return.Return, parentOf(f.Purchase)
		head(f.FactKey, "")
	}
	if f := a.Activity; f != nil {
		req.Fact.Kind, req.Fact.Activity = engine.ActivityK, f.Body()
		head(f.FactKey, f.Member)
	}
	if f := a.Redemption; f != nil {
		req.Fact.Kind, req.Fact.Redemption = engine.Reserve, &f.Redemption
		if f.Commit {
			req.Fact.Kind = engine.Redeem
		}
		head(f.FactKey, f.Member)
	}
	if f := a.Adjustment; f != nil {
		req.Fact.Kind, req.Fact.Adjustment = engine.AdjustmentK, &f.Adjustment
		head(f.FactKey, f.Member)
	}
	if f := a.Transfer; f != nil {
		req.Fact.Kind = engine.TransferOut
		req.Fact.Transfer = &engine.Transfer{Unit: f.Unit, Amount: f.Amount, Other: f.To, Message: f.Message}
		head(f.FactKey, f.From)
	}
	if f := a.Plan; f != nil {
		req.Fact.Kind, req.Fact.Plan = engine.PlanK, f.Told()
		head(f.FactKey, f.Member)
	}
	if f := a.Use; f != nil {
		req.Fact.Kind, req.Fact.Use = engine.UseK, &engine.UseBody{Benefit: f.Benefit, Store: f.Store, Channel: f.Channel}
		head(f.FactKey, f.Member)
	}
	if n != 1 {
		return req, errs.Invalid("invalid_fact", sentence(errOneKind.Error()))
	}
	return req, nil
}

// parentOf turns SOURCE:NUMBER, as the API writes it, into the flow's form.
func parentOf(ref string) string {
	for i := range len(ref) {
		switch ref[i] {
		case '/':
			return ref
		case ':':
			return ref[:i] + "/" + ref[i+1:]
		}
	}
	return ref
}
