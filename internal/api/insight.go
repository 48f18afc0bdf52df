package api

import (
	"context"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/insight"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/version"
)

// Today is how a program goes: a period that ends with today, and the one before it.
type Today struct {
	// At is when it was read: the figures are those of the books at that moment.
	At time.Time `json:"at"`
	// Period is 7d, 28d, 90d, month or year; Currency that of all money.
	Period   string `json:"period"`
	Currency string `json:"currency"`
	// Now is the period, Before the one that it is compared with.
	Now    InsightPeriod `json:"now"`
	Before InsightPeriod `json:"before"`
	// Steps are the period's days, or, in long ones, its weeks.
	Steps []InsightStep `json:"steps"`
	// Attention is what somebody should look at.
	Attention []InsightNote `json:"attention"`
}

// InsightPeriod is what a period came to.
type InsightPeriod struct {
	// From is its first day, To its last.
	From string `json:"from"`
	To   string `json:"to"`
	// Members belong to the program at its end; New joined in it, Left were closed or merged into another.
	Members int64 `json:"members"`
	New     int64 `json:"new"`
	Left    int64 `json:"left"`
	// Active are members who bought something in it, Share is how many percent of Members they are.
	Active int64  `json:"active"`
	Share  Amount `json:"share"`
	// Purchases were made in it, of members and organizations, for Spend in all; goods for Returned came back in it, of purchases of any time.
	Purchases int64  `json:"purchases"`
	Spend     Amount `json:"spend"`
	Returned  Amount `json:"returned"`
	// Units are what became of points, by unit.
	Units map[string]InsightUnit `json:"units"`
	// Liability is the worth of all that members hold at its end, over all units that are worth money.
	Liability Amount `json:"liability"`
	// Redemptions are how often each reward was redeemed in it.
	Redemptions map[string]int64 `json:"redemptions"`
}

// InsightUnit is what became of a unit of points in a period.
type InsightUnit struct {
	// Issued was earned, or came from partners.
	Issued Amount `json:"issued"`
	// Spent went for rewards and at partners, less what was given back.
	Spent   Amount `json:"spent"`
	Expired Amount `json:"expired"`
	// Reversed was taken back with goods that came back.
	Reversed Amount `json:"reversed"`
	// Adjusted was given by hand, less what was taken.
	Adjusted Amount `json:"adjusted"`
	// Other is what came less what went otherwise: closed memberships, transfers that are on the way.
	Other Amount `json:"other"`
	// Outstanding is what all members hold at the end of the period, pending and reserved too, less what they owe; Worth is that in money.
	Outstanding Amount `json:"outstanding"`
	Worth       Amount `json:"worth,omitempty"`
}

// InsightStep is a day or a week of a period.
type InsightStep struct {
	From      string                   `json:"from"`
	To        string                   `json:"to"`
	New       int64                    `json:"new"`
	Purchases int64                    `json:"purchases"`
	Spend     Amount                   `json:"spend"`
	Units     map[string]InsightPoints `json:"units"`
}

// InsightPoints are points of a day or a week.
type InsightPoints struct {
	Issued Amount `json:"issued"`
	Spent  Amount `json:"spent"`
}

// InsightNote is something that needs attention.
type InsightNote struct {
	// Kind is stock_out, stock_low (a tenth or less), pool_empty, pool_low, orders_wait, thanks_wait, webhook_off, import_refused, import_failed or follows_failed.
	Kind string `json:"kind"`
	// Name is the id of what it is about, where it is one thing; Count is how many there are.
	Name  string `json:"name,omitempty"`
	Count int64  `json:"count,omitempty"`
}

type todayIn struct {
	Call
	// Period is 7d, 28d (when left out), 90d, month or year: up to today, in the program's time zone.
	Period string `query:"period"`
}

func (s *Server) today(ctx context.Context, in *todayIn) (*Today, error) {
	var out *Today
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		period, earlier, step, err := insight.Between(in.Period, in.now, v.p.Zone)
		if err != nil {
			return err
		}
		r, err := insight.Read(ctx, tx, v.p, period, earlier, step)
		if err != nil {
			return err
		}
		notes, err := insight.Attention(ctx, tx, v.p, in.now)
		if err != nil {
			return err
		}
		out = &Today{At: v.time(in.now), Period: in.Period, Currency: v.p.Doc.Currency, Now: v.insight(period, &r.Now), Before: v.insight(earlier, &r.Before),
			Steps: []InsightStep{}, Attention: []InsightNote{}}
		if out.Period == "" {
			out.Period = "28d"
		}
		for i := range r.Steps {
			f := &r.Steps[i]
			st := InsightStep{From: day(f.From), To: day(f.Until.AddDate(0, 0, -1)), New: f.New, Purchases: f.Purchases, Spend: v.money(f.Spend), Units: map[string]InsightPoints{}}
			for id, u := range f.Units {
				st.Units[id] = InsightPoints{Issued: v.unit(id, u.Issued), Spent: v.unit(id, u.Spent)}
			}
			out.Steps = append(out.Steps, st)
		}
		for _, n := range notes {
			out.Attention = append(out.Attention, InsightNote{Kind: n.Kind, Name: n.Name, Count: n.Count})
		}
		return nil
	})
}

func day(t time.Time) string { return t.Format(time.DateOnly) }

func (v view) insight(d insight.Days, f *insight.Figures) InsightPeriod {
	out := InsightPeriod{From: day(d.From), To: day(d.Until.AddDate(0, 0, -1)), Members: f.Members, New: f.New, Left: f.Left, Active: f.Active, Share: "0",
		Purchases: f.Purchases, Spend: v.money(f.Spend), Returned: v.money(f.Returned), Units: map[string]InsightUnit{}, Redemptions: f.Redemptions}
	if f.Members > 0 {
		out.Share = Amount(money.Format((f.Active*2000+f.Members)/(2*f.Members), 1))
	}
	var liability int64
	for id, u := range f.Units {
		iu := InsightUnit{Issued: v.unit(id, u.Issued), Spent: v.unit(id, u.Spent), Expired: v.unit(id, u.Expired), Reversed: v.unit(id, u.Reversed),
			Adjusted: v.unit(id, u.Adjusted), Other: v.unit(id, u.Other), Outstanding: v.unit(id, u.Outstanding)}
		if c := v.p.Units[id]; c != nil && c.Worth != nil && !c.StatusOnly {
			num, den := c.Worth.Ratio()
			if worth, ok := worthOf(u.Outstanding, num, den, c.Precision, v.p.Exponent); ok {
				iu.Worth = v.money(worth)
				liability += worth
			}
		}
		out.Units[id] = iu
	}
	out.Liability = v.money(liability)
	return out
}
