package api

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// Challenge is where a member stands in something that there is to reach.
type Challenge struct {
	ID          string `json:"id"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	// Text says in words how far it is, and until when.
	Text string `json:"text"`
	// Running says that it counts now; TakesPart that it does for this member. JoinedAt is since when, where that is asked for.
	Running   bool       `json:"running"`
	TakesPart bool       `json:"takes_part"`
	JoinedAt  *time.Time `json:"joined_at,omitempty"`
	// Unit is money, the id of a unit, or number: what Value, Goal and Missing are of.
	Unit string `json:"unit"`
	// Value counts towards the next prize, Missing is what is missing of Goal.
	Value   Amount `json:"value"`
	Goal    Amount `json:"goal"`
	Missing Amount `json:"missing"`
	// Done says that there is no further prize in this window.
	Done bool `json:"done"`
	// Won is how often it was reached in this window, Times in all; WonAt is the last time.
	Won   int64      `json:"won"`
	Times int64      `json:"times"`
	WonAt *time.Time `json:"won_at,omitempty"`
	// Waiting is how many prizes wait before they may be used.
	Waiting int64 `json:"waiting,omitzero"`
	// Until is when the window or the challenge ends, or by when a streak must be kept up.
	Until *time.Time `json:"until,omitempty"`
	// Found and Left are the things of a set, where the program lists them.
	Found []string `json:"found,omitempty"`
	Left  []string `json:"left,omitempty"`
	// Badge is the badge that the member has of it.
	Badge string `json:"badge,omitempty"`
	// Shown is the name under which the member is in the leaderboard.
	Shown string `json:"shown,omitempty"`
}

// Granted is something that a member may have and did not pay for.
type Granted struct {
	// Grant is its number among the member's.
	Grant int64 `json:"grant"`
	// Reward, with its Title, or Benefit is what it is for.
	Reward  string `json:"reward,omitempty"`
	Benefit string `json:"benefit,omitempty"`
	Title   string `json:"title,omitempty"`
	// Source says whom it came from: challenge:ID, share:ID, hand. By is the member who passed it on, where one did.
	Source string `json:"source"`
	By     string `json:"by,omitempty"`
	// Status is waiting or open.
	Status string `json:"status"`
	// Left is how often it can still be used; not there where there is no end to it.
	Left       *int64     `json:"left,omitempty"`
	GivenAt    time.Time  `json:"given_at"`
	WaitsUntil *time.Time `json:"waits_until,omitempty"`
	EndsAt     *time.Time `json:"ends_at,omitempty"`
}

// ChallengeAsk joins or leaves a challenge, or its leaderboard.
type ChallengeAsk struct {
	FactKey
	// Join takes part from now on, Leave no longer does.
	Join  bool `json:"join,omitempty"`
	Leave bool `json:"leave,omitempty"`
	// Show is the name under which to be in the leaderboard; empty takes the member out of it.
	Show *string `json:"show,omitempty"`
}

// GrantNew gives a reward or a benefit by hand.
type GrantNew struct {
	FactKey
	// Reward or Benefit is its id: exactly one of them.
	Reward  string `json:"reward,omitempty"`
	Benefit string `json:"benefit,omitempty"`
	// Uses is how often it may be used, once when left out.
	Uses int64 `json:"uses,omitzero"`
	// WaitsUntil is from when it may be used, EndsAt its end.
	WaitsUntil *time.Time `json:"waits_until,omitempty"`
	EndsAt     *time.Time `json:"ends_at,omitempty"`
	// Reason is required; it stands in the member's history.
	Reason string `json:"reason"`
}

// Place is a place in a leaderboard.
type Place struct {
	// Rank is the place; who have the same share it.
	Rank int64 `json:"rank"`
	// Name is what the member chose to be called.
	Name   string `json:"name"`
	Member string `json:"member"`
	// Value is what was counted, all of it, prizes or not.
	Value Amount `json:"value"`
}

// OwnPlace is where a member is in a leaderboard.
type OwnPlace struct {
	Challenge string `json:"challenge"`
	// Rank is the place, shared with those who have the same; Of is how many are in the leaderboard.
	Rank int64 `json:"rank"`
	Of   int64 `json:"of"`
	// Name is what the member chose to be called.
	Name string `json:"name"`
	// Value is what was counted, all of it, prizes or not.
	Value Amount `json:"value"`
	// Missing is how much more the next better place has; left out for who is first.
	Missing Amount `json:"missing,omitempty"`
}

// ChallengePath names a challenge.
type ChallengePath struct {
	// Challenge is its id in the program document.
	Challenge string `path:"challenge"`
}

type memberChallengesIn struct {
	Call
	MemberPath
	Spoken
}

func (s *Server) listChallenges(ctx context.Context, in *memberChallengesIn) (*Page[Challenge], error) {
	id, _, err := s.named(ctx, &in.Call, in.Member)
	if err != nil {
		return nil, err
	}
	acc, p, err := s.Recorder.ViewProgress(ctx, in.program(), id, in.now)
	if err != nil {
		return nil, err
	}
	return &Page[Challenge]{Items: in.view(p).challenges(acc, in.now)}, nil
}

func (v view) challenges(acc *engine.Account, now time.Time) []Challenge {
	out := []Challenge{}
	list := engine.ChallengesOf(v.p, acc, now)
	for i := range list {
		g := &list[i]
		h := v.p.Challenges[g.Challenge]
		c := Challenge{
			ID: h.ID, Title: h.Title.In(v.lang), Description: h.Description.In(v.lang), Text: explain.Challenge(g, v.p, v.lang, true), Running: g.Running,
			TakesPart: g.Taking, JoinedAt: v.moment(g.JoinedAt), Unit: "number", Value: v.counted(h, g.Value), Goal: v.counted(h, g.Goal), Missing: v.counted(h, g.Missing),
			Done: g.Done, Won: g.Won, Times: g.Times, WonAt: v.moment(g.WonAt), Waiting: g.Waiting, Until: v.moment(g.Until), Found: g.Found, Left: g.Left, Shown: g.Shown,
		}
		if unit, ok := strings.CutPrefix(h.Metric, "unit:"); ok && h.Shape == program.PlainShape {
			c.Unit = unit
		} else if h.Metric == "spend" && h.Shape == program.PlainShape {
			c.Unit = "money"
		}
		if g.Times > 0 {
			c.Badge = h.Badge.In(v.lang)
		}
		out = append(out, c)
	}
	return out
}

// counted renders what a challenge counts.
func (v view) counted(h *program.CompiledChallenge, n int64) Amount {
	switch a := explain.Counted(h, n); {
	case a.Money != nil:
		return v.money(*a.Money)
	case a.Unit != "":
		return v.unit(a.Unit, a.Amount)
	default:
		return Amount(a.Number)
	}
}

type askChallengeIn struct {
	Call
	MemberPath
	ChallengePath
	Included
	Body ChallengeAsk
}

func (s *Server) askChallenge(ctx context.Context, in *askChallengeIn) (*Answered[Recorded], error) {
	f := in.Body.FactKey.fact(engine.ChallengeK)
	f.Challenge = &engine.ChallengeBody{Challenge: in.Challenge, Join: in.Body.Join, Leave: in.Body.Leave, Show: in.Body.Show}
	return s.recordFact(ctx, &in.Call, in.Include, in.Member, f)
}

type grantsIn struct {
	Call
	MemberPath
	Spoken
}

func (s *Server) listGrants(ctx context.Context, in *grantsIn) (*Page[Granted], error) {
	id, _, err := s.named(ctx, &in.Call, in.Member)
	if err != nil {
		return nil, err
	}
	acc, p, err := s.Recorder.View(ctx, in.program(), id, in.now)
	if err != nil {
		return nil, err
	}
	return &Page[Granted]{Items: in.view(p).grants(acc)}, nil
}

func (v view) grants(acc *engine.Account) []Granted {
	out := []Granted{}
	for i := range acc.State.Grants {
		g := &acc.State.Grants[i]
		one := Granted{
			Grant: g.N, Reward: g.Reward, Benefit: g.Benefit, Source: g.Source, By: map[bool]string{false: g.By}[v.own], Status: g.Status, GivenAt: v.time(g.At), WaitsUntil: v.moment(g.WaitsUntil),
			EndsAt: v.moment(g.EndsAt),
		}
		if r := v.p.Rewards[g.Reward]; r != nil {
			one.Title = r.Title.In(v.lang)
		}
		if g.Uses > 0 {
			left := g.Uses - g.Used
			one.Left = &left
		}
		out = append(out, one)
	}
	return out
}

type giveIn struct {
	Call
	MemberPath
	Included
	Body GrantNew
}

func (s *Server) give(ctx context.Context, in *giveIn) (*Answered[Recorded], error) {
	f := in.Body.FactKey.fact(engine.GrantK)
	f.Grant = &engine.GrantBody{Reward: in.Body.Reward, Benefit: in.Body.Benefit, Uses: in.Body.Uses, WaitsUntil: in.Body.WaitsUntil, EndsAt: in.Body.EndsAt, Reason: in.Body.Reason}
	return s.recordFact(ctx, &in.Call, in.Include, in.Member, f)
}

type takeGrantIn struct {
	Call
	MemberPath
	// Grant is its number among the member's.
	Grant string `path:"grant"`
	Included
	Body Because
}

func (s *Server) takeGrant(ctx context.Context, in *takeGrantIn) (*Answered[Recorded], error) {
	n, err := strconv.ParseInt(in.Grant, 10, 64)
	if err != nil || n <= 0 {
		return nil, web.NotFound("grant")
	}
	f := engine.Fact{Kind: engine.GrantK, Grant: &engine.GrantBody{TakeBack: n, Reason: in.Body.Reason}}
	return s.recordFact(ctx, &in.Call, in.Include, in.Member, f)
}

type placeIn struct {
	Call
	MemberPath
	ChallengePath
	// At is a moment in the window that is meant, for a challenge that counts anew each month and the like; now when left out.
	At *time.Time `query:"at"`
}

func (s *Server) ownPlace(ctx context.Context, in *placeIn) (*OwnPlace, error) {
	id, _, err := s.named(ctx, &in.Call, in.Member)
	if err != nil {
		return nil, err
	}
	acc, p, err := s.Recorder.View(ctx, in.program(), id, in.now)
	if err != nil {
		return nil, err
	}
	v := in.view(p)
	h, err := withBoard(p, in.Challenge)
	if err != nil {
		return nil, err
	}
	at := in.now
	if in.At != nil {
		at = *in.At
	}
	var st books.Standing
	there := false
	err = s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		st, there, err = books.StandingOf(ctx, tx, books.Ref{Program: in.program(), Member: id}, engine.BoardTally(h), h.WindowKey(at, p.Zone))
		return err
	})
	if err != nil {
		return nil, err
	}
	cs := acc.State.Challenges[h.ID]
	if !there || cs == nil {
		return nil, errs.NotFound("not_in_leaderboard", "The member is not in this leaderboard: who asked to be shown, and has counted something, is.")
	}
	out := &OwnPlace{Challenge: h.ID, Rank: st.Above + 1, Of: st.Of, Name: cs.Shown, Value: v.counted(h, st.Value)}
	if st.Above > 0 {
		out.Missing = v.counted(h, st.Next-st.Value)
	}
	return out, nil
}

// withBoard gives a challenge that has a leaderboard.
func withBoard(p *program.Compiled, id string) (*program.CompiledChallenge, error) {
	h := p.Challenges[id]
	switch {
	case h == nil:
		return nil, web.NotFound("challenge")
	case !h.Leaderboard:
		return nil, errs.NotFound("no_leaderboard", "This challenge has no leaderboard.")
	}
	return h, nil
}

type boardIn struct {
	Call
	ChallengePath
	Paging
	// At is a moment in the window that is meant, for a challenge that counts anew each month and the like; now when left out.
	At *time.Time `query:"at"`
}

// boardCursor goes on after a member with a value; Rank and Count are those of that member.
type boardCursor struct {
	Period string `json:"p"`
	Value  int64  `json:"v"`
	Member string `json:"m"`
	Rank   int64  `json:"r"`
	Count  int64  `json:"n"`
}

func (s *Server) leaderboard(ctx context.Context, in *boardIn) (*Page[Place], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	after := boardCursor{Value: math.MaxInt64}
	if err := web.ReadCursor("leaderboard", in.Cursor, &after); err != nil {
		return nil, err
	}
	out := &Page[Place]{Items: []Place{}}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		h, err := withBoard(v.p, in.Challenge)
		if err != nil {
			return err
		}
		if after.Period == "" {
			at := in.now
			if in.At != nil {
				at = *in.At
			}
			after.Period = h.WindowKey(at, v.p.Zone)
		}
		list, err := books.Board(ctx, tx, in.program(), engine.BoardTally(h), h.ID, after.Period, after.Value, after.Member, limit+1)
		if err != nil {
			return err
		}
		more := len(list) > limit
		if more {
			list = list[:limit]
		}
		for _, p := range list {
			after.Count++
			if p.Value != after.Value {
				after.Rank = after.Count
			}
			after.Value, after.Member = p.Value, p.Member
			out.Items = append(out.Items, Place{Rank: after.Rank, Name: p.Shown, Member: p.Member, Value: v.counted(h, p.Value)})
		}
		if more {
			out.Next = web.Cursor("leaderboard", after)
		}
		return nil
	})
}
