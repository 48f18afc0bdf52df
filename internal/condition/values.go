package condition

import (
	"fmt"
	"reflect"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"

	"lojal.dev/lojal/internal/money"
)

// Line is one line of a purchase as an expression sees it.
type Line struct {
	SKU, Category, Brand string
	Tags                 []string
	// Quantity is whole pieces, Amount minor units of the currency.
	Quantity, Amount int64
}

// Member is what an expression sees of a member.
type Member struct {
	// Days is the number of whole days since joining.
	Days       int64
	Language   string
	Attributes map[string]string
}

// activation gives values to names. It converts only what is asked for.
type activation struct {
	scope *scope
	vars  map[string]any
	err   error
}

func (a *activation) Parent() interpreter.Activation { return nil }

func (a *activation) ResolveName(name string) (any, bool) {
	t, ok := a.scope.vars[name]
	if !ok {
		return nil, false
	}
	v, ok := a.lookup(name)
	if !ok {
		if t.Kind() == types.MapKind { // a member without any balance or tier
			return convert(nil, t)
		}
		a.err = fmt.Errorf("there is no value for %s", name)
		return nil, false
	}
	c, ok := convert(v, t)
	if !ok {
		a.err = fmt.Errorf("%s cannot be %T", name, v)
	}
	return c, ok
}

// lookup finds property.NAME under its own name or inside the map "property".
func (a *activation) lookup(name string) (any, bool) {
	if v, ok := a.vars[name]; ok {
		return v, true
	}
	top, key, ok := strings.Cut(name, ".")
	if !ok {
		return nil, false
	}
	props := reflect.ValueOf(a.vars[top])
	if props.Kind() != reflect.Map || props.Type().Key().Kind() != reflect.String {
		return nil, false
	}
	v := props.MapIndex(reflect.ValueOf(key).Convert(props.Type().Key()))
	if !v.IsValid() {
		return nil, false
	}
	return v.Interface(), true
}

// path reads a value for the explanation: a number, a text, yes/no or a list of texts.
func (a *activation) path(p string) (any, bool) {
	name, rest := p, []string(nil)
	if parts := strings.Split(p, "."); a.scope.vars[p] == nil {
		name, rest = parts[0], parts[1:]
	}
	t := a.scope.vars[name]
	v, ok := a.lookup(name)
	if t == nil || (!ok && t.Kind() != types.MapKind) {
		return nil, false
	}
	c, ok := convert(v, t)
	if !ok {
		return nil, false
	}
	cur, _ := c.(ref.Val)
	for _, key := range rest {
		ix, ok := cur.(traits.Indexer)
		if !ok {
			return nil, false
		}
		cur = ix.Get(types.String(key))
	}
	switch x := cur.(type) {
	case types.Int, types.String, types.Bool:
		return x.Value(), true
	case texts:
		return x.list, true
	}
	return nil, false
}

// convert makes a CEL value of a Go value.
func convert(v any, t *types.Type) (any, bool) {
	switch t.Kind() {
	case types.IntKind:
		return toInt(v)
	case types.StringKind:
		s, ok := toText(v)
		return types.String(s), ok
	case types.BoolKind:
		b, ok := v.(bool)
		return types.Bool(b), ok
	case types.MapKind:
		if t.Parameters()[1].Kind() == types.IntKind {
			return toMap(v, func(x any) (ref.Val, bool) { n, ok := toInt(x); return n, ok }, types.Int(0))
		}
		return toMap(v, func(x any) (ref.Val, bool) { s, ok := toText(x); return types.String(s), ok }, types.String(""))
	case types.ListKind:
		if t.Parameters()[0].Kind() == types.StringKind {
			return toTexts(v)
		}
		return toLines(v)
	case types.StructKind:
		return toMember(v)
	}
	return nil, false
}

// toInt takes whole numbers as they are; a decimal (an activity's number) counts in thousandths.
func toInt(v any) (types.Int, bool) {
	switch n := v.(type) {
	case int64:
		return types.Int(n), true
	case int:
		return types.Int(n), true
	case money.Decimal:
		m, err := n.Minor(3)
		return types.Int(m), err == nil
	case *money.Decimal:
		if n == nil {
			return 0, false
		}
		return toInt(*n)
	}
	r := reflect.ValueOf(v)
	if r.CanInt() {
		return types.Int(r.Int()), true
	}
	return 0, false
}

func toText(v any) (string, bool) {
	if s, ok := v.(string); ok {
		return s, true
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.String {
		return r.String(), true
	}
	return "", false
}

// texts is a list of texts that remembers its Go form.
type texts struct {
	traits.Lister
	list []string
}

func toTexts(v any) (any, bool) {
	if v == nil {
		return texts{types.NewStringList(types.DefaultTypeAdapter, nil), nil}, true
	}
	if l, ok := v.([]string); ok {
		return texts{types.NewStringList(types.DefaultTypeAdapter, l), l}, true
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice {
		return nil, false
	}
	l := make([]string, r.Len())
	for i := range l {
		s, ok := toText(r.Index(i).Interface())
		if !ok {
			return nil, false
		}
		l[i] = s
	}
	return texts{types.NewStringList(types.DefaultTypeAdapter, l), l}, true
}

// defaults is a map that has a zero for every key: a unit that was never earned, an attribute nobody asked for.
// `"key" in map` still tells.
type defaults struct {
	traits.Mapper
	zero ref.Val
}

func (d defaults) Find(key ref.Val) (ref.Val, bool) {
	if v, ok := d.Mapper.Find(key); ok {
		return v, true
	}
	return d.zero, true
}

func (d defaults) Get(key ref.Val) ref.Val {
	v, _ := d.Find(key)
	return v
}

func toMap(v any, each func(any) (ref.Val, bool), zero ref.Val) (any, bool) {
	m := map[ref.Val]ref.Val{}
	if v != nil {
		r := reflect.ValueOf(v)
		if r.Kind() != reflect.Map || r.Type().Key().Kind() != reflect.String {
			return nil, false
		}
		for it := r.MapRange(); it.Next(); {
			x, ok := each(it.Value().Interface())
			if !ok {
				return nil, false
			}
			m[types.String(it.Key().String())] = x
		}
	}
	return defaults{types.NewRefValMap(types.DefaultTypeAdapter, m), zero}, true
}

func toLines(v any) (any, bool) {
	var list []ref.Val
	switch ls := v.(type) {
	case nil:
	case []Line:
		for i := range ls {
			list = append(list, lineRecord(&ls[i]))
		}
	case []*Line:
		for _, l := range ls {
			list = append(list, lineRecord(l))
		}
	case []map[string]any:
		for _, m := range ls {
			list = append(list, &record{typ: lineType, get: fromMap("line", m)})
		}
	case []any:
		for _, x := range ls {
			m, ok := x.(map[string]any)
			if !ok {
				return nil, false
			}
			list = append(list, &record{typ: lineType, get: fromMap("line", m)})
		}
	default:
		return nil, false
	}
	return types.NewRefValList(types.DefaultTypeAdapter, list), true
}

func lineRecord(l *Line) *record {
	return &record{typ: lineType, get: func(field string) (any, bool) {
		switch field {
		case "sku":
			return types.String(l.SKU), true
		case "category":
			return types.String(l.Category), true
		case "brand":
			return types.String(l.Brand), true
		case "tags":
			return toTexts(l.Tags)
		case "quantity":
			return types.Int(l.Quantity), true
		case "amount":
			return types.Int(l.Amount), true
		}
		return nil, false
	}}
}

func toMember(v any) (any, bool) {
	switch m := v.(type) {
	case *Member:
		if m == nil {
			return nil, false
		}
		return memberRecord(m), true
	case Member:
		return memberRecord(&m), true
	case map[string]any:
		return &record{typ: memberType, get: fromMap("member", m)}, true
	}
	return nil, false
}

func memberRecord(m *Member) *record {
	return &record{typ: memberType, get: func(field string) (any, bool) {
		switch field {
		case "days":
			return types.Int(m.Days), true
		case "language":
			return types.String(m.Language), true
		case "attributes":
			return convert(m.Attributes, textMap)
		}
		return nil, false
	}}
}

// fromMap reads a record that came as a map; what is not there is zero.
func fromMap(name string, m map[string]any) func(string) (any, bool) {
	return func(field string) (any, bool) {
		t, ok := records[name][field]
		if !ok {
			return nil, false
		}
		v, ok := m[field]
		if !ok || v == nil {
			switch t.Kind() {
			case types.IntKind:
				return types.Int(0), true
			case types.StringKind:
				return types.String(""), true
			}
			v = nil
		}
		return convert(v, t)
	}
}

// record is a line or a member inside an expression.
type record struct {
	typ *types.Type
	get func(field string) (any, bool)
}

func (r *record) field(name string) (any, error) {
	v, ok := r.get(name)
	if !ok {
		return nil, fmt.Errorf("%s has no good value for %s", r.typ.TypeName(), name)
	}
	return v, nil
}

func (r *record) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a %s cannot become %s", r.typ.TypeName(), t)
}

func (r *record) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("a %s cannot become %s", r.typ.TypeName(), t.TypeName())
}

func (r *record) Equal(o ref.Val) ref.Val { p, ok := o.(*record); return types.Bool(ok && p == r) }
func (r *record) Type() ref.Type          { return r.typ }
func (r *record) Value() any              { return r }

func (r *record) Get(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	if !ok {
		return types.NewErr("no such field")
	}
	v, err := r.field(string(name))
	if err != nil {
		return types.WrapErr(err)
	}
	return v.(ref.Val)
}
