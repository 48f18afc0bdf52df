package condition

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// scope is the world an expression sees: its names with their types, and the functions.
type scope struct {
	env   *cel.Env
	vars  map[string]*types.Type
	names []string
}

var (
	lineType   = types.NewObjectType("line", traits.IndexerType)
	memberType = types.NewObjectType("member", traits.IndexerType)
	textMap    = types.NewMapType(types.StringType, types.StringType)
	intMap     = types.NewMapType(types.StringType, types.IntType)
	textList   = types.NewListType(types.StringType)
)

var records = map[string]map[string]*types.Type{
	"line": {
		"sku": types.StringType, "category": types.StringType, "brand": types.StringType, "tags": textList,
		"quantity": types.IntType, "amount": types.IntType,
	},
	"member": {"days": types.IntType, "language": types.StringType, "attributes": textMap},
}

var everywhere = map[string]*types.Type{
	"member": memberType, "tier": textMap, "weekday": types.StringType, "hour": types.IntType, "balance": intMap,
}

var purchase = map[string]*types.Type{
	"basis": types.IntType, "total": types.IntType, "items": types.IntType, "lines": types.NewListType(lineType),
	"store": types.StringType, "channel": types.StringType, "payments": textList,
	"purchases": types.IntType, "first_purchase": types.BoolType,
}

var propertyType = map[string]*types.Type{
	"text": types.StringType, "number": types.IntType, "whole": types.IntType, "yes/no": types.BoolType,
}

// base builds once what is costly to build: the part of CEL's library that is let in, and our functions.
var base = sync.OnceValues(func() (*cel.Env, error) {
	reg, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	return cel.NewCustomEnv(
		cel.StdLib(cel.StdLibSubset(library())),
		cel.CustomTypeAdapter(reg), cel.CustomTypeProvider(provider{reg}),
		cel.ParserRecursionLimit(100), cel.ParserExpressionSizeLimit(MaxText), cel.ParserErrorRecoveryLimit(4),
		cel.EnableHiddenAccumulatorName(true),
		ours(),
	)
})

// scopes holds the three fixed worlds for each exponent of a currency, 0 to 4. Worlds of activities depend on the
// program and are not kept.
var scopes sync.Map

func scopeFor(ctx Context) (*scope, error) {
	vars := maps.Clone(everywhere)
	kind, _, activity := strings.Cut(ctx.Trigger, ":")
	switch {
	case kind == "purchase" && !activity:
		maps.Copy(vars, purchase)
	case kind == "activity" && activity:
		for name, t := range ctx.Properties {
			if propertyType[t] == nil {
				return nil, fmt.Errorf("property %q has the unknown type %q", name, t)
			}
			vars["property."+name] = propertyType[t]
		}
	case (kind == "enrolment" || kind == "reward" || kind == "benefit" || kind == "moment") && !activity:
	case kind == "plan" && activity: // named as an activity is, and with no more to look at than an enrolment
	default:
		return nil, fmt.Errorf("a formula does not know the trigger %q", ctx.Trigger)
	}
	if ctx.Exponent < 0 || ctx.Exponent > 4 {
		return nil, fmt.Errorf("a currency with %d decimals", ctx.Exponent)
	}
	key := fmt.Sprint(kind, ctx.Exponent)
	if !activity {
		if sc, ok := scopes.Load(key); ok {
			return sc.(*scope), nil
		}
	}
	b, err := base()
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(vars))
	opts := []cel.EnvOption{moneyFunction(ctx.Exponent)}
	for _, n := range names {
		opts = append(opts, cel.Variable(n, vars[n]))
	}
	e, err := b.Extend(opts...)
	if err != nil {
		return nil, err
	}
	sc := &scope{env: e, vars: vars, names: names}
	if !activity {
		scopes.Store(key, sc)
	}
	return sc, nil
}

// library names what is let in of CEL: whole numbers, texts, lists and maps. No doubles, times, bytes, regular
// expressions, conversions or text building.
func library() *env.LibrarySubset {
	fn := func(name string, overloads ...string) *env.Function {
		f := &env.Function{Name: name}
		for _, o := range overloads {
			f.Overloads = append(f.Overloads, &env.Overload{ID: o})
		}
		return f
	}
	return &env.LibrarySubset{
		IncludeMacros: []string{operators.All, operators.Exists, operators.ExistsOne, operators.Map, operators.Filter},
		IncludeFunctions: []*env.Function{
			fn(operators.Conditional), fn(operators.LogicalAnd), fn(operators.LogicalOr), fn(operators.LogicalNot),
			fn(operators.NotStrictlyFalse), fn(operators.Equals), fn(operators.NotEquals),
			fn(operators.Less, "less_int64", "less_string"), fn(operators.LessEquals, "less_equals_int64", "less_equals_string"),
			fn(operators.Greater, "greater_int64", "greater_string"),
			fn(operators.GreaterEquals, "greater_equals_int64", "greater_equals_string"),
			fn(operators.Add, "add_int64", "add_list"), fn(operators.Subtract, "subtract_int64"),
			fn(operators.Multiply, "multiply_int64"), fn(operators.Divide, "divide_int64"),
			fn(operators.Modulo, "modulo_int64"), fn(operators.Negate, "negate_int64"),
			fn(operators.Index), fn(operators.In, "in_list", "in_map"),
			fn("size", "size_string", "string_size", "size_list", "list_size", "size_map", "map_size"),
			fn("contains"), fn("startsWith"), fn("endsWith"),
		},
	}
}

// provider adds our records to CEL's types.
type provider struct{ *types.Registry }

func (p provider) FindStructType(name string) (*types.Type, bool) {
	switch name {
	case "line":
		return types.NewTypeTypeWithParam(lineType), true
	case "member":
		return types.NewTypeTypeWithParam(memberType), true
	}
	return p.Registry.FindStructType(name)
}

func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	if f, ok := records[name]; ok {
		return slices.Sorted(maps.Keys(f)), true
	}
	return p.Registry.FindStructFieldNames(name)
}

func (p provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	f, ok := records[name]
	if !ok {
		return p.Registry.FindStructFieldType(name, field)
	}
	t, ok := f[field]
	if !ok {
		return nil, false
	}
	return &types.FieldType{
		Type:  t,
		IsSet: func(any) bool { return true },
		GetFrom: func(target any) (any, error) {
			r, ok := target.(*record)
			if !ok {
				return nil, fmt.Errorf("%s has no field %s", name, field)
			}
			return r.field(field)
		},
	}, true
}

// NewValue refuses: records only come in from outside.
func (p provider) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("a formula cannot make a %s", name)
}

// sizes tells the cost estimate how large the inputs can be.
type sizes struct{}

func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	upTo := func(k uint64) *cost.SizeEstimate { return &cost.SizeEstimate{Max: k} }
	path := n.Path()
	if n.Type().Kind() == types.StringKind {
		return upTo(maxString)
	}
	if len(path) == 0 {
		return nil
	}
	switch path[len(path)-1] {
	case "lines":
		return upTo(maxLines)
	case "payments":
		return upTo(maxPayments)
	case "tags":
		return upTo(maxTags)
	case "tier", "balance", "attributes":
		return upTo(maxKeys)
	}
	return nil
}

func (sizes) EstimateCallCost(function, _ string, _ *cost.AstNode, args []cost.AstNode) *cost.CallEstimate {
	if function != "sum" || len(args) != 1 {
		return nil
	}
	size := cost.SizeEstimate{Max: maxLines}
	if s := args[0].ComputedSize(); s != nil {
		size = *s
	}
	return &cost.CallEstimate{CostEstimate: size.MultiplyByCostFactor(1).Add(cost.FixedCostEstimate(1))}
}

var (
	undeclared = regexp.MustCompile(`undeclared reference to '([^']*)'`)
	noField    = regexp.MustCompile(`undefined field '([^']*)'`)
	noOverload = regexp.MustCompile(`found no matching overload for '([^']*)' applied to '([^']*)'`)
	syntax     = regexp.MustCompile(`(?s)^Syntax error: `)
)

var operatorName = map[string]string{
	"_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%", "-_": "-", "!_": "!", "_&&_": "&&", "_||_": "||",
	"_==_": "==", "_!=_": "!=", "_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">=", "@in": "in", "_?_:_": "? :", "_[_]": "[ ]",
}

// explain turns CEL's messages into sentences for an owner.
func (sc *scope) explain(iss *cel.Issues) error {
	var out []string
	for _, e := range iss.Errors() {
		out = append(out, fmt.Sprintf("%s (line %d, column %d)", sc.sentence(e), e.Location.Line(), e.Location.Column()+1))
	}
	return fmt.Errorf("%s", strings.Join(slices.Compact(out), "; "))
}

func (sc *scope) sentence(e *common.Error) string {
	msg := e.Message
	if m := undeclared.FindStringSubmatch(msg); m != nil {
		name := m[1]
		if op, ok := operatorName[name]; ok {
			return fmt.Sprintf("%s cannot be used in a formula", op)
		}
		if slices.Contains(notHere, name) {
			return fmt.Sprintf("%s cannot be used in a formula; the functions are: %s", name, strings.Join(functions, ", "))
		}
		known := slices.Concat(sc.names, functions)
		return fmt.Sprintf("the name %q is not known here%s; known are: %s", name, suggest(name, known), strings.Join(known, ", "))
	}
	if m := noField.FindStringSubmatch(msg); m != nil {
		var fields []string
		for _, r := range []string{"line", "member"} {
			fields = slices.AppendSeq(fields, maps.Keys(records[r]))
		}
		slices.Sort(fields)
		return fmt.Sprintf("there is no field %q%s; a line has sku, category, brand, tags, quantity, amount; "+
			"member has days, language, attributes", m[1], suggest(m[1], fields))
	}
	if m := noOverload.FindStringSubmatch(msg); m != nil {
		op := m[1]
		if o, ok := operatorName[op]; ok {
			op = o
		}
		return fmt.Sprintf("%s does not go with %s", op, plainTypes(m[2]))
	}
	return syntax.ReplaceAllString(strings.ReplaceAll(msg, "(in container '')", ""), "this cannot be read: ")
}

var notHere = []string{"double", "int", "uint", "string", "bytes", "bool", "duration", "timestamp", "matches", "dyn", "type", "has"}

func plainTypes(s string) string {
	r := strings.NewReplacer("int", "a whole number", "string", "a text", "bool", "yes/no", "double", "a decimal number (use money(\"12.50\"))")
	return r.Replace(strings.Trim(s, "()"))
}

func typeName(t *types.Type) string {
	switch t.Kind() {
	case types.BoolKind:
		return "yes or no"
	case types.IntKind:
		return "a whole number"
	case types.StringKind:
		return "a text"
	case types.ListKind:
		return "a list"
	case types.MapKind:
		return "a map"
	}
	return t.String()
}

// Nearest gives the known name closest to a misspelt one, "" when none is close.
func Nearest(name string, known []string) string {
	best, at := "", max(2, (len(name)+2)/3)+1
	for _, k := range known {
		d := distance(strings.ToLower(name), strings.ToLower(k))
		if d < at || (d == at && best != "" && k < best) {
			best, at = k, d
		}
	}
	if best != "" && at >= max(len(best), len(name)) {
		return ""
	}
	return best
}

func suggest(name string, known []string) string {
	if n := Nearest(name, known); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}

// distance is the number of letters to add, drop, change or swap with a neighbour (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			c := 1
			if a[i-1] == b[j-1] {
				c = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+c)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}

var (
	_ cost.Estimator = sizes{}
	_ types.Provider = provider{}
)
