package console

import (
	"bufio"
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/page"
)

// reward is something to spend points on, as the API tells of it.
type reward struct {
	ID          string            `json:"id"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Gives       string            `json:"gives"`
	Terms       string            `json:"terms"`
	Price       map[string]string `json:"price"`
	Money       string            `json:"money"`
	Prices      []struct {
		Price map[string]string `json:"price"`
		Money string            `json:"money"`
	} `json:"prices"`
	Pay *struct {
		Unit, Points, Worth string
	} `json:"pay"`
	StockLeft *int64     `json:"stock_left"`
	From      *time.Time `json:"from"`
	Until     *time.Time `json:"until"`
	Limits    []struct {
		Each  string `json:"each"`
		Per   string `json:"per"`
		Times int64  `json:"times"`
		Left  *int64 `json:"left"`
	} `json:"limits"`
}

// codePool is how a pool of codes of others stands.
type codePool struct {
	Pool    string     `json:"pool"`
	Loaded  int64      `json:"loaded"`
	Given   int64      `json:"given"`
	Ended   int64      `json:"ended"`
	Left    int64      `json:"left"`
	Low     bool       `json:"low"`
	LastAt  *time.Time `json:"last_at"`
	Rewards []string   `json:"rewards"`
}

func (p *codePool) kind() string {
	switch {
	case p.Left == 0:
		return "bad"
	case p.Low:
		return "warn"
	}
	return ""
}

// prices are all that a reward can be had for, in words.
func (v *visit) prices(r *reward) (out []string) {
	if r.Pay != nil {
		return []string{v.T("reward.rate", v.amount(r.Pay.Unit, r.Pay.Points), v.money(r.Pay.Worth))}
	}
	for _, p := range r.Prices {
		out = append(out, v.paid(p.Price, p.Money))
	}
	if one := v.paid(r.Price, r.Money); len(out) == 0 && one != "" {
		out = append(out, one)
	}
	return out
}

// limits are how often all members together can have a reward, and each.
func (v *visit) limits(r *reward) (out []string) {
	for _, l := range r.Limits {
		per := v.T("per." + l.Per)
		if l.Left != nil && l.Each == "program" {
			out = append(out, v.T("reward.limit.left", v.count(*l.Left), v.count(l.Times), per))
		} else {
			out = append(out, v.T("reward.limit."+l.Each, v.count(l.Times), per))
		}
	}
	return out
}

// stockKind is how pressing it is that a stock runs out: fewer are left than were redeemed in the last four weeks.
func stockKind(left *int64, redeemed int64) string {
	switch {
	case left == nil:
		return ""
	case *left == 0:
		return "bad"
	case *left < max(redeemed, 5):
		return "warn"
	}
	return ""
}

type rewardsPageOf struct {
	list     []reward
	redeemed map[string]int64
	pools    []codePool
	toHand   []redemption
}

func (c *Console) rewards(v *visit) error {
	ctx := v.r.Context()
	var p rewardsPageOf
	var rewards struct{ Items []reward }
	if err := v.api.Get(ctx, page.Path("rewards"), nil, &rewards); err != nil {
		return err
	}
	p.list = rewards.Items
	if v.may("programs:read") {
		var t today
		if err := v.api.Get(ctx, page.Path("insight", "today"), url.Values{"period": {"28d"}}, &t); err != nil {
			return err
		}
		p.redeemed = t.Now.Redemptions
	}
	if v.may("giftcards:read") {
		var err error
		if p.pools, err = v.pools(); err != nil {
			return err
		}
	}
	if v.may("redemptions:read") {
		var list struct{ Items []redemption }
		if err := v.api.Get(ctx, page.Path("redemptions"), url.Values{"status": {"to_hand"}, "limit": {"6"}}, &list); err != nil {
			return err
		}
		p.toHand = list.Items
	}
	return v.show(rewardsPage(v, &p))
}

// pools are the pools that have codes, and those that a reward of the program takes from and that nobody loaded yet.
func (v *visit) pools() ([]codePool, error) {
	var list struct{ Items []codePool }
	if err := v.api.Get(v.r.Context(), page.Path("pools"), nil, &list); err != nil {
		return nil, err
	}
	out := list.Items
	if v.p != nil {
		for i := range v.p.Doc.Rewards {
			r := &v.p.Doc.Rewards[i]
			if name := r.Gives.Pool; name != "" && !slices.ContainsFunc(out, func(p codePool) bool { return p.Pool == name }) {
				out = append(out, codePool{Pool: name, Rewards: []string{r.ID}})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b codePool) int { return cmp.Compare(a.Left, b.Left) })
	return out, nil
}

func (c *Console) oneReward(v *visit) error {
	ctx, id := v.r.Context(), v.r.PathValue("reward")
	var r reward
	if err := v.api.Get(ctx, page.Path("rewards", id), nil, &r); err != nil {
		return err
	}
	var list redemptionList
	var err error
	if v.may("redemptions:read") {
		if list, err = v.redemptions("", r.ID, 20); err != nil {
			return err
		}
	}
	var pools []codePool
	if v.may("giftcards:read") {
		if pools, err = v.pools(); err != nil {
			return err
		}
		pools = slices.DeleteFunc(pools, func(p codePool) bool { return !slices.Contains(p.Rewards, r.ID) })
	}
	return v.show(rewardPage(v, &r, pools, list))
}

// poolRow is a line of what was sent, with what became of it.
type poolRow struct {
	line int
	// text is the end of the code, by which a person knows it, and wrong the key of what is wrong; empty for a good one.
	text, wrong string
}

// poolReport says what became of an upload.
type poolReport struct {
	Pool    string `json:"pool"`
	Added   int    `json:"added"`
	Known   int    `json:"known"`
	Unnamed bool   `json:"unnamed"`
	rows    []poolRow
}

func (c *Console) poolPage(v *visit) error {
	p, err := v.pool(v.r.PathValue("pool"))
	if err != nil {
		return err
	}
	return v.show(poolPage(v, p, page.NewForm(), nil))
}

func (v *visit) pool(name string) (codePool, error) {
	list, err := v.pools()
	if i := slices.IndexFunc(list, func(p codePool) bool { return p.Pool == name }); err == nil && i >= 0 {
		return list[i], nil
	}
	return codePool{Pool: name}, err
}

type newCode struct {
	Code   string     `json:"code"`
	EndsAt *time.Time `json:"ends_at,omitempty"`
}

func (c *Console) loadPool(v *visit) error {
	f, text, err := v.formWithFile("file")
	if err != nil {
		return err
	}
	p, err := v.pool(v.r.PathValue("pool"))
	if err != nil {
		return err
	}
	if text == "" {
		text = f.Get("codes")
	}
	codes, rows := v.codes(text)
	again := func(status int) error { return v.showAs(status, poolPage(v, p, f, &poolReport{rows: rows})) }
	if len(rows) > 0 {
		f.All = v.T("pool.rows.wrong", strconv.Itoa(len(rows)))
		return again(http.StatusUnprocessableEntity)
	}
	if len(codes) == 0 {
		f.Wrong["codes"] = v.T("pool.codes.none")
		return again(http.StatusUnprocessableEntity)
	}
	var report poolReport
	body := map[string]any{"batch": strings.TrimSpace(f.Get("batch")), "codes": codes}
	if err := v.api.Post(v.r.Context(), page.Path("pools", p.Pool, "codes"), f.Get("key"), body, &report); err != nil {
		return v.again(f, err, again)
	}
	if p, err = v.pool(p.Pool); err != nil {
		return err
	}
	return v.show(poolPage(v, p, page.NewForm(), &report))
}

// mostCode is the longest code, in characters; mostRows how many rows are told of.
const (
	mostCode = 100
	mostRows = 100
)

// codes reads a list of codes, one a line, each with the last day that it can be handed out where that is known, behind a comma, a semicolon or a tab. A
// first line that names columns is passed over. Rows that cannot be read are told, and then none is loaded.
func (v *visit) codes(text string) (out []newCode, wrong []poolRow) {
	lines := bufio.NewScanner(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	lines.Buffer(nil, maxForm)
	seen := map[string]bool{}
	for n := 1; lines.Scan(); n++ {
		cells := strings.FieldsFunc(lines.Text(), func(r rune) bool { return r == ',' || r == ';' || r == '\t' })
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), `"`)
		}
		if len(cells) == 0 || cells[0] == "" || n == 1 && slices.Contains([]string{"code", "kode", "kod"}, strings.ToLower(cells[0])) {
			continue
		}
		one := newCode{Code: cells[0]}
		bad := ""
		switch {
		case len(cells) > 2:
			bad = "columns"
		case !utf8.ValidString(one.Code):
			bad = "unreadable"
		case utf8.RuneCountInString(one.Code) > mostCode:
			bad = "long"
		case seen[one.Code]:
			bad = "twice"
		case len(cells) == 2 && cells[1] != "":
			day, err := time.ParseInLocation(time.DateOnly, cells[1], v.zone(v.now))
			switch end := day.AddDate(0, 0, 1); {
			case err != nil:
				bad = "day"
			case !end.After(v.now):
				bad = "past"
			default:
				one.EndsAt = &end
			}
		}
		seen[one.Code] = true
		if bad == "" {
			out = append(out, one)
		} else if len(wrong) < mostRows {
			wrong = append(wrong, poolRow{line: n, text: tailOf(one.Code), wrong: bad})
		}
	}
	if lines.Err() != nil {
		wrong = append(wrong, poolRow{wrong: "unreadable"})
	}
	return out, wrong
}

// tailOf is the end of a code: what stands on a page of a report is not enough to use it.
func tailOf(code string) string {
	r := []rune(strings.ToValidUTF8(code, "�"))
	if len(r) <= 8 {
		return "…" + string(r[max(len(r)-2, 0):])
	}
	return "…" + string(r[len(r)-4:])
}

// formWithFile reads a form that may bring a file along, and the file's text.
func (v *visit) formWithFile(name string) (*page.Form, string, error) {
	if err := v.r.ParseMultipartForm(maxForm); err != nil && !strings.HasPrefix(v.r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return nil, "", errs.Malformed("form", v.T("form_unreadable")).Because(err)
	}
	f, err := v.form()
	if err != nil || v.r.MultipartForm == nil {
		return f, "", err
	}
	maps.Copy(f.Values, v.r.MultipartForm.Value)
	file, _, err := v.r.FormFile(name)
	if err != nil { // none was chosen
		return f, "", nil
	}
	defer file.Close()
	var b strings.Builder
	if _, err := bufio.NewReader(file).WriteTo(&b); err != nil {
		return nil, "", errs.Malformed("form", v.T("form_unreadable")).Because(err)
	}
	return f, b.String(), nil
}
