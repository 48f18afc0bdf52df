package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/program"
)

// The till: what staff do with a phone or tablet beside the register. What is recorded here, by a form of a page or out of the queue that a device
// keeps while it has no connection (till_queue.go), takes one road: see record.

// shopCookie keeps what the shop is called in which a device stands. The script of the page reads it too.
const shopCookie = "lojal_till"

// shop is what the shop is called; empty before somebody has said it.
func (v *visit) shop() string {
	c, err := v.r.Cookie(shopCookie)
	if err != nil {
		return ""
	}
	s, err := url.QueryUnescape(c.Value)
	if err != nil || len(s) > 60 {
		return ""
	}
	return s
}

// tillSource is the first half of the natural key of what a shop records: its receipts count once.
func tillSource(shop string) string { return cmp.Or(strings.TrimSpace(shop), "till") }

// recorded is what came, or would come, of something that was recorded.
type recorded struct {
	told
	Duplicate   bool
	Why         []string
	Off         string
	Codes       []struct{ Title, Amount string }
	Balances    map[string]balance
	Redemptions []handed
}

// handed is what a redemption gives, as it is told once.
type handed struct {
	ID, Title, Worth, Link string
	Voucher, Code          *struct{ Code, Tail string }
}

// secret is the code to hand over; empty where there is none, or where it was shown before.
func (h handed) secret() string {
	for _, c := range []*struct{ Code, Tail string }{h.Voucher, h.Code} {
		if c != nil && c.Code != "" {
			return c.Code
		}
	}
	return ""
}

// hidden says that there is a code, and that it was shown before.
func (h handed) hidden() bool { return h.secret() == "" && (h.Voucher != nil || h.Code != nil) }

type tillReward struct {
	ID, Title, Description, Gives string
	Choice                        []string
	For                           *struct {
		Available      bool
		Reason         string
		Why            []string
		Price, Missing map[string]string
		Worth, Money   string
		Option         int64
	} `json:"for_member"`
}

type tillBenefit struct {
	benefit
	Left *int64
}

// card is a challenge as a punch card.
type card struct {
	challenge
	Running   bool
	TakesPart bool `json:"takes_part"`
	Unit      string
	Waiting   int64
}

// stamps are how many there are, and how many of them are filled; none where it is no card of a few stamps.
func (c card) stamps() (of, filled int) {
	if c.Unit != "number" {
		return 0, 0
	}
	goal, err := decimal(c.Goal).Minor(0)
	if err != nil || goal < 2 || goal > 20 {
		return 0, 0
	}
	have, err := decimal(c.Value).Minor(0)
	if err != nil {
		return 0, 0
	}
	return int(goal), int(min(have, goal))
}

// atTill is a member with what a till shows.
type atTill struct {
	member
	units    []string
	balances map[string]balance
	tiers    map[string]standing
	rewards  []tillReward
	benefits []tillBenefit
	cards    []card
	// given is what was just recorded, would what a purchase would give.
	given, would *recorded
	// f is the form of a purchase, code that of a receipt's code.
	f, code *page.Form
}

func (v *visit) atTill(ref string) (m atTill, err error) {
	ctx := v.r.Context()
	m.f, m.code = page.NewForm(), page.NewForm()
	if err := v.api.Get(ctx, page.Path("members", ref), nil, &m.member); err != nil {
		return m, err
	}
	if m.MergedInto != "" || m.Status == "closed" {
		return m, nil
	}
	var balances struct{ Balances map[string]balance }
	var tiers struct{ Tiers map[string]standing }
	var rewards struct{ Items []tillReward }
	var benefits struct{ Items []tillBenefit }
	var cards struct{ Items []card }
	for _, ask := range []struct {
		path  string
		query url.Values
		out   any
	}{
		{page.Path("members", m.ID, "balances"), nil, &balances}, {page.Path("members", m.ID, "tiers"), nil, &tiers},
		{page.Path("rewards"), url.Values{"member": {m.ID}, "audience": {"staff"}}, &rewards},
		{page.Path("members", m.ID, "benefits"), url.Values{"audience": {"staff"}}, &benefits},
		{page.Path("members", m.ID, "challenges"), url.Values{"audience": {"staff"}}, &cards},
	} {
		if err := v.api.Get(ctx, ask.path, ask.query, ask.out); err != nil {
			return m, err
		}
	}
	m.balances, m.tiers, m.rewards, m.benefits = balances.Balances, tiers.Tiers, rewards.Items, benefits.Items
	m.units = slices.Sorted(maps.Keys(m.balances))
	for _, c := range cards.Items {
		if c.Running && c.TakesPart {
			m.cards = append(m.cards, c)
		}
	}
	slices.SortStableFunc(m.rewards, func(a, b tillReward) int {
		return boolOrder(b.For != nil && b.For.Available, a.For != nil && a.For.Available)
	})
	return m, nil
}

// can are the rewards that the member may have now, cannot the others.
func (m atTill) can() []tillReward {
	return slices.DeleteFunc(slices.Clone(m.rewards), func(r tillReward) bool { return r.For == nil || !r.For.Available })
}

func (m atTill) cannot() []tillReward {
	return slices.DeleteFunc(slices.Clone(m.rewards), func(r tillReward) bool { return r.For == nil || r.For.Available })
}

// price writes what a reward takes.
func (v *visit) price(r tillReward) string {
	var out []string
	if r.For != nil {
		for _, u := range slices.Sorted(maps.Keys(r.For.Price)) {
			if !zero(r.For.Price[u]) {
				out = append(out, v.amount(u, r.For.Price[u]))
			}
		}
		if !zero(r.For.Money) {
			out = append(out, v.money(r.For.Money))
		}
	}
	if len(out) == 0 {
		return v.T("till.free")
	}
	return strings.Join(out, " + ")
}

// till is the first page: find somebody, or do what needs nobody.
func (c *Console) till(v *visit) error {
	v.atATill()
	q := strings.TrimSpace(v.r.URL.Query().Get("q"))
	if q == "" {
		return v.show(tillPage(v, q, nil))
	}
	m, err := v.named(q)
	if err == nil {
		return v.to("/console/till/members/" + url.PathEscape(m.ID))
	}
	if code := errs.CodeOf(err); code != errs.CodeNotFound && code != errs.CodeMalformed && code != errs.CodeInvalid {
		return err
	}
	var list memberPage
	if err := v.api.Get(v.r.Context(), page.Path("members"), url.Values{"limit": {"10"}, "q": {q}}, &list); err != nil {
		return err
	}
	if len(list.Items) == 1 {
		return v.to("/console/till/members/" + url.PathEscape(list.Items[0].ID))
	}
	return v.show(tillPage(v, q, list.Items))
}

// place says what the shop is called.
func (c *Console) place(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	shop := strings.TrimSpace(f.Get("shop"))
	if len(shop) > 60 {
		return errs.Invalid("too_long", v.T("till.shop.long"))
	}
	//nolint:gosec // the page's own script reads it, and it opens nothing; Secure wherever people come by https
	http.SetCookie(v.w, &http.Cookie{Name: shopCookie, Value: url.QueryEscape(shop), Path: "/console/till", MaxAge: 400 * 24 * 3600, Secure: v.c.secure, SameSite: http.SameSiteLaxMode})
	return v.said("/console/till", "till_shop")
}

func (c *Console) tillMember(v *visit) error {
	v.atATill()
	m, err := v.atTill(v.r.PathValue("member"))
	if err != nil {
		return err
	}
	if id := v.r.URL.Query().Get("fact"); id != "" {
		var o recorded
		if err := v.api.Get(v.r.Context(), page.Path("facts", id), url.Values{"include": {"explanation"}}, &o); err != nil {
			return err
		}
		if o.Member == m.ID {
			m.given = &o
		}
	}
	return v.show(tillMemberPage(v, m))
}

// kept is what was recorded: which fact, of whom, and what came of it in a sentence.
type kept struct {
	Fact, Member, Text string
	Duplicate          bool
}

// page is where to go on after it.
func (k kept) page(said string) string {
	to := "/console/till/members/" + url.PathEscape(k.Member) + "?said=" + said
	if k.Fact != "" {
		to += "&fact=" + url.QueryEscape(k.Fact)
	}
	return to
}

// errWrong says that the form has mistakes, which stand in it.
var errWrong = errs.Invalid("form", "Mend what is marked.")

// record records what a till was told, once under the key: a purchase, an enrolment or a stamp. at is when it happened, now when zero.
func (v *visit) record(kind, key string, at time.Time, f *page.Form) (kept, error) {
	switch kind {
	case "purchase":
		return v.recordPurchase(key, at, f)
	case "enrolment":
		return v.recordEnrolment(key, at, f)
	case "stamp":
		return v.recordStamp(key, at, f)
	}
	return kept{}, errs.Malformed("kind", v.T("form_unreadable"))
}

// whose puts the member into a body: by id, or by what somebody typed or scanned.
func (v *visit) whose(f *page.Form, body map[string]any) (member, error) {
	ref := strings.TrimSpace(f.Get("member"))
	m := member{ID: ref}
	if !strings.HasPrefix(ref, "mem_") {
		var err error
		if m, err = v.named(ref); err != nil {
			if code := errs.CodeOf(err); code != errs.CodeNotFound && code != errs.CodeMalformed && code != errs.CodeInvalid {
				return m, err
			}
			f.Wrong["member"] = v.T("till.nobody", ref)
			f.All = f.Wrong["member"]
			return m, errWrong
		}
	}
	body["member"] = m.ID
	return m, nil
}

// natural puts the natural key and the time into a body.
func natural(f *page.Form, body map[string]any, key string, at time.Time) {
	shop := strings.TrimSpace(f.Get("store"))
	body["source"] = tillSource(shop)
	body["external_id"] = cmp.Or(strings.TrimSpace(f.Get("receipt")), receiptOf(key))
	if shop != "" {
		body["store"] = shop
	}
	if !at.IsZero() {
		body["occurred_at"] = at.Format(time.RFC3339)
	}
}

// receiptOf is the receipt number of what has none, made of the key of its form.
func receiptOf(key string) string { return "M-" + key[:min(len(key), 10)] }

// bought puts into a body what was bought: an amount, and parts of it by sku or category.
func (v *visit) bought(f *page.Form, body map[string]any) {
	v.typed(f, "amount")
	body["amount"] = strings.TrimSpace(f.Get("amount"))
	if body["amount"] == "" {
		f.Wrong["amount"] = v.T("till.amount.missing")
	}
	var lines []any
	exponent := 0
	if v.p != nil {
		exponent = v.p.Exponent
	}
	rest, err := decimal(f.Get("amount")).Minor(exponent)
	for i := 1; i <= mostParts; i++ {
		n := strconv.Itoa(i)
		if strings.TrimSpace(f.Get("part"+n)) == "" {
			continue
		}
		v.typed(f, "part"+n)
		line := map[string]any{"amount": f.Get("part" + n)}
		for field, name := range map[string]string{"sku": "sku" + n, "category": "category" + n, "quantity": "pieces" + n} {
			if s := strings.TrimSpace(f.Get(name)); s != "" {
				line[field] = s
			}
		}
		part, perr := money.Parse(f.Get("part" + n))
		minor, merr := part.Minor(exponent)
		if perr != nil || merr != nil || part.Sign() < 0 {
			f.Wrong["part"+n] = v.T("till.part.wrong")
			continue
		}
		rest -= minor
		lines = append(lines, line)
	}
	if len(lines) > 0 && err == nil {
		switch {
		case rest < 0:
			f.Wrong["amount"] = v.T("till.parts.more")
		case rest > 0:
			lines = append(lines, map[string]any{"amount": money.Format(rest, exponent)})
		}
		delete(body, "amount")
		body["lines"] = lines
	}
}

// mostParts is how many parts of a purchase a form takes.
const mostParts = 4

// brought puts codes and benefits into a body that are used with the purchase.
func brought(f *page.Form, body map[string]any) {
	var codes []any
	for _, s := range strings.FieldsFunc(f.Get("codes"), func(r rune) bool { return r == ',' || r == ';' || r == '\n' }) {
		if s = strings.TrimSpace(s); s != "" {
			codes = append(codes, map[string]string{"code": s})
		}
	}
	for _, b := range f.Values["benefit"] {
		codes = append(codes, map[string]string{"benefit": b})
	}
	if codes != nil {
		body["codes"] = codes
	}
}

// purchaseBody is a purchase as the API takes it.
func (v *visit) purchaseBody(key string, at time.Time, f *page.Form) (map[string]any, member, error) {
	body := map[string]any{}
	natural(f, body, key, at)
	v.bought(f, body)
	brought(f, body)
	if len(f.Wrong) > 0 {
		return nil, member{}, errWrong
	}
	m, err := v.whose(f, body)
	return body, m, err
}

func (v *visit) recordPurchase(key string, at time.Time, f *page.Form) (kept, error) {
	body, m, err := v.purchaseBody(key, at, f)
	if err != nil {
		return kept{}, err
	}
	k, err := v.send(page.Path("purchases"), key, body, m)
	if errs.Is(err, errs.CodeConflict, "duplicate_external_id") {
		return v.same(body, m, f, err)
	}
	return k, err
}

// same says of a receipt that is there already whether it is this very purchase, told again at another time: then it counts once, as it did.
func (v *visit) same(body map[string]any, m member, f *page.Form, refused error) (kept, error) {
	source, number := body["source"].(string), body["external_id"].(string) //nolint:forcetypeassert // natural put them there
	r, found, err := v.findReceipt(source + ":" + number)
	if err != nil {
		return kept{}, err
	}
	total, ok := v.total(r.told)
	if typed, err := money.Parse(f.Get("amount")); !found || err != nil || !ok || r.Member != m.ID || decimal(total).Cmp(typed) != 0 {
		return kept{}, refused
	}
	return kept{Fact: r.ID, Member: r.Member, Text: r.Summary, Duplicate: true}, nil
}

func (v *visit) send(path, key string, body any, m member) (kept, error) {
	var o recorded
	err := v.api.Post(v.r.Context(), path, key, body, &o)
	return kept{Fact: o.ID, Member: cmp.Or(o.Member, m.ID), Text: o.Summary, Duplicate: o.Duplicate}, err
}

func (v *visit) recordEnrolment(key string, at time.Time, f *page.Form) (kept, error) {
	body := f.Body("given_name", "phone", "store")
	card := strings.TrimSpace(f.Get("card"))
	if card != "" {
		body["identifiers"] = []identifier{{"card", card}}
	}
	if body["phone"] == nil && card == "" {
		f.Wrong["phone"] = v.T("till.enrol.by")
		return kept{}, errWrong
	}
	if !at.IsZero() {
		body["joined_at"] = at.Format(time.RFC3339)
	}
	var m struct {
		member
		Enrolment told
	}
	err := v.api.Post(v.r.Context(), page.Path("members"), key, body, &m)
	return kept{Member: m.ID, Text: cmp.Or(m.Enrolment.Summary, v.T("said.enrolled")), Fact: m.Enrolment.ID}, err
}

// stampedBy says what stamps a punch card.
type stampedBy struct {
	// activity is its kind, with its properties; for a purchase, sku or category is what must be bought, both empty for anything.
	activity      string
	properties    []string
	sku, category string
	pieces        bool
}

// stamping says what stamps a card; false where nothing simple does.
func (v *visit) stamping(id string) (s stampedBy, ok bool) {
	if v.p == nil || v.p.Challenges[id] == nil {
		return s, false
	}
	h := v.p.Challenges[id]
	if kind, is := strings.CutPrefix(h.On, "activity:"); is {
		return stampedBy{activity: kind, properties: slices.Sorted(maps.Keys(v.p.Doc.Activities[kind].Properties))}, true
	}
	if h.On != "purchase" || h.Shape != program.PlainShape || h.Metric != "items" && h.Metric != "lines" && h.Metric != "purchases" {
		return s, false
	}
	s.pieces = h.Metric == "items"
	if l := h.Lines; l != nil {
		switch {
		case len(l.SKU) > 0:
			s.sku = l.SKU[0]
		case len(l.Category) > 0:
			s.category = l.Category[0]
		default:
			return s, false
		}
	}
	return s, true
}

func (v *visit) recordStamp(key string, at time.Time, f *page.Form) (kept, error) {
	s, ok := v.stamping(f.Get("challenge"))
	if !ok {
		return kept{}, errs.NotFound("challenge", v.T("till.stamp.none"))
	}
	body := map[string]any{}
	natural(f, body, key, at)
	if s.activity == "" {
		v.bought(f, body)
		if len(f.Wrong) == 0 && (s.sku != "" || s.category != "" || s.pieces) {
			line := map[string]any{"amount": body["amount"], "quantity": cmp.Or(strings.TrimSpace(f.Get("pieces")), "1")}
			for field, value := range map[string]string{"sku": s.sku, "category": s.category} {
				if value != "" {
					line[field] = value
				}
			}
			delete(body, "amount")
			body["lines"] = []any{line}
		}
	} else {
		body["kind"] = s.activity
		properties := map[string]string{}
		for _, p := range s.properties {
			if text := strings.TrimSpace(f.Get("property_" + p)); text != "" {
				properties[p] = text
			}
		}
		if len(properties) > 0 {
			body["properties"] = properties
		}
	}
	if len(f.Wrong) > 0 {
		return kept{}, errWrong
	}
	m, err := v.whose(f, body)
	if err != nil {
		return kept{}, err
	}
	if s.activity != "" {
		return v.send(page.Path("activities"), key, body, m)
	}
	return v.send(page.Path("purchases"), key, body, m)
}

// tillPurchase records a purchase of a member, or says what it would give.
func (c *Console) tillPurchase(v *visit) error {
	v.atATill()
	f, err := v.form()
	if err != nil {
		return err
	}
	id := v.r.PathValue("member")
	f.Set("member", id)
	show := func(status int, would *recorded) error {
		m, err := v.atTill(id)
		if err != nil {
			return err
		}
		m.f, m.would = f, would
		if v.r.Header.Get("HX-Request") == "true" {
			return v.show(wouldGive(v, m))
		}
		return v.showAs(status, tillMemberPage(v, m))
	}
	if f.Get("do") == "ask" {
		would, err := v.wouldGive(f)
		if err != nil {
			return v.mistaken(f, err, func(status int) error { return show(status, nil) })
		}
		return show(http.StatusOK, would)
	}
	k, err := v.record("purchase", f.Get("key"), time.Time{}, f)
	if err != nil {
		return v.mistaken(f, err, func(status int) error { return show(status, nil) })
	}
	return v.to(k.page(k.saying("purchase")))
}

// saying is what to say of it on the next page.
func (k kept) saying(kind string) string {
	if k.Duplicate {
		return "till_before"
	}
	return map[string]string{"purchase": "purchase", "enrolment": "enrolled", "stamp": "till_stamp"}[kind]
}

// mistaken shows a form again, with what is wrong with it.
func (v *visit) mistaken(f *page.Form, err error, show func(status int) error) error {
	if errs.Is(err, errWrong.Code, errWrong.Reason) && len(f.Wrong) > 0 {
		return show(http.StatusUnprocessableEntity)
	}
	return v.again(f, err, show)
}

// wouldGive asks what a purchase would give.
func (v *visit) wouldGive(f *page.Form) (*recorded, error) {
	body, _, err := v.purchaseBody("", time.Time{}, f)
	if err != nil {
		return nil, err
	}
	delete(body, "source")
	delete(body, "external_id")
	var got struct {
		Results []struct {
			Result  *recorded
			Problem *struct {
				Code, Reason, Detail string
				Errors               []struct {
					Pointer *string
					Detail  string
					Reason  string
				}
			}
		}
	}
	err = v.api.Post(v.r.Context(), page.Path("simulations"), "", map[string]any{"facts": []any{map[string]any{"purchase": body}}}, &got)
	if err != nil {
		return nil, err
	}
	if len(got.Results) != 1 {
		return nil, errs.Internal("no_result", "A simulation has no result.")
	}
	p := got.Results[0].Problem
	if p == nil {
		return got.Results[0].Result, nil
	}
	e := &errs.Error{Code: errs.Code(p.Code), Reason: p.Reason, Message: p.Detail}
	for _, m := range p.Errors {
		if m.Pointer != nil {
			e.Fields = append(e.Fields, errs.Field{Pointer: *m.Pointer, Reason: m.Reason, Message: m.Detail})
		}
	}
	return nil, e
}

// Enrolling at the till.

func (c *Console) tillEnrolPage(v *visit) error {
	v.atATill()
	f := page.NewForm()
	if q := strings.TrimSpace(v.r.URL.Query().Get("q")); q != "" {
		if digits := strings.Trim(q, "+0123456789 "); digits == "" {
			f.Set("phone", q)
		} else {
			f.Set("given_name", q)
		}
	}
	return v.show(tillEnrolPage(v, f, nil))
}

func (c *Console) tillEnrol(v *visit) error {
	v.atATill()
	f, err := v.form()
	if err != nil {
		return err
	}
	f.Set("store", v.shop())
	k, err := v.record("enrolment", f.Get("key"), time.Time{}, f)
	if err == nil {
		return v.to(k.page(k.saying("enrolment")))
	}
	taken := errs.CodeOf(err) == errs.CodeConflict
	return v.mistaken(f, err, func(status int) error {
		var there *member
		if taken {
			var err error
			if there, err = v.alreadyThere(f); err != nil {
				return err
			}
		}
		return v.showAs(status, tillEnrolPage(v, f, there))
	})
}

// alreadyThere is who has the phone or card of an enrolment; nil when nobody is found.
func (v *visit) alreadyThere(f *page.Form) (*member, error) {
	for _, q := range []string{f.Get("phone"), f.Get("card")} {
		m, err := v.named(q)
		if err == nil {
			return &m, nil
		}
		if code := errs.CodeOf(err); code != errs.CodeNotFound && code != errs.CodeMalformed && code != errs.CodeInvalid {
			return nil, err
		}
	}
	return nil, nil //nolint:nilnil // nobody is an answer here: the page says only who is there
}

// Stamps.

func (c *Console) stampPage(v *visit) error {
	return c.stamping(v, http.StatusOK, page.NewForm())
}

func (c *Console) stamping(v *visit, status int, f *page.Form) error {
	v.atATill()
	m, err := v.atTill(v.r.PathValue("member"))
	if err != nil {
		return err
	}
	id := v.r.PathValue("challenge")
	i := slices.IndexFunc(m.cards, func(c card) bool { return c.ID == id })
	s, ok := v.stamping(id)
	if i < 0 || !ok {
		return errs.NotFound("challenge", v.T("till.stamp.none"))
	}
	return v.showAs(status, stampPage(v, m, m.cards[i], s, f))
}

func (c *Console) stamp(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	f.Set("member", v.r.PathValue("member"))
	f.Set("challenge", v.r.PathValue("challenge"))
	k, err := v.record("stamp", f.Get("key"), time.Time{}, f)
	if err != nil {
		return v.mistaken(f, err, func(status int) error { return c.stamping(v, status, f) })
	}
	return v.to(k.page(k.saying("stamp")))
}

// Rewards and benefits, which need the connection: points that are spent here must not be spent elsewhere meanwhile.

func (v *visit) tillReward(m atTill) (tillReward, error) {
	for _, r := range m.rewards {
		if r.ID == v.r.PathValue("reward") {
			return r, nil
		}
	}
	return tillReward{}, errs.NotFound("reward", v.T("no_page"))
}

func (c *Console) redeemPage(v *visit) error {
	return c.redeeming(v, http.StatusOK, page.NewForm())
}

func (c *Console) redeeming(v *visit, status int, f *page.Form) error {
	v.atATill()
	m, err := v.atTill(v.r.PathValue("member"))
	if err != nil {
		return err
	}
	r, err := v.tillReward(m)
	if err != nil {
		return err
	}
	return v.showAs(status, redeemPage(v, m, r, f))
}

func (c *Console) redeem(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	body := f.Body("choose", "total", "money", "store")
	if f.Has("total") {
		v.typed(f, "total")
		body["total"] = f.Get("total")
		body["max"] = true
	}
	body["member"], body["reward"], body["commit"] = v.r.PathValue("member"), v.r.PathValue("reward"), true
	body["source"], body["external_id"] = tillSource(f.Get("store")), receiptOf(f.Get("key"))
	if n := whole64(f.Get("option")); n > 1 {
		body["option"] = n
	}
	show := func(status int) error { return c.redeeming(v, status, f) }
	if len(f.Wrong) > 0 {
		return show(http.StatusUnprocessableEntity)
	}
	var o recorded
	if err := v.api.Post(v.r.Context(), page.Path("redemptions"), f.Get("key"), body, &o); err != nil {
		return v.again(f, err, show)
	}
	v.atATill()
	m, err := v.atTill(v.r.PathValue("member"))
	if err != nil {
		return err
	}
	return v.show(redeemedPage(v, m, o))
}

func (c *Console) usePage(v *visit) error {
	return c.using(v, http.StatusOK, page.NewForm())
}

func (c *Console) using(v *visit, status int, f *page.Form) error {
	v.atATill()
	m, err := v.atTill(v.r.PathValue("member"))
	if err != nil {
		return err
	}
	for _, b := range m.benefits {
		if b.ID == v.r.PathValue("benefit") {
			return v.showAs(status, usePage(v, m, b, f))
		}
	}
	return errs.NotFound("benefit", v.T("no_page"))
}

func (c *Console) use(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	body := map[string]any{}
	natural(f, body, f.Get("key"), time.Time{})
	k, err := v.send(page.Path("members", v.r.PathValue("member"), "benefits", v.r.PathValue("benefit"), "uses"), f.Get("key"), body, member{ID: v.r.PathValue("member")})
	if err != nil {
		return v.again(f, err, func(status int) error { return c.using(v, status, f) })
	}
	return v.to(k.page("till_used"))
}

// claim gives a member the purchase of a receipt that waits for somebody.
func (c *Console) claim(v *visit) error {
	v.atATill()
	f, err := v.form()
	if err != nil {
		return err
	}
	id := v.r.PathValue("member")
	body := map[string]any{"member": id, "code": strings.TrimSpace(f.Get("code"))}
	k, err := v.send(page.Path("claims", "claim"), f.Get("key"), body, member{ID: id})
	if err != nil {
		return v.again(f, err, func(status int) error {
			m, err := v.atTill(id)
			if err != nil {
				return err
			}
			m.code = f
			return v.showAs(status, tillMemberPage(v, m))
		})
	}
	return v.to(k.page("purchase"))
}

// A guest's purchase, which waits for who comes with the code of its receipt.

type waits struct {
	ID, Status, Code string
	External         string     `json:"external_id"`
	EndsAt           *time.Time `json:"ends_at"`
}

func (c *Console) guestPage(v *visit) error {
	v.atATill()
	return v.show(guestPage(v, page.NewForm(), nil))
}

func (c *Console) guest(v *visit) error {
	v.atATill()
	f, err := v.form()
	if err != nil {
		return err
	}
	body := map[string]any{}
	natural(f, body, f.Get("key"), time.Time{})
	v.bought(f, body)
	show := func(status int) error { return v.showAs(status, guestPage(v, f, nil)) }
	if len(f.Wrong) > 0 {
		return show(http.StatusUnprocessableEntity)
	}
	var w waits
	if err := v.api.Post(v.r.Context(), page.Path("claims"), f.Get("key"), body, &w); err != nil {
		return v.again(f, err, show)
	}
	return v.show(guestPage(v, page.NewForm(), &w))
}

// Goods that come back.

// receipt is a purchase that was found by its number.
type receipt struct {
	told
	Lines []struct {
		ID               string
		Amount           string
		ReturnedAmount   string `json:"returned_amount"`
		ReturnedQuantity string `json:"returned_quantity"`
	}
	Returns []string
	who     member
}

// left is what has not come back of a purchase, in money.
func (r receipt) left(l int) string {
	have, back := decimal(r.Lines[l].Amount), decimal(r.Lines[l].ReturnedAmount)
	scale := 4
	a, aerr := have.Minor(scale)
	b, berr := back.Minor(scale)
	if aerr != nil || berr != nil {
		return r.Lines[l].Amount
	}
	return money.Format(a-b, scale)
}

// name is what a line was of.
func (r receipt) name(v *visit, l int) string {
	if p := r.sent().Purchase; p != nil && l < len(p.Lines) {
		if n := cmp.Or(p.Lines[l].Name, p.Lines[l].SKU); n != "" {
			return n
		}
		if n := p.Lines[l].Category; n != "" {
			return v.word(n)
		}
	}
	return v.T("till.line", r.Lines[l].ID)
}

// findReceipt finds a purchase by its number in this shop, by its id, or by its whole natural key; false where there is none.
func (v *visit) findReceipt(q string) (r receipt, ok bool, err error) {
	ctx := v.r.Context()
	asks := []string{page.Path("purchases", tillSource(v.shop()), q), page.Path("purchases", q)}
	if source, number, whole := strings.Cut(q, ":"); whole {
		asks = []string{page.Path("purchases", source, number)}
	}
	for _, path := range asks {
		err = v.api.Get(ctx, path, nil, &r)
		if err == nil {
			err = v.api.Get(ctx, page.Path("facts", r.ID), nil, &r.told) // with what was sent
			if err == nil && r.Member != "" {
				err = v.api.Get(ctx, page.Path("members", r.Member), nil, &r.who)
			}
			return r, true, err
		}
		if code := errs.CodeOf(err); code != errs.CodeNotFound && code != errs.CodeMalformed && code != errs.CodeInvalid {
			return r, false, err
		}
	}
	return r, false, nil
}

func (c *Console) returnPage(v *visit) error {
	return c.returning(v, http.StatusOK, page.NewForm("receipt", strings.TrimSpace(v.r.URL.Query().Get("receipt"))))
}

func (c *Console) returning(v *visit, status int, f *page.Form) error {
	v.atATill()
	var r receipt
	var found bool
	if q := f.Get("receipt"); q != "" {
		var err error
		if r, found, err = v.findReceipt(q); err != nil {
			return err
		}
	}
	if !found {
		return v.showAs(status, returnPage(v, f, nil))
	}
	return v.showAs(status, returnPage(v, f, &r))
}

func (c *Console) takeBack(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	show := func(status int) error { return c.returning(v, status, f) }
	if f.Has("amount") {
		v.typed(f, "amount")
	}
	if len(f.Wrong) > 0 {
		return show(http.StatusUnprocessableEntity)
	}
	body := f.Body("amount", "reason")
	body["source"], body["external_id"] = tillSource(v.shop()), receiptOf(f.Get("key"))
	var lines []any
	for _, l := range f.Values["line"] {
		lines = append(lines, map[string]string{"line": l})
	}
	if lines != nil && body["amount"] == nil {
		body["lines"] = lines
	}
	purchase := f.Get("purchase")
	path := page.Path("purchases", purchase, "returns")
	if purchase == "" { // a guest's, that nobody has claimed
		q := f.Get("receipt")
		if !strings.Contains(q, ":") {
			q = tillSource(v.shop()) + ":" + q
		}
		path = page.Path("claims", q, "returns")
	}
	k, err := v.send(path, f.Get("key"), body, member{})
	if err != nil {
		if purchase == "" && errs.CodeOf(err) == errs.CodeNotFound {
			f.Wrong["receipt"] = v.T("till.return.none")
			return show(http.StatusNotFound)
		}
		return v.again(f, err, show)
	}
	if k.Member == "" {
		return v.said("/console/till", "till_returned")
	}
	return v.to(k.page("till_returned"))
}

// categories are the words for goods that the program's rules speak of.
func (v *visit) categories() []page.Choice {
	if v.p == nil {
		return nil
	}
	have := map[string]bool{}
	take := func(l *program.Lines) {
		if l != nil {
			for _, c := range l.Category {
				have[c] = true
			}
		}
	}
	for i := range v.p.Doc.Earn {
		take(v.p.Doc.Earn[i].Lines)
	}
	for i := range v.p.Doc.Challenges {
		take(v.p.Doc.Challenges[i].Lines)
	}
	out := []page.Choice{{Value: "", Label: v.T("till.other")}}
	for _, c := range slices.Sorted(maps.Keys(have)) {
		out = append(out, page.Choice{Value: c, Label: v.word(c)})
	}
	return out
}
