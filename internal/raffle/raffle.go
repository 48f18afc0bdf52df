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
	"slices"
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

// toCome are the raffles of a program whose draw is to come.
func toCome(p *program.Compiled, now time.Time) (out []*program.CompiledReward) {
	for i := range p.Doc.Rewards {
		if r := p.Rewards[p.Doc.Rewards[i].ID]; r.Kind == program.KindRaffle && r.Draws != nil && r.Draws.After(now) {
			out = append(out, r)
		}
	}
	return out
}

// Work opens what is to come and draws what is due, in all programs. A program that cannot be read and a raffle that cannot be drawn do not stop the
// others: what failed comes last in the next round.
func (d *Draws) Work(ctx context.Context, now time.Time) error {
	failed := d.open(ctx, now)
	var due []reward.Raffle
	err := d.DB.Read(ctx, func(tx *db.Tx) (err error) {
		due, err = reward.DueRaffles(ctx, tx, now.Add(-Settle), atOnce)
		return err
	})
	failed = append(failed, err)
	for i := range due {
		r := &due[i]
		err := d.one(ctx, r, now)
		if err == nil {
			continue
		}
		failed = append(failed, fmt.Errorf("draw the raffle %s of %s: %w", r.Reward, r.Program, err))
		if ctx.Err() != nil {
			break
		}
		failed = append(failed, d.DB.Write(ctx, func(tx *db.Tx) error { return r.Failed(ctx, tx, now) }))
	}
	return errors.Join(failed...)
}

// open keeps the commitments of all raffles that are to come. It writes only where one is not as it should be.
func (d *Draws) open(ctx context.Context, now time.Time) (failed []error) {
	var list []version.Program
	err := d.DB.Read(ctx, func(tx *db.Tx) (err error) {
		list, err = version.Programs(ctx, tx)
		return err
	})
	failed = append(failed, err)
	for _, p := range list {
		var wanted []*program.CompiledReward
		err := d.DB.Read(ctx, func(tx *db.Tx) error {
			wanted = nil
			set, err := d.Recorder.Versions().Get(ctx, tx, p.ID)
			if err != nil {
				return fmt.Errorf("look for raffles of %s: %w", p.ID, err)
			}
			c := set.At(now)
			if c == nil {
				return nil
			}
			for _, r := range toCome(c, now) {
				same, err := reward.Committed(ctx, tx, p.ID, r)
				if err != nil {
					return err
				}
				if !same {
					wanted = append(wanted, r)
				}
			}
			return nil
		})
		if err == nil && len(wanted) > 0 {
			err = d.DB.Write(ctx, func(tx *db.Tx) error {
				for _, r := range wanted {
					if err := reward.Commit(ctx, tx, p.ID, r, now); err != nil {
						return err
					}
				}
				return nil
			})
		}
		failed = append(failed, err)
	}
	return failed
}

// Keep commits to the seeds of a version's raffles in the transaction that publishes it, also of one that comes into force later: so no ticket is sold, and no
// raffle told of, before its commitment is.
func Keep(ctx context.Context, tx *db.Tx, v version.Published, now time.Time) error {
	if v.Unchanged {
		return nil
	}
	_, doc, err := version.Get(ctx, tx, v.Program, v.Version)
	if err != nil {
		return err
	}
	p, err := program.Compile(doc, v.Version)
	if err != nil {
		return fmt.Errorf("read version %d of %s: %w", v.Version, v.Program, err)
	}
	commit := reward.Commit
	if v.EffectiveFrom.After(now) {
		commit = reward.CommitAhead
	}
	for _, r := range toCome(p, now) {
		if err := commit(ctx, tx, v.Program, r, now); err != nil {
			return err
		}
	}
	return nil
}

// Draw draws the raffles of a reward whose time has come, and gives the last of them. Asked again it gives the same. Conflict "raffle_open"
// before the time.
func (d *Draws) Draw(ctx context.Context, programID, rewardID string, now time.Time) (*reward.Raffle, error) {
	all, err := d.known(ctx, programID, rewardID, now)
	if err != nil {
		return nil, err
	}
	var last *reward.Raffle
	for i := range all { // the earliest first
		r := &all[i]
		if r.DrawsAt.Add(Settle).After(now) {
			if last == nil {
				return nil, errs.Conflict("raffle_open", "The raffle is not drawn yet: tickets may still be bought. It can be from a minute after its time.").
					With("reward", rewardID).With("draws_at", r.DrawsAt.Format(time.RFC3339))
			}
			break
		}
		if last = r; r.Status == reward.RaffleDrawn {
			continue
		}
		if err := d.one(ctx, r, now); err != nil {
			return nil, err
		}
	}
	if last == nil {
		return nil, errs.NotFound("raffle_not_found", "There is no such raffle.")
	}
	return d.read(ctx, last)
}

// known gives all raffles of a reward, the earliest draw first. The one that its program has is made where no server ran between its publication
// and its draw: its commitment is then younger than its time, as everybody can see.
func (d *Draws) known(ctx context.Context, programID, rewardID string, now time.Time) (all []reward.Raffle, err error) {
	var p *program.Compiled
	err = d.DB.Read(ctx, func(tx *db.Tx) error {
		set, err := d.Recorder.Versions().Get(ctx, tx, programID)
		if err != nil {
			return err
		}
		p = set.At(now)
		all, err = reward.RafflesOf(ctx, tx, programID, rewardID)
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
		if all[i].DrawsAt.UnixMicro() == r.Draws.UnixMicro() {
			return all, nil
		}
	}
	err = d.DB.Write(ctx, func(tx *db.Tx) error {
		if err := reward.Commit(ctx, tx, programID, r, now); err != nil {
			return err
		}
		all, err = reward.RafflesOf(ctx, tx, programID, rewardID)
		return err
	})
	return all, err
}

// read looks a raffle up again, with its tickets.
func (d *Draws) read(ctx context.Context, r *reward.Raffle) (*reward.Raffle, error) {
	var out reward.Raffle
	err := d.DB.Read(ctx, func(tx *db.Tx) (err error) {
		out, err = reward.GetRaffle(ctx, tx, r.Program, r.Reward, r.DrawsAt)
		return err
	})
	return &out, err
}

// save writes a step. Where another was first it gives what is there then.
func (d *Draws) save(ctx context.Context, r *reward.Raffle, write func(context.Context, *db.Tx) (*reward.Raffle, bool, error)) (*reward.Raffle, error) {
	var next *reward.Raffle
	var mine bool
	err := d.DB.Write(ctx, func(tx *db.Tx) (err error) {
		next, mine, err = write(ctx, tx)
		return err
	})
	if err != nil || mine {
		return next, err
	}
	return d.read(ctx, r)
}

// one brings a raffle as far as it goes: its seed is opened, and then ticket after ticket comes up until there are winners enough.
func (d *Draws) one(ctx context.Context, r *reward.Raffle, now time.Time) error {
	at, err := d.read(ctx, r)
	if err != nil {
		return err
	}
	if at.Status == reward.RaffleOpen {
		if at, err = d.begin(ctx, at, now); err != nil {
			return err
		}
	}
	if at.Status == reward.RaffleDrawn {
		return nil
	}
	order, err := reward.Shuffle(at.Seed, reward.Lines(at.Tickets))
	if err != nil {
		return err
	}
	for at.Status == reward.RaffleDrawing {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if at, err = d.step(ctx, at, order, now); err != nil {
			return err
		}
	}
	return nil
}

// begin opens the seed and writes down who takes part.
func (d *Draws) begin(ctx context.Context, r *reward.Raffle, now time.Time) (*reward.Raffle, error) {
	var seed string
	var took []reward.Entrant
	err := d.DB.Read(ctx, func(tx *db.Tx) (err error) {
		if seed, err = r.Unseal(ctx, tx); err != nil {
			return err
		}
		all, err := books.Tickets(ctx, tx, r.Program)
		took = nil
		for _, t := range all[books.Draw{Raffle: r.Reward, At: r.DrawsAt.UnixMicro()}] {
			took = append(took, reward.Entrant{Redemption: t.Redemption, N: t.N})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return d.save(ctx, r, func(ctx context.Context, tx *db.Tx) (*reward.Raffle, bool, error) {
		return r.Begin(ctx, tx, seed, took, now)
	})
}

// step goes to the next ticket that wins, or ends the draw. Those that are passed over on the way are written with it: what they were passed over
// for stays so, and they are passed over again where the step is cut off.
func (d *Draws) step(ctx context.Context, r *reward.Raffle, order []string, now time.Time) (*reward.Raffle, error) {
	next := *r
	next.Outcome, next.Error = slices.Clone(r.Outcome), ""
	won := int64(0)
	has, whose := map[string]bool{}, map[string]string{}
	for _, w := range r.Outcome {
		if w.Passed == "" {
			won++
			has[w.Member] = true
		}
	}
	for won < r.Winners && len(next.Outcome) < len(order) {
		ticket := order[len(next.Outcome)]
		up, err := d.up(ctx, r, ticket, has, whose)
		if err != nil {
			return nil, err
		}
		if up.Passed != "" {
			next.Outcome = append(next.Outcome, up)
			continue
		}
		if up.Fact == "" {
			fact, err := d.give(ctx, r, ticket, up.Member, now)
			if err != nil {
				if e := errs.As(err); e.Code == errs.CodeInvalid || e.Code == errs.CodeConflict || e.Code == errs.CodeNotFound {
					next.Error = e.Message
					if _, serr := d.save(ctx, r, next.Save); serr != nil {
						return nil, errors.Join(err, serr)
					}
				}
				return nil, err
			}
			up.Fact = fact.ID
		}
		next.Outcome = append(next.Outcome, up)
		return d.save(ctx, r, next.Save)
	}
	next.Status = reward.RaffleDrawn
	return d.save(ctx, r, next.Save)
}

// up says what becomes of the ticket that comes up: it is passed over, or wins. Who has won is in has, whose remembers who has a redemption.
func (d *Draws) up(ctx context.Context, r *reward.Raffle, ticket string, has map[string]bool, whose map[string]string) (reward.Won, error) {
	red, _, _ := strings.Cut(ticket, "/")
	if member := whose[red]; has[member] { // the same redemption came up in this step, so none of its tickets was given one before
		return reward.Won{Ticket: ticket, Member: member, Passed: reward.PassedAgain}, nil
	}
	member, status, err := d.owner(ctx, r.Program, red)
	if err != nil {
		return reward.Won{}, err
	}
	whose[red] = member
	up := reward.Won{Ticket: ticket, Member: member}
	if up.Fact, err = d.given(ctx, r, ticket); err != nil {
		return up, err
	}
	switch {
	case up.Fact != "": // the prize was given, and the draw was cut off before it was noted
	case has[member]:
		up.Passed = reward.PassedAgain
	case status == engine.Closed:
		up.Passed = reward.PassedClosed
	}
	return up, nil
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
