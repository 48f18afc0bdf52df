package raffle

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/reward"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

const document = `
program: lots
name: Lots
time_zone: Europe/Oslo
currency: NOK
units:
  star: {name: star}
rewards:
  - {id: weekend, title: Weekend, granted: true, gives: {kind: service}}
  - {id: ticket, title: Ticket, price: {star: 10}, gives: {raffle: {draw: "2026-03-10", winners: 2, prize: weekend}}}
  - {id: none, title: None, price: {star: 10}, gives: {raffle: {draw: "2026-03-10", prize: weekend}}}
`

var (
	start = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	after = time.Date(2026, 3, 11, 10, 0, 0, 0, time.UTC)
)

type hall struct {
	t   *testing.T
	d   *db.DB
	v   *version.Cache
	a   *Draws
	now time.Time
}

func (h *hall) node() *Draws {
	r := record.New(h.d, h.v)
	h.t.Cleanup(r.Close)
	return &Draws{DB: h.d, Recorder: r}
}

func open(t *testing.T, d *db.DB) *hall {
	t.Helper()
	doc, err := program.Parse([]byte(document), "")
	if err != nil {
		t.Fatal(err)
	}
	h := &hall{t: t, d: d, v: new(version.Cache), now: start}
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := version.Publish(t.Context(), tx, version.PublishInput{Program: "lots", Document: doc, By: "test", Now: start})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.a = h.node()
	h.work()
	return h
}

func (h *hall) work() {
	h.t.Helper()
	if err := h.a.Work(h.t.Context(), h.now); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hall) record(q record.Request) *record.Result {
	h.t.Helper()
	q.Program, q.Now = "lots", h.now
	r, err := h.a.Recorder.Record(h.t.Context(), q)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// buyer is a new member with so many tickets.
func (h *hall) buyer(tickets int64) (id, redemption string) {
	h.t.Helper()
	id = h.record(record.Request{Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{}}).Fact.Member
	n := money.MustParse("1000")
	h.record(record.Request{Member: id, Fact: engine.Fact{Kind: engine.AdjustmentK, Adjustment: &engine.Adjustment{Unit: "star", Amount: &n, Reason: "test"}}})
	return id, h.record(record.Request{Member: id, Fact: engine.Fact{Kind: engine.Redeem, Redemption: &engine.Redemption{Spend: engine.Spend{Reward: "ticket", Quantity: tickets}}}}).Fact.ID
}

func (h *hall) raffle(id string) reward.Raffle {
	h.t.Helper()
	var out reward.Raffle
	err := h.d.Read(h.t.Context(), func(tx *db.Tx) error {
		list, err := reward.Raffles(h.t.Context(), tx, "lots", nil, "", 100)
		for _, r := range list {
			if r.Reward == id && err == nil {
				out, err = reward.GetRaffle(h.t.Context(), tx, "lots", id, r.DrawsAt)
			}
		}
		return err
	})
	if err != nil || out.Reward == "" {
		h.t.Fatalf("the raffle %s: %+v, %v", id, out, err)
	}
	return out
}

// prizes counts what a member has to be had from the draw.
func (h *hall) prizes(id string) (n int) {
	h.t.Helper()
	err := h.d.Read(h.t.Context(), func(tx *db.Tx) error {
		sheet := books.ReadSheet()
		ref := books.Ref{Program: "lots", Member: id}
		err := sheet.Open(h.t.Context(), tx, []books.Ref{ref})
		if err == nil {
			for _, g := range sheet.Folio(ref).State.Grants {
				if g.Reward == "weekend" && g.Source == engine.RaffleSource+"ticket" {
					n++
				}
			}
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// told sees that each winner, and nobody else, has one event, with just the fields that its description has.
func (h *hall) told(won []string) {
	h.t.Helper()
	dbtest.Settle(h.t, h.d)
	var events []books.Event
	err := h.d.Read(h.t.Context(), func(tx *db.Tx) (err error) {
		events, err = books.Events(h.t.Context(), tx, "lots", books.Cursor{}, 500)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	typ, _ := engine.EventTypeOf(engine.EvRaffleDrawn)
	var to []string
	for _, e := range events {
		if e.Type != typ.Type {
			continue
		}
		to = append(to, e.Member)
		for _, f := range typ.Fields {
			if e.Data[f.Name] == "" || len(e.Data) != len(typ.Fields) {
				h.t.Errorf("the event has %v, and not just %q and the like", e.Data, f.Name)
			}
		}
	}
	slices.Sort(to)
	if want := slices.Sorted(slices.Values(won)); !slices.Equal(to, want) {
		h.t.Errorf("told to %v, not %v", to, want)
	}
}

func (h *hall) findings() (out []string) {
	h.t.Helper()
	r, err := verify.Run(h.t.Context(), h.d, h.v, "lots", verify.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range r.Findings {
		out = append(out, f.Check+": "+f.Message)
	}
	return out
}

func (h *hall) proved() {
	h.t.Helper()
	if f := h.findings(); len(f) > 0 {
		h.t.Errorf("verify: %s", strings.Join(f, "; "))
	}
}

// byHand works the order out again from what is told, as docs/rewards.md says it.
func byHand(t *testing.T, r *reward.Raffle) []string {
	t.Helper()
	seed, err := hex.DecodeString(r.Seed)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(seed); hex.EncodeToString(sum[:]) != r.Commitment {
		t.Error("the seed is not the one that was committed to")
	}
	tickets := reward.Lines(r.Tickets)
	list := sha256.Sum256([]byte(strings.Join(tickets, "\n") + "\n"))
	score := map[string]string{}
	for _, one := range tickets {
		m := hmac.New(sha256.New, seed)
		m.Write([]byte(hex.EncodeToString(list[:]) + "\n" + one))
		score[one] = hex.EncodeToString(m.Sum(nil))
	}
	slices.SortFunc(tickets, func(a, b string) int { return strings.Compare(score[a], score[b]) })
	return tickets
}

func TestADrawIsCommittedToAndCanBeWorkedOutAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		before := h.raffle("ticket")
		if before.Status != reward.RaffleOpen || len(before.Commitment) != 64 || before.Seed != "" || !before.CommittedAt.Equal(start) {
			t.Fatalf("before: %+v", before)
		}
		var all []string
		for n := range int64(6) {
			id, _ := h.buyer(n + 1)
			all = append(all, id)
		}
		back, red := h.buyer(50)
		h.record(record.Request{Member: back, Fact: engine.Fact{Kind: engine.Refund, Parent: red, Redemption: &engine.Redemption{Reason: "test"}}})
		if _, err := h.a.Draw(t.Context(), "lots", "ticket", h.now); !errs.Is(err, errs.CodeConflict, "raffle_open") {
			t.Errorf("a draw before its time: %v", err)
		}
		if _, err := h.a.Draw(t.Context(), "lots", "weekend", h.now); errs.CodeOf(err) != errs.CodeNotFound {
			t.Errorf("a draw of what is none: %v", err)
		}
		h.work()
		h.now = after
		// Several nodes, and staff who ask, at once.
		nodes := []*Draws{h.a, h.node(), h.node()}
		var wg sync.WaitGroup
		for _, n := range nodes {
			wg.Go(func() {
				if err := n.Work(t.Context(), after); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				if _, err := n.Draw(t.Context(), "lots", "ticket", after); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		r := h.raffle("ticket")
		if r.Status != reward.RaffleDrawn || r.Commitment != before.Commitment || len(reward.Lines(r.Tickets)) != 21 {
			t.Fatalf("drawn: %+v", r)
		}
		order := byHand(t, &r)
		var won []string
		for i, w := range r.Outcome {
			if w.Ticket != order[i] {
				t.Errorf("%s came up as number %d, not %s", w.Ticket, i, order[i])
			}
			if w.Passed == "" {
				won = append(won, w.Member)
			}
		}
		if len(won) != 2 || won[0] == won[1] {
			t.Errorf("winners: %v", won)
		}
		for _, id := range all {
			want := 0
			if slices.Contains(won, id) {
				want = 1
			}
			if n := h.prizes(id); n != want {
				t.Errorf("%s has %d prizes, not %d", id, n, want)
			}
		}
		h.told(won)
		again, err := h.a.Draw(t.Context(), "lots", "ticket", after.Add(time.Hour))
		if err != nil || len(again.Outcome) != len(r.Outcome) || again.Seed != r.Seed || !again.DrawnAt.Equal(*r.DrawnAt) {
			t.Errorf("drawn again: %+v, %v", again, err)
		}
		if none := h.raffle("none"); none.Status != reward.RaffleDrawn || len(none.Outcome) != 0 || none.Seed == "" {
			t.Errorf("without tickets: %+v", none)
		}
		h.proved()
		err = d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE raffles SET tickets = $1 WHERE reward = 'ticket'`, r.Tickets[0].Redemption+" 1\n")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if f := strings.Join(h.findings(), "; "); !strings.Contains(f, "raffles: ") {
			t.Errorf("verify does not see that tickets were left out: %q", f)
		}
	})
}

func TestADrawThatWasCutOffGivesEachPrizeOnce(t *testing.T) {
	t.Parallel()
	for _, cut := range []string{"begun", "given", "closed", "merged"} {
		t.Run(cut, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				h := open(t, d)
				var all []string
				for range 5 {
					id, _ := h.buyer(2)
					all = append(all, id)
				}
				h.now = after
				ctx := t.Context()
				at := h.raffle("ticket")
				begun, err := h.a.begin(ctx, &at, after)
				if err != nil {
					t.Fatal(err)
				}
				order := byHand(t, begun)
				first, _, _ := strings.Cut(order[0], "/")
				winner, _, err := h.a.owner(ctx, "lots", first)
				if err != nil {
					t.Fatal(err)
				}
				if cut != "begun" { // the prize is given, and the node is gone before it notes that
					if _, err := h.a.give(ctx, begun, order[0], winner, after); err != nil {
						t.Fatal(err)
					}
				}
				survivor := winner
				switch cut {
				case "closed":
					h.record(record.Request{Member: winner, Fact: engine.Fact{Kind: engine.Status, Status: &engine.StatusBody{To: engine.Closed, Reason: "test"}}})
				case "merged":
					survivor = all[0]
					if survivor == winner {
						survivor = all[1]
					}
					h.record(record.Request{Member: winner, Fact: engine.Fact{Kind: engine.MergeOut, Merge: &engine.Merge{Other: survivor}}})
				}
				h.a = h.node()
				h.work()
				r := h.raffle("ticket")
				if r.Status != reward.RaffleDrawn || r.Outcome[0].Ticket != order[0] || r.Outcome[0].Member != survivor || r.Outcome[0].Passed != "" || r.Outcome[0].Fact == "" {
					t.Errorf("after %s: %+v", cut, r)
				}
				total, want := 0, 2
				for _, id := range all {
					total += h.prizes(id)
				}
				if cut == "closed" { // the prize ended with the membership
					want = 1
				}
				if total != want {
					t.Errorf("after %s there are %d prizes, not %d", cut, total, want)
				}
				h.proved()
			})
		})
	}
}

func TestWhoLeftIsPassedOverAndASurvivorWins(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		gone, _ := h.buyer(3)
		old, _ := h.buyer(3)
		survivor := h.record(record.Request{Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{}}).Fact.Member
		h.record(record.Request{Member: gone, Fact: engine.Fact{Kind: engine.Status, Status: &engine.StatusBody{To: engine.Closed, Reason: "test"}}})
		h.record(record.Request{Member: old, Fact: engine.Fact{Kind: engine.MergeOut, Merge: &engine.Merge{Other: survivor}}})
		h.now = after
		h.work()
		r := h.raffle("ticket")
		won := 0
		for _, w := range r.Outcome {
			switch {
			case w.Passed == "":
				won++
				if w.Member != survivor {
					t.Errorf("%s won", w.Member)
				}
			case w.Member == gone && w.Passed != reward.PassedClosed, w.Member == survivor && w.Passed != reward.PassedAgain:
				t.Errorf("passed over: %+v", w)
			}
		}
		if r.Status != reward.RaffleDrawn || won != 1 || len(r.Outcome) != 6 || h.prizes(survivor) != 1 {
			t.Errorf("drawn: %+v", r)
		}
		_, err := h.a.Recorder.Record(t.Context(), record.Request{Program: "lots", Member: survivor, Now: h.now,
			Fact: engine.Fact{Kind: engine.Redeem, OccurredAt: start.Add(time.Hour), Redemption: &engine.Redemption{Spend: engine.Spend{Reward: "ticket"}}}})
		if !errs.Is(err, errs.CodeConflict, "raffle_drawn") {
			t.Errorf("a ticket that is told of too late: %v", err)
		}
		h.proved()
	})
}

// A fact that has the natural key of a prize and is none keeps the raffle from being drawn: nobody wins by it.
func TestAKeyThatIsNoPrize(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		id, red := h.buyer(1)
		n := money.MustParse("1")
		r := h.raffle("ticket")
		req := record.Request{Member: id, Fact: engine.Fact{Kind: engine.AdjustmentK, Source: Source, ExternalID: Key(&r, red+"/1"),
			Adjustment: &engine.Adjustment{Unit: "star", Amount: &n, Reason: "x"}}}
		req.Program, req.Now = "lots", h.now
		if _, err := h.a.Recorder.Record(t.Context(), req); !errs.Is(err, errs.CodeInvalid, "reserved_source") {
			t.Fatal(err)
		}
		req.Own = true
		if _, err := h.a.Recorder.Record(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		h.now = after
		if err := h.a.Work(t.Context(), h.now); err == nil || !strings.Contains(err.Error(), "no such prize") {
			t.Errorf("it was drawn: %v", err)
		}
		if r := h.raffle("ticket"); len(r.Outcome) != 0 || h.prizes(id) != 0 {
			t.Errorf("%+v, %d prizes", r.Outcome, h.prizes(id))
		}
	})
}

func (h *hall) exec(query string, args ...any) {
	h.t.Helper()
	err := h.d.Write(h.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(h.t.Context(), query, args...)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// More raffles that cannot be drawn than are looked at in a round, and a program that cannot be read, hold up nobody.
func TestWhatCannotBeDrawnHoldsUpNobody(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		h.buyer(2)
		other, err := program.Parse([]byte(strings.Replace(document, "program: lots", "program: alas", 1)), "")
		if err != nil {
			t.Fatal(err)
		}
		err = d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := version.Publish(t.Context(), tx, version.PublishInput{Program: "alas", Document: other, By: "test", Now: start})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		h.exec(`UPDATE versions SET document = '{' WHERE program_id = 'alas'`)
		for i := range atOnce + 5 {
			id := "bad" + strings.Repeat("d", i)
			h.exec(`INSERT INTO raffles (bucket, program_id, reward, draws_at, prize, winners, commitment, sealed, status, committed_at)
SELECT $1, program_id, $2, $3, prize, winners, commitment, 'damaged', 'open', committed_at FROM raffles WHERE program_id = 'lots' AND reward = 'none'`,
				ids.Bucket("lots", "raffle:"+id), id, start.Add(time.Duration(i)*time.Minute).UnixMicro())
		}
		h.now = after
		for range 2 {
			if err := h.node().Work(t.Context(), h.now); err == nil {
				t.Error("nothing is said of what cannot be drawn")
			}
			h.now = h.now.Add(every)
		}
		for _, id := range []string{"ticket", "none"} {
			if r := h.raffle(id); r.Status != reward.RaffleDrawn {
				t.Errorf("the raffle %s is %s", id, r.Status)
			}
		}
		var tried int
		err = d.Read(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM raffles WHERE failed_at > 0`).Scan(&tried)
		})
		if err != nil || tried != atOnce+5 {
			t.Errorf("%d of those that cannot be drawn were tried, not %d: %v", tried, atOnce+5, err)
		}
	})
}

// A raffle whose tickets are nearly all of one member is drawn in as many steps as it has winners, and a step writes no tickets.
func TestADrawWritesItsTicketsOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		one, _ := h.buyer(90)
		other, _ := h.buyer(1)
		h.now = after
		at := h.raffle("ticket")
		begun, err := h.a.begin(t.Context(), &at, after)
		if err != nil {
			t.Fatal(err)
		}
		// As if the row had other tickets: what comes after the beginning does not write them again.
		h.exec(`UPDATE raffles SET tickets = '' WHERE reward = 'ticket'`)
		order, err := reward.Shuffle(begun.Seed, reward.Lines(begun.Tickets))
		if err != nil {
			t.Fatal(err)
		}
		steps := 0
		for ; begun.Status == reward.RaffleDrawing; steps++ {
			if begun, err = h.a.step(t.Context(), begun, order, after); err != nil {
				t.Fatal(err)
			}
		}
		if steps > 3 {
			t.Errorf("%d steps for two winners and the end", steps)
		}
		r := h.raffle("ticket")
		if r.Status != reward.RaffleDrawn || r.Count != 91 || r.TicketsHash != begun.TicketsHash || h.prizes(one) != 1 || h.prizes(other) != 1 {
			t.Errorf("drawn: %+v", r)
		}
		var kept string
		err = d.Read(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT tickets FROM raffles WHERE reward = 'ticket'`).Scan(&kept)
		})
		if err != nil || kept != "" {
			t.Errorf("a step wrote the tickets: %q, %v", kept, err)
		}
	})
}

// One redemption holds no more tickets than can be drawn and told one by one.
func TestOneRedemptionHoldsAThousandTickets(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		id := h.record(record.Request{Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{}}).Fact.Member
		n := money.MustParse("100000")
		h.record(record.Request{Member: id, Fact: engine.Fact{Kind: engine.AdjustmentK, Adjustment: &engine.Adjustment{Unit: "star", Amount: &n, Reason: "test"}}})
		for quantity, want := range map[int64]string{1000: "", 1001: "too_many_tickets"} {
			_, err := h.a.Recorder.Record(t.Context(), record.Request{Program: "lots", Member: id, Now: h.now,
				Fact: engine.Fact{Kind: engine.Redeem, Redemption: &engine.Redemption{Spend: engine.Spend{Reward: "ticket", Quantity: quantity}}}})
			if want == "" && err != nil || want != "" && errs.As(err).Reason != want {
				t.Errorf("%d tickets: %v", quantity, err)
			}
		}
	})
}

// Raffles are listed a page at a time without their tickets; of those that were drawn before their hash was kept it is worked out.
func TestRafflesAreListedWithoutTheirTickets(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		h.buyer(3)
		h.now = after
		h.work()
		list := func() (out []reward.Raffle) {
			t.Helper()
			var before *time.Time
			last := ""
			for {
				var page []reward.Raffle
				err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
					page, err = reward.Raffles(t.Context(), tx, "lots", before, last, 1)
					return err
				})
				if err != nil || len(page) > 1 {
					t.Fatal(len(page), err)
				}
				if len(page) == 0 {
					return out
				}
				out, before, last = append(out, page[0]), &page[0].DrawsAt, page[0].Reward
			}
		}
		now := list()
		h.exec(`UPDATE raffles SET tickets_hash = '', ticket_count = 0`)
		then := list()
		if len(now) != 2 || len(then) != 2 {
			t.Fatalf("%d and %d raffles", len(now), len(then))
		}
		for i, r := range now {
			if r.Tickets != nil {
				t.Errorf("%s is listed with its tickets", r.Reward)
			}
			if want := map[string]int64{"ticket": 3, "none": 0}[r.Reward]; r.Count != want || len(r.TicketsHash) != 64 || then[i].Count != want || then[i].TicketsHash != r.TicketsHash {
				t.Errorf("%s has %d tickets and %q, from before %d and %q", r.Reward, r.Count, r.TicketsHash, then[i].Count, then[i].TicketsHash)
			}
		}
		h.proved()
	})
}
