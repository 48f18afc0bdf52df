// Package raffle draws the winners among the tickets that rewards gave, once the time of the draw has come.
//
// It owns the job that draws. It does not own the raffles' rows and the rule of the order (reward), nor tickets and prizes, which are in the
// members' books (engine). What always holds: the seed's hash is kept before the draw; what is drawn is written once, on the condition that the
// raffle is as it was read; a prize is given under a natural key of its ticket. So a draw that was cut off anywhere is taken up again, by any node.
package raffle

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/reward"
	"lojal.dev/lojal/internal/version"
)

const (
	// Settle is how long after its time a raffle is drawn, so that tickets that were being bought then are written down.
	Settle = time.Minute
	// Source is the natural key of the facts that give the prizes.
	Source = "lojal:raffle"
	// JobKind is the job that draws.
	JobKind = "raffles"
	every   = 15 * time.Second
	atOnce  = 20
)

// Draws draws raffles.
type Draws struct {
	DB       *db.DB
	Recorder *record.Recorder
}

// Handle has the runner's node draw what is due.
func Handle(jobs *job.Runner, d *Draws, clock func() time.Time) {
	jobs.Handle(JobKind, job.Worker{Every: every, Run: func(ctx context.Context, _ *job.Job) error { return d.Work(ctx, clock()) }})
}

// Open keeps the commitments of all raffles of a program that are to come.
func Open(ctx context.Context, tx *db.Tx, p *program.Compiled, now time.Time) error {
	for i := range p.Doc.Rewards {
		if r := p.Rewards[p.Doc.Rewards[i].ID]; r.Kind == program.KindRaffle && r.Draws != nil && r.Draws.After(now) {
			if err := reward.Commit(ctx, tx, p.Doc.Program, r, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func hasRaffles(p *program.Compiled) bool {
	for _, r := range p.Rewards {
		if r.Kind == program.KindRaffle {
			return true
		}
	}
	return false
}

// Work opens what is to come and draws what is due, in all programs. One that cannot be drawn does not stop the others.
func (d *Draws) Work(ctx context.Context, now time.Time) error {
	var list []version.Program
	var due []reward.Raffle
	with := map[string]*program.Compiled{}
	err := d.DB.Read(ctx, func(tx *db.Tx) (err error) {
		if list, err = version.Programs(ctx, tx); err != nil {
			return err
		}
		clear(with)
		for _, p := range list {
			set, err := d.Recorder.Versions().Get(ctx, tx, p.ID)
			if err != nil {
				return err
			}
			if c := set.At(now); c != nil && hasRaffles(c) {
				with[p.ID] = c
			}
		}
		due, err = reward.DueRaffles(ctx, tx, now.Add(-Settle), atOnce)
		return err
	})
	if err != nil {
		return err
	}
	var failed []error
	for _, p := range with {
		failed = append(failed, d.DB.Write(ctx, func(tx *db.Tx) error { return Open(ctx, tx, p, now) }))
	}
	for i := range due {
		if _, err := d.one(ctx, due[i], now); err != nil {
			failed = append(failed, fmt.Errorf("draw the raffle %s of %s: %w", due[i].Reward, due[i].Program, err))
		}
	}
	return errors.Join(failed...)
}

// Draw draws the raffles of a reward whose time has come, and gives the last of them. Asked again it gives the same. Conflict "raffle_open"
// before the time.
func (d *Draws) Draw(ctx context.Context, programID, rewardID string, now time.Time) (*reward.Raffle, error) {
	all, err := d.known(ctx, programID, rewardID, now)
	if err != nil {
		return nil, err
	}
	var next, last *reward.Raffle
	for i := len(all) - 1; i >= 0; i-- { // the earliest first
		r := &all[i]
		switch {
		case r.Reward != rewardID:
			continue
		case r.DrawsAt.Add(Settle).After(now):
			if next == nil {
				next = r
			}
			continue
		}
		if last, err = d.one(ctx, *r, now); err != nil {
			return nil, err
		}
	}
	switch {
	case last != nil:
		return last, nil
	case next != nil:
		return nil, errs.Conflict("raffle_open", "The raffle is not drawn yet: tickets may still be bought. It can be from a minute after its time.").
			With("reward", rewardID).With("draws_at", next.DrawsAt.Format(time.RFC3339))
	}
	return nil, errs.NotFound("raffle_not_found", "There is no such raffle.")
}

// known gives all raffles of a program. The one that is asked for is made where no server ran between its publication and its draw: its
// commitment is then younger than its time, as everybody can see.
func (d *Draws) known(ctx context.Context, programID, rewardID string, now time.Time) (all []reward.Raffle, err error) {
	var p *program.Compiled
	err = d.DB.Read(ctx, func(tx *db.Tx) error {
		set, err := d.Recorder.Versions().Get(ctx, tx, programID)
		if err != nil {
			return err
		}
		p = set.At(now)
		all, err = reward.Raffles(ctx, tx, programID)
		return err
	})
	if err != nil || p == nil {
		return all, err
	}
	r := p.Rewards[rewardID]
	if r == nil || r.Kind != program.KindRaffle || r.Draws == nil {
		return all, nil
	}
	for i := range all {
		if all[i].Reward == rewardID && all[i].DrawsAt.UnixMicro() == r.Draws.UnixMicro() {
			return all, nil
		}
	}
	err = d.DB.Write(ctx, func(tx *db.Tx) error {
		if err := reward.Commit(ctx, tx, programID, r, now); err != nil {
			return err
		}
		all, err = reward.Raffles(ctx, tx, programID)
		return err
	})
	return all, err
}

// read looks a raffle up again.
func (d *Draws) read(ctx context.Context, r *reward.Raffle) (*reward.Raffle, error) {
	var out reward.Raffle
	err := d.DB.Read(ctx, func(tx *db.Tx) (err error) {
		out, err = reward.GetRaffle(ctx, tx, r.Program, r.Reward, r.DrawsAt)
		return err
	})
	return &out, err
}

// save writes a step, and reads what is there then: it is another's where that was first.
func (d *Draws) save(ctx context.Context, r *reward.Raffle) (*reward.Raffle, error) {
	err := d.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := r.Save(ctx, tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d.read(ctx, r)
}

// one brings a raffle as far as it goes: its seed is opened, and then ticket after ticket comes up until there are winners enough.
func (d *Draws) one(ctx context.Context, r reward.Raffle, now time.Time) (*reward.Raffle, error) {
	at := &r
	var err error
	if at.Status == reward.RaffleOpen {
		if at, err = d.begin(ctx, at, now); err != nil {
			return nil, err
		}
	}
	if at.Status == reward.RaffleDrawn {
		return at, nil
	}
	_, order, err := reward.Shuffle(at.Seed, reward.Lines(at.Tickets))
	if err != nil {
		return nil, err
	}
	for at.Status == reward.RaffleDrawing {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if at, err = d.step(ctx, at, order, now); err != nil {
			return nil, err
		}
	}
	return at, nil
}

// begin opens the seed and writes down who takes part.
func (d *Draws) begin(ctx context.Context, r *reward.Raffle, now time.Time) (*reward.Raffle, error) {
	next := *r
	err := d.DB.Read(ctx, func(tx *db.Tx) (err error) {
		if next.Seed, err = r.Unseal(ctx, tx); err != nil {
			return err
		}
		list, err := books.Tickets(ctx, tx, r.Program, r.Reward, r.DrawsAt)
		next.Tickets = nil
		for i := range list {
			_, n := list[i].Tickets()
			next.Tickets = append(next.Tickets, reward.Entrant{Redemption: list[i].ID, N: n})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	next.Status, next.DrawnAt = reward.RaffleDrawing, &now
	return d.save(ctx, &next)
}

// step takes the next ticket up, or ends the draw.
func (d *Draws) step(ctx context.Context, r *reward.Raffle, order []string, now time.Time) (*reward.Raffle, error) {
	next := *r
	won := int64(0)
	has := map[string]bool{}
	for _, w := range r.Outcome {
		if w.Passed == "" {
			won++
			has[w.Member] = true
		}
	}
	if won >= r.Winners || len(r.Outcome) == len(order) {
		next.Status, next.Error = reward.RaffleDrawn, ""
		return d.save(ctx, &next)
	}
	ticket := order[len(r.Outcome)]
	red, _, _ := strings.Cut(ticket, "/")
	member, status, err := d.owner(ctx, r.Program, red)
	if err != nil {
		return nil, err
	}
	before, err := d.given(ctx, r, ticket)
	if err != nil {
		return nil, err
	}
	up := reward.Won{Ticket: ticket, Member: member, Fact: before}
	switch {
	case before != "": // the prize was given, and the draw was cut off before it was noted
	case has[member]:
		up.Passed = reward.PassedAgain
	case status == engine.Closed:
		up.Passed = reward.PassedClosed
	default:
		fact, err := d.give(ctx, r, ticket, member, now)
		if err != nil {
			if e := errs.As(err); e.Code == errs.CodeInvalid || e.Code == errs.CodeConflict || e.Code == errs.CodeNotFound {
				next.Error = e.Message
				if _, serr := d.save(ctx, &next); serr != nil {
					return nil, errors.Join(err, serr)
				}
			}
			return nil, err
		}
		up.Fact = fact.ID
	}
	next.Outcome, next.Error = append(append([]reward.Won(nil), r.Outcome...), up), ""
	return d.save(ctx, &next)
}

// owner finds who has a redemption now, through merges, and how that membership stands.
func (d *Draws) owner(ctx context.Context, programID, redemption string) (member, status string, err error) {
	err = d.DB.Read(ctx, func(tx *db.Tx) error {
		red, err := books.FindRedemption(ctx, tx, programID, redemption)
		if err != nil {
			return err
		}
		survivor, st, err := record.Survivor(red.Member, record.StatesOf(ctx, tx, programID))
		if err == nil {
			member, status = survivor, st.Status
		}
		return err
	})
	return member, status, err
}

// given says by which fact a ticket's prize was given already, "" for none.
func (d *Draws) given(ctx context.Context, r *reward.Raffle, ticket string) (fact string, err error) {
	err = d.DB.Read(ctx, func(tx *db.Tx) error {
		e, _, err := books.FindByKey(ctx, tx, books.NaturalKey{Program: r.Program, Source: Source, ExternalID: Key(r, ticket)})
		switch b := e.Fact.Grant; {
		case errs.CodeOf(err) == errs.CodeNotFound:
			fact, err = "", nil
		case err == nil && (b == nil || b.Raffle != r.Reward || b.Ticket != ticket):
			return fmt.Errorf("the fact %s has the natural key of the prize of ticket %s, and is no such prize", e.Fact.ID, ticket)
		default:
			fact = e.Fact.ID
		}
		return err
	})
	return fact, err
}

// Key is the natural key under which a ticket's prize is given.
func Key(r *reward.Raffle, ticket string) string {
	return r.Reward + "/" + strconv.FormatInt(r.DrawsAt.UnixMicro(), 10) + "/" + ticket
}

// give records the grant of the prize; a repetition gives the one that is there.
func (d *Draws) give(ctx context.Context, r *reward.Raffle, ticket, member string, now time.Time) (*engine.Fact, error) {
	req := record.Request{Program: r.Program, Now: now, Actor: record.System, Own: true, Fact: engine.Fact{Kind: engine.GrantK, Source: Source, ExternalID: Key(r, ticket),
		Grant: &engine.GrantBody{Reward: r.Prize, Reason: "raffle", Raffle: r.Reward, Ticket: ticket}}}
	req.Name(member)
	res, err := d.Recorder.Record(ctx, req)
	if err != nil {
		return nil, err
	}
	return &res.Fact, nil
}
