package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// Recognition is thanks from one member to another. Who gives spends of an allowance that comes to its end by itself; who is thanked is given
// the same of another unit, by a fact of their own that follows the event (FollowUp). So neither side waits for the other, and what was
// given can be kept by nobody but the one who was thanked.

// What is done with recognition.
const (
	RecognitionGive    = "give"
	RecognitionApprove = "approve" // Fact.Parent is what was given; so for the other two
	RecognitionDecline = "decline"
	RecognitionUndo    = "undo"
)

// RecognitionBody is a thank-you of the fact's member, or a later step of it.
type RecognitionBody struct {
	// Do is one of the words above.
	Do string `json:"do"`
	// To is the member who is thanked.
	To     string         `json:"to,omitempty"`
	Amount *money.Decimal `json:"amount,omitempty"`
	// Value is what it is for: the id of one of the program's values.
	Value   string `json:"value,omitempty"`
	Message string `json:"message,omitempty"`
	// Reason is why it is declined.
	Reason string `json:"reason,omitempty"`
	// Refused is why it cannot be given, as the flow saw it; one of the Refused words.
	Refused string `json:"refused,omitempty"`
	// Was are the ids that who is thanked had before merges: thanks between the two counted by them.
	Was []string `json:"was,omitempty"`
}

// RefusedBlocked is why thanks are refused, besides RefusedSelf, RefusedPerson, RefusedGone and RefusedHousehold: who would be thanked is blocked.
const RefusedBlocked = "blocked"

// WaitingThanks are thanks that wait for approval, with the allowance that is reserved for them.
type WaitingThanks struct {
	// ID is the fact that gave them.
	ID    string    `json:"id"`
	To    string    `json:"to"`
	Value string    `json:"value,omitempty"`
	At    time.Time `json:"at"`
	// Until is when they are let go.
	Until time.Time `json:"until"`
	Lots  []HeldLot `json:"lots"`
	// Counters are the limits they used, given back when they are let go.
	Counters []Counter `json:"counters,omitempty"`
}

func (t *WaitingThanks) sum() (unit string, n int64) {
	for _, l := range t.Lots {
		unit = l.Unit
		n += l.Amount
	}
	return unit, n
}

// recognitionTally begins the names of the counters of recognition.
const recognitionTally = program.RecognitionRule + ":"

// fromTally names the counter of what a member was given by another one's thanks, for the time that the two prove to be one person. Its
// periods are units.
func fromTally(giver string) string { return recognitionTally + "from:" + giver }

// betweenTally names the counter of thanks between two, whoever of them gave. It is the program's: so it is taken, and waited for, by who gives, and two who
// thank each other in the same moment come one after the other.
func betweenTally(a, b string) string {
	return ProgramTally + recognitionTally + "between:" + min(a, b) + "|" + max(a, b)
}

// betweenTallies names the counters of thanks between somebody, with the ids they had before merges, and whom they thank; that of the two as they are now is
// the first.
func betweenTallies(st *State, member string, b *RecognitionBody) []string {
	var out []string
	for _, mine := range append([]string{member}, st.Was...) {
		for _, theirs := range append([]string{b.To}, b.Was...) {
			out = append(out, betweenTally(mine, theirs))
		}
	}
	return out
}

// recognitionTallies are what must be known before somebody gives thanks.
func recognitionTallies(p *program.Compiled, st *State, f Fact) []TallyRange {
	r, b := p.Recognition, f.Recognition
	if r == nil || b == nil || b.Do != RecognitionGive {
		return nil
	}
	out := limitTallies(p, st, r.Limits, f.AskedAt())
	if r.Between != nil && f.Member != "" { // before that it is not known yet whom this is about
		period := program.PeriodKey(r.Between.Per, f.AskedAt(), p.Zone)
		for _, name := range betweenTallies(st, f.Member, b) {
			out = append(out, TallyRange{name, period, period})
		}
	}
	return out
}

// thankedTallies are what must be known before thanks arrive, or are taken back.
func thankedTallies(p *program.Compiled, st *State, f Fact) []TallyRange {
	if f.Thanks.Step != ThanksUndone {
		return challengeTallies(p, st, program.RecognitionTrigger, f.OccurredAt)
	}
	var out []TallyRange
	for _, h := range p.ChallengesOn[program.RecognitionTrigger] { // the window they counted in is known only when they are loaded
		out = append(out, challengeRanges(st, h, "")...)
	}
	return out
}

func (w *work) doRecognition() error {
	switch b := w.f.Recognition; b.Do {
	case RecognitionGive:
		return w.giveThanks(b)
	case RecognitionApprove, RecognitionDecline:
		return w.settleThanks(b)
	case RecognitionUndo:
		return w.undoThanks()
	}
	return errs.Invalid("invalid_recognition", "Recognition has no such step.", errs.Field{Pointer: "/do", Reason: "unknown_step", Message: "must be give, approve, decline or undo"})
}

// checkThanks looks at what is said, all mistakes at once, and reads the amount.
func (w *work) checkThanks(r *program.CompiledRecognition, b *RecognitionBody) (int64, error) {
	var fields []errs.Field
	fail := func(pointer, reason, message string) {
		fields = append(fields, errs.Field{Pointer: pointer, Reason: reason, Message: message})
	}
	ids := make([]string, len(r.Values))
	for i := range r.Values {
		ids[i] = r.Values[i].ID
	}
	switch {
	case b.Value == "" && len(ids) > 0:
		fail("/value", "required", "say what it is for: "+strings.Join(ids, ", "))
	case b.Value != "" && !slices.Contains(ids, b.Value):
		fail("/value", "unknown_value", "the program's values are "+strings.Join(ids, ", "))
	}
	switch {
	case r.Message == "required" && strings.TrimSpace(b.Message) == "":
		fail("/message", "required", "say a few words: whoever is thanked can read them")
	case len(b.Message) > 1000:
		fail("/message", "too_long", "is longer than 1,000 characters")
	}
	if b.To == w.f.Member || b.Refused == RefusedSelf {
		fail("/to", "same_member", "nobody thanks themselves")
	}
	var n int64
	precision := w.p.Units[r.Gives].Precision
	if b.Amount == nil {
		fail("/amount", "required", "say how many")
	} else {
		var err error
		switch n, err = b.Amount.Minor(precision); {
		case err != nil || n <= 0 || n > maxHolding:
			fail("/amount", "not_an_amount", "must be more than 0 and have at most "+strconv.Itoa(precision)+" decimals")
		case r.Min >= 0 && n < r.Min:
			fail("/amount", "out_of_range", "must be at least "+w.amount(r.Gives, r.Min))
		case r.Max >= 0 && n > r.Max:
			fail("/amount", "out_of_range", "must be at most "+w.amount(r.Gives, r.Max))
		}
	}
	if len(fields) > 0 {
		return 0, errs.Invalid("invalid_recognition", "These thanks have mistakes.", fields...)
	}
	return n, nil
}

// refusedTo says why a member cannot be given what another one gives them.
var refusedTo = map[string]string{
	RefusedSelf:      "nobody gives it to themselves",
	RefusedPerson:    "the two memberships look like the same person's",
	RefusedKnown:     "it is for those who are new",
	RefusedTaken:     "the member had the same from a friend before",
	RefusedGone:      "that member has left",
	RefusedBlocked:   "that member is blocked",
	RefusedHousehold: "both are of one household",
}

func (w *work) giveThanks(b *RecognitionBody) error {
	if err := w.mayAct(); err != nil {
		return err
	}
	r := w.p.Recognition
	if r == nil {
		return errs.Forbidden("recognition_off", "The program does not let members thank each other.")
	}
	n, err := w.checkThanks(r, b)
	if err != nil {
		return err
	}
	if why := refusedTo[b.Refused]; why != "" {
		return errs.Forbidden("recognition_refused", "These thanks cannot be given: "+why+".").With("why", b.Refused)
	}
	counters, err := w.recognitionLimits(r, b, n)
	if err != nil {
		return err
	}
	if have := w.spendable(r.Gives); have < n {
		return errs.Insufficient("balance_too_low", "There is too little left to give.").With("unit", r.Gives).
			With("balance", w.amount(r.Gives, have)).With("missing", w.amount(r.Gives, n-have))
	}
	for _, c := range counters {
		w.tally(c.Name, c.Period, c.Add)
	}
	w.touch(r.Gives)
	args := Args{"amount": Units(r.Gives, n)}
	if b.Value != "" {
		args["text"] = text(b.Value)
	}
	if r.From < 0 || n < r.From {
		w.take(r.Gives, n, ledger.Redeemed, program.RecognitionRule)
		w.note(NoteThanksGiven, args)
		w.tellThanks(EvRecognized, w.f.ID, b.To, r.Gives, b.Value, n)
		return nil
	}
	held, _ := w.take(r.Gives, n, ledger.Reserved, program.RecognitionRule)
	t := WaitingThanks{ID: w.f.ID, To: b.To, Value: b.Value, At: w.at, Until: r.Approval.Within.After(w.at, w.p.Zone), Lots: held, Counters: counters}
	w.st.Thanks = append(w.st.Thanks, t)
	args["time"] = Time(t.Until)
	w.note(NoteThanksWait, args)
	w.tellThanks(EvRecognitionWaits, w.f.ID, b.To, r.Gives, b.Value, n, "until", w.stamp(t.Until))
	return nil
}

// recognitionLimits sees that what is given keeps to the limits, and gives what it counts.
func (w *work) recognitionLimits(r *program.CompiledRecognition, b *RecognitionBody, n int64) ([]Counter, error) {
	var out []Counter
	asked := w.f.AskedAt()
	sc := newScene(w.p, w.st, asked)
	for _, l := range r.Limits {
		period, name := program.PeriodKey(l.Per, asked, sc.zone(l.Zone)), limitName(l)
		if l.Times >= 0 && w.acc.Tallies[name+"/times"][period]+1 > l.Times || l.Amount >= 0 && w.acc.Tallies[name+"/amount"][period]+n > l.Amount {
			return nil, errs.Conflict("limit_reached", "The limit for thanking others is reached for this "+l.Per+".").With("per", l.Per)
		}
		if l.Times >= 0 {
			out = append(out, Counter{name + "/times", period, 1})
		}
		if l.Amount >= 0 {
			out = append(out, Counter{name + "/amount", period, n})
		}
	}
	if r.Between != nil {
		period, names := program.PeriodKey(r.Between.Per, asked, w.p.Zone), betweenTallies(w.st, w.f.Member, b)
		var n int64
		for _, name := range names {
			n += w.acc.Tallies[name][period]
		}
		if n+1 > r.Between.Times {
			return nil, errs.Conflict("between_limit_reached", "These two have thanked each other as often as they may for this "+r.Between.Per+".").With("per", r.Between.Per)
		}
		out = append(out, Counter{names[0], period, 1})
	}
	return out, nil
}

// tellThanks tells of thanks. What arrives is said in the unit it becomes, since that is what follows from it.
func (w *work) tellThanks(event, id, to, unit, value string, n int64, more ...string) {
	data := map[string]string{"recognition": id, "to": to, "unit": unit, "amount": w.amount(unit, n)}
	if value != "" {
		data["value"] = value
	}
	if r := w.p.Recognition; event == EvRecognized && r != nil {
		data["becomes"] = r.Becomes
	}
	for i := 0; i+1 < len(more); i += 2 {
		data[more[i]] = more[i+1]
	}
	w.event(event, data)
}

// thanksGone says what became of thanks that do not wait.
func (w *work) thanksGone() error {
	past := w.in.Past
	if past == nil || past.Fact.Recognition == nil || past.Fact.Recognition.Do != RecognitionGive {
		return errs.NotFound("recognition_not_found", "There are no such thanks.")
	}
	return errs.Conflict("recognition_settled", "These thanks do not wait: they are "+StandingOfThanks(past)+".").With("status", StandingOfThanks(past))
}

// settleThanks approves or declines thanks that wait.
func (w *work) settleThanks(b *RecognitionBody) error {
	i := slices.IndexFunc(w.st.Thanks, func(t WaitingThanks) bool { return t.ID == w.f.Parent })
	if i < 0 {
		return w.thanksGone()
	}
	if len(b.Reason) > 1000 {
		return errs.Invalid("invalid_recognition", "The reason cannot be used.", errs.Field{Pointer: "/reason", Reason: "too_long", Message: "is longer than 1,000 characters"})
	}
	if b.Do == RecognitionDecline {
		w.dropThanks(i, NoteThanksDeclined, "declined")
		return nil
	}
	t := w.st.Thanks[i]
	w.st.Thanks = slices.Delete(w.st.Thanks, i, i+1)
	for _, l := range t.Lots {
		w.post(ledger.Posting{Unit: l.Unit, Lot: l.Lot, From: ledger.Reserved, To: ledger.Redeemed, Amount: l.Amount, Rule: program.RecognitionRule, Of: t.ID})
	}
	unit, n := t.sum()
	w.note(NoteThanksApproved, thanksArgs(&t))
	w.tellThanks(EvRecognized, t.ID, t.To, unit, t.Value, n)
	return nil
}

func thanksArgs(t *WaitingThanks) Args {
	unit, n := t.sum()
	args := Args{"amount": Units(unit, n)}
	if t.Value != "" {
		args["text"] = text(t.Value)
	}
	return args
}

// dropThanks lets thanks that wait go: the allowance goes back to the lots it came from, with their old ends, so that what is past them is
// gone with them.
func (w *work) dropThanks(i int, note, reason string) {
	t := w.st.Thanks[i]
	w.st.Thanks = slices.Delete(w.st.Thanks, i, i+1)
	for _, l := range t.Lots {
		w.post(ledger.Posting{Unit: l.Unit, Lot: l.Lot, From: ledger.Reserved, To: ledger.Spendable, Amount: l.Amount, Rule: program.RecognitionRule, Of: t.ID})
	}
	for _, c := range t.Counters {
		w.tally(c.Name, c.Period, -c.Add)
	}
	unit, n := t.sum()
	w.note(note, thanksArgs(&t))
	w.tellThanks(EvRecognitionDeclined, t.ID, t.To, unit, t.Value, n, "reason", reason)
	for _, l := range t.Lots {
		w.payDebt(w.lots[l.Lot])
	}
}

// dropAllThanks lets all go that wait, of a member who goes.
func (w *work) dropAllThanks(reason string) {
	for len(w.st.Thanks) > 0 {
		w.dropThanks(0, NoteThanksDeclined, reason)
	}
}

// dueThanks lets go what nobody approved in time.
func (w *work) dueThanks() {
	for i := 0; i < len(w.st.Thanks); {
		if w.st.Thanks[i].Until.After(w.at) {
			i++
			continue
		}
		w.dropThanks(i, NoteThanksLapsed, "lapsed")
	}
}

// undoThanks takes thanks back while there is time: those that wait at any time, those that were given within the program's window.
func (w *work) undoThanks() error {
	if err := w.mayAct(); err != nil {
		return err
	}
	past := w.in.Past
	if i := slices.IndexFunc(w.st.Thanks, func(t WaitingThanks) bool { return t.ID == w.f.Parent }); i >= 0 {
		w.dropThanks(i, NoteThanksUndone, "undone")
		return nil
	}
	if past == nil || past.Fact.Recognition == nil || past.Fact.Recognition.Do != RecognitionGive || StandingOfThanks(past) != ThanksStandGiven {
		return w.thanksGone()
	}
	r := w.p.Recognition
	if r == nil || r.Undo == nil {
		return errs.Conflict("undo_off", "The program does not let members take thanks back.")
	}
	given := *past
	for _, c := range past.Children {
		if b := c.Fact.Recognition; b != nil && b.Do == RecognitionApprove {
			given = c
		}
	}
	if until := r.Undo.After(given.Fact.OccurredAt, w.p.Zone); w.at.After(until) {
		return errs.Conflict("undo_too_late", "Thanks can be taken back for "+r.Undo.String()+".").With("until", w.stamp(until))
	}
	var unit string
	var n int64
	for _, p := range given.Decision.Postings {
		if p.To == ledger.Redeemed {
			unit = p.Unit
			n += p.Amount
			w.putBack(p, ledger.Redeemed, &given)
		}
	}
	for _, l := range w.fresh {
		w.payDebt(l)
	}
	w.uncountThanks(past)
	b := past.Fact.Recognition
	args := Args{"amount": Units(unit, n)}
	if b.Value != "" {
		args["text"] = text(b.Value)
	}
	w.note(NoteThanksUndone, args)
	w.tellThanks(EvRecognitionUndone, past.Fact.ID, b.To, unit, b.Value, n)
	return nil
}

// What thanks can be.
const (
	ThanksStandWaiting  = "waiting"
	ThanksStandGiven    = "given"
	ThanksStandDeclined = "declined"
	ThanksStandLapsed   = "lapsed"
	ThanksStandUndone   = "undone"
)

// StandingOfThanks says what became of a fact that gave thanks, by the facts about it. Those that lapsed, or were let go when their giver
// went, have no such fact: whether they still wait is in the giver's state.
func StandingOfThanks(past *Past) string {
	out := ThanksStandGiven
	for _, e := range past.Decision.Events {
		if e.Type == EvRecognitionWaits {
			out = ThanksStandWaiting
		}
	}
	for _, c := range past.Children {
		switch b := c.Fact.Recognition; {
		case b == nil:
		case b.Do == RecognitionApprove:
			out = ThanksStandGiven
		case b.Do == RecognitionDecline:
			out = ThanksStandDeclined
		case b.Do == RecognitionUndo:
			out = ThanksStandUndone
		}
	}
	if out == ThanksStandWaiting {
		out = ThanksStandLapsed
	}
	return out
}

// thanked gives a member what another thanked them with, or takes it back.
func (w *work) thanked(b *Thanks) error {
	if b.Step == ThanksUndone {
		return w.unthanked()
	}
	r := w.p.Recognition
	u := w.p.Units[b.Unit]
	if r == nil || u == nil || b.Amount == nil {
		w.note(NoteNothing, nil)
		return nil
	}
	n, err := b.Amount.Minor(u.Precision)
	if err != nil || n <= 0 || n > maxHolding {
		return errs.Invalid("not_an_amount", "The amount cannot be used.", errs.Field{Pointer: "/amount", Reason: "not_an_amount", Message: "must be more than 0"})
	}
	args := Args{"amount": Units(b.Unit, n)}
	if b.Value != "" {
		args["text"] = text(b.Value)
	}
	w.note(NoteThanked, args)
	if w.isMe(b.From) { // the two were merged meanwhile
		w.note(NoteNothing, nil)
		return nil
	}
	w.tally(fromTally(b.From), b.Unit, n)
	done := []*candidate{{r: r.Rule, unit: b.Unit, total: n}}
	w.award(done)
	w.settleTiers(false)
	s := newScene(w.p, w.st, w.at)
	s.tier = w.tiersAt(w.at, true)
	return w.counts(program.RecognitionTrigger, s, done, 0)
}

// unthanked takes back what thanks gave and counted.
func (w *work) unthanked() error {
	past := w.in.Past
	if past == nil {
		return errs.NotFound("fact_not_found", "There is no such fact.")
	}
	if t := past.Fact.Thanks; t != nil && w.isMe(t.From) { // it went when the two were merged
		w.note(NoteNothing, nil)
		return nil
	}
	if err := w.takeThanks(past, program.RecognitionRule, w.thanksPolicy()); err != nil {
		return err
	}
	for i := range past.Decision.Counts {
		c := &past.Decision.Counts[i]
		h := w.p.Challenges[c.Challenge]
		if h == nil || h.Tally != c.Tally || h.Returns.Counted == "keep" || w.st.Status == Closed {
			continue
		}
		if h.Shape == program.PlainShape {
			w.board(h, c.Period, -c.Amount)
			if err := w.takeCount(h, c.Period, c.Amount); err != nil {
				return err
			}
			continue
		}
		w.addCount(h, &Count{Period: c.Period, Amount: c.Amount, Keys: c.Keys}, -1)
		if err := w.breakDue(h, w.windowOf(h, c)); err != nil {
			return err
		}
	}
	w.uncountThanks(past)
	w.note(NoteThanksTaken, nil)
	return nil
}

// isMe says whether an id is this member's, or was that of a membership that was merged into this one.
func (w *work) isMe(id string) bool { return id == w.f.Member || slices.Contains(w.st.Was, id) }

// mergedThanks are what must be known of thanks before two memberships become one.
func mergedThanks(p *program.Compiled, st *State, f *Fact) []TallyRange {
	if p.Recognition == nil || f.Kind != MergeIn || f.Merge == nil || f.Merge.Carried == nil {
		return nil
	}
	var out []TallyRange
	for _, id := range slices.Concat([]string{f.Member, f.Merge.Other}, st.Was, f.Merge.Carried.Was) {
		out = append(out, TallyRange{fromTally(id), "", allTallies})
	}
	return out
}

// inheritThanks takes what two memberships thanked each other with when they prove to be one person's: nobody thanks themselves.
func (w *work) inheritThanks(c *Carried, other string) {
	if w.p.Recognition == nil {
		return
	}
	mine, theirs := append([]string{w.f.Member}, w.st.Was...), append([]string{other}, c.Was...)
	w.st.Was = append(w.st.Was, theirs...)
	sums := map[string]int64{}
	for _, id := range theirs {
		for unit, n := range w.acc.Tallies[fromTally(id)] {
			sums[unit] += n
		}
	}
	for _, id := range mine {
		for unit, n := range c.Tallies[fromTally(id)] {
			sums[unit] += n
		}
	}
	for _, id := range slices.Concat(mine, theirs) { // those of both are together here now, and settled
		for _, unit := range sortedUnits(w.acc.Tallies[fromTally(id)]) {
			w.tally(fromTally(id), unit, -w.acc.Tallies[fromTally(id)][unit])
		}
	}
	for _, unit := range sortedUnits(sums) {
		n := sums[unit]
		if n <= 0 || w.p.Units[unit] == nil {
			continue
		}
		_, missing := w.take(unit, n, ledger.Reversed, program.RecognitionRule)
		if w.thanksPolicy() != "clamp" {
			w.owe(unit, missing, ledger.Reversed, program.RecognitionRule)
		}
		w.countUnit(unit, -n, w.at)
		w.note(NoteThanksTaken, nil)
	}
}

// uncountThanks gives back the limits that a fact used.
func (w *work) uncountThanks(past *Past) {
	for _, c := range past.Decision.Counters {
		if strings.HasPrefix(strings.TrimPrefix(c.Name, ProgramTally), recognitionTally) {
			w.tally(c.Name, c.Period, -c.Add)
		}
	}
}

// thanksPolicy is what becomes of that which was spent already of what another one's doing takes back: there is nobody to refuse it to.
func (w *work) thanksPolicy() string {
	if p := w.p.Doc.Returns.IfSpent; p != "refuse" {
		return p
	}
	return "debt"
}

// CheckReserved says what is wrong with what is reserved of a member's points: all of it is for a reservation or for thanks that wait; "" for
// nothing.
func CheckReserved(st *State) string {
	want := map[string]int64{}
	for i := range st.Holds {
		for _, l := range st.Holds[i].Lots {
			want[l.Unit] += l.Amount
		}
	}
	for i := range st.Thanks {
		for _, l := range st.Thanks[i].Lots {
			want[l.Unit] += l.Amount
		}
	}
	for unit, h := range st.Units {
		if h.Reserved != want[unit] {
			return fmt.Sprintf("%d of %s are reserved, and the reservations and thanks that wait come to %d", h.Reserved, unit, want[unit])
		}
	}
	return ""
}

// thanksDue is the next moment at which thanks that wait are let go; nil for none.
func (s *State) thanksDue() (due *time.Time) {
	for i := range s.Thanks {
		due = earliest(due, &s.Thanks[i].Until)
	}
	return due
}
