package bench

import (
	_ "embed"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"lojal.dev/lojal/internal/errs"
)

// Target describes how the load speaks to a server: docs/performance.md tells the form.
type Target struct {
	// Name is shown in the report; the host when left out.
	Name string `yaml:"name"`
	// URL is where the server is: http://HOST:PORT or https://….
	URL string `yaml:"url"`
	// Headers go with every request. $NAME stands for a variable of the environment, so that secrets need not be written
	// down.
	Headers map[string]string `yaml:"headers"`
	// Members is how many members there are: {{member}} is a number from FirstMember on.
	Members     int `yaml:"members"`
	FirstMember int `yaml:"first_member"`
	// Setup is sent once for each member before anything is measured: to make it, or to give it something to spend.
	Setup []Operation `yaml:"setup"`
	// Operations by name. purchase, simulate, balance and redeem are known to the report; others are measured alike.
	Operations map[string]Operation `yaml:"operations"`
}

// Operation is one kind of request.
type Operation struct {
	Method  string            `yaml:"method"`
	Path    string            `yaml:"path"`
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
	// Expect are the statuses that count as done, 200 and 201 when left out.
	Expect []int `yaml:"expect"`
	// Clients are the numbers of clients it is measured with, 1, 8 and 64 when left out.
	Clients []int `yaml:"clients"`
}

//go:embed lojal.yaml
var lojalTarget []byte

// ReadTarget reads a description file.
func ReadTarget(path string) (*Target, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, errs.NotFound("target_file", fmt.Sprintf("The description %s cannot be read.", path)).Because(err)
	}
	t, err := parseTarget(data, path)
	if err != nil {
		return nil, err
	}
	if len(t.Operations) == 0 {
		return nil, errs.Invalid("invalid_target", fmt.Sprintf("%s describes no operation: give at least one under operations.", path))
	}
	if t.Members < 1 {
		t.Members = 1000
	}
	for name, op := range t.Operations {
		if _, err := t.ready(name, op, nil); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(op.Clients, func(n int) bool { return n < 1 }) {
			return nil, errs.Invalid("invalid_target", fmt.Sprintf("The clients of %s are numbers from 1 on.", name))
		}
	}
	if t.Name == "" {
		base, err := url.Parse(t.URL)
		if err != nil {
			return nil, errs.Invalid("invalid_target", fmt.Sprintf("%q is no address of a server.", t.URL))
		}
		t.Name = base.Host
	}
	return t, nil
}

func parseTarget(data []byte, name string) (*Target, error) {
	var t Target
	if err := yaml.UnmarshalWithOptions(data, &t, yaml.Strict()); err != nil {
		return nil, errs.Invalid("invalid_target", fmt.Sprintf("The description %s cannot be read: %s", name, yaml.FormatError(err, false, true)))
	}
	return &t, nil
}

// The placeholders of a description.
const (
	aText = iota
	aMember
	aTill
	aReceipt
	aKey
	aAmount
	aAmount1
	aAmount2
	aAmount3
	aCents
	aNow
)

var placeholders = map[string]int{
	"member": aMember, "till": aTill, "receipt": aReceipt, "key": aKey, "amount": aAmount, "amount1": aAmount1, "amount2": aAmount2,
	"amount3": aAmount3, "cents": aCents, "now": aNow,
}

// piece is a part of a template: a text, or the place of a value.
type piece struct {
	kind int
	text string
}

// template cuts a text at its placeholders. known are values that do not change from request to request.
func template(text string, known map[string]string) ([]piece, error) {
	var out []piece
	for text != "" {
		before, rest, found := strings.Cut(text, "{{")
		if before != "" {
			out = append(out, piece{aText, before})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}}")
		name = strings.TrimSpace(name)
		kind, ok := placeholders[name]
		value, given := known[name]
		switch {
		case !closed:
			return nil, errs.Invalid("invalid_target", fmt.Sprintf("A placeholder is not closed: {{%s.", name))
		case given:
			out = append(out, piece{aText, value})
		case ok:
			out = append(out, piece{kind, ""})
		default:
			return nil, errs.Invalid("invalid_target", fmt.Sprintf("There is no placeholder {{%s}}: there are member, till, receipt, key, amount, amount1, amount2, amount3, cents and now.", name))
		}
		text = after
	}
	return out, nil
}

// values are what is filled in for one request. Amounts are in hundredths.
type values struct {
	member  int
	till    int
	receipt uint64
	key     [2]uint64
	amounts [3]int64
	now     time.Time
}

// draw makes the values of the next request of a client. amounts are such that about one basket in three is a large one.
func (v *values) draw(rnd *rand.Rand, members, first int, receipt uint64) {
	v.member = first + rnd.IntN(members)
	v.till = 1 + rnd.IntN(16)
	v.receipt = receipt
	v.key = [2]uint64{rnd.Uint64(), rnd.Uint64()}
	v.amounts = [3]int64{int64(78 + rnd.IntN(40)), int64(35 + rnd.IntN(15)), int64(60 + rnd.IntN(80))}
	for i := range v.amounts {
		v.amounts[i] *= 100
	}
}

func (v *values) sum() int64 { return v.amounts[0] + v.amounts[1] + v.amounts[2] }

func appendMoney(b []byte, hundredths int64) []byte {
	b = strconv.AppendInt(b, hundredths/100, 10)
	return append(b, '.', byte('0'+hundredths/10%10), byte('0'+hundredths%10))
}

// fill writes the template with the values.
func fill(b []byte, t []piece, v *values) []byte {
	for i := range t {
		switch t[i].kind {
		case aText:
			b = append(b, t[i].text...)
		case aMember:
			b = strconv.AppendInt(b, int64(v.member), 10)
		case aTill:
			b = strconv.AppendInt(b, int64(v.till), 10)
		case aReceipt:
			b = strconv.AppendUint(b, v.receipt, 10)
		case aKey:
			b = appendUUID(b, v.key)
		case aAmount:
			b = appendMoney(b, v.sum())
		case aAmount1, aAmount2, aAmount3:
			b = appendMoney(b, v.amounts[t[i].kind-aAmount1])
		case aCents:
			b = strconv.AppendInt(b, v.sum(), 10)
		case aNow:
			b = v.now.UTC().AppendFormat(b, time.RFC3339Nano)
		}
	}
	return b
}

const hexDigits = "0123456789abcdef"

// appendUUID writes a random UUID (version 4), as tills make them.
func appendUUID(b []byte, k [2]uint64) []byte {
	k[0] = k[0]&^0xf000 | 0x4000
	k[1] = k[1]&^(3<<62) | 2<<62
	for i := range 32 {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			b = append(b, '-')
		}
		b = append(b, hexDigits[k[i/16]>>(60-4*(i%16))&15])
	}
	return b
}

// request is an operation ready to be sent.
type request struct {
	name string
	head []piece // up to the length of the body
	body []piece
	ok   []int
	// clock says that the time of sending is filled in.
	clock bool
}

// compile makes an operation ready for a server. known are further values.
func (t *Target) compile(name string, known map[string]string) (*request, error) {
	op, ok := t.Operations[name]
	if !ok {
		return nil, errs.Invalid("invalid_target", fmt.Sprintf("The description has no operation %q.", name))
	}
	return t.ready(name, op, known)
}

func (t *Target) ready(name string, op Operation, known map[string]string) (*request, error) {
	base, err := url.Parse(t.URL)
	if err != nil || base.Host == "" {
		return nil, errs.Invalid("invalid_target", fmt.Sprintf("%q is no address of a server: write url: http://HOST:PORT.", t.URL))
	}
	method := op.Method
	if method == "" {
		method = "POST"
	}
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: lojal-bench\r\n", method, strings.TrimSuffix(base.EscapedPath(), "/"), op.Path, base.Host)
	headers := map[string]string{}
	if op.Body != "" {
		headers["Content-Type"] = "application/json"
	}
	for _, from := range []map[string]string{t.Headers, op.Headers} {
		maps.Copy(headers, from)
	}
	for _, k := range slices.Sorted(maps.Keys(headers)) {
		if strings.ContainsAny(k+headers[k], "\r\n") {
			return nil, errs.Invalid("invalid_target", fmt.Sprintf("The header %s has more than one line.", k))
		}
		fmt.Fprintf(&head, "%s: %s\r\n", k, os.ExpandEnv(headers[k]))
	}
	r := &request{name: name, ok: op.Expect}
	if len(r.ok) == 0 {
		r.ok = []int{200, 201}
	}
	if r.head, err = template(head.String(), known); err != nil {
		return nil, err
	}
	if r.body, err = template(op.Body, known); err != nil {
		return nil, err
	}
	r.clock = slices.ContainsFunc(append(slices.Clone(r.head), r.body...), func(p piece) bool { return p.kind == aNow })
	return r, nil
}

// append writes the whole request. scratch is where the body is made; it is given back for the next one.
func (r *request) append(b, scratch []byte, v *values) (whole, used []byte) {
	if r.clock {
		v.now = time.Now()
	}
	b = fill(b, r.head, v)
	if len(r.body) == 0 {
		return append(b, '\r', '\n'), scratch
	}
	scratch = fill(scratch[:0], r.body, v)
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(scratch)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, scratch...), scratch
}
