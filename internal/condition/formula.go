package condition

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"lojal.dev/lojal/internal/money"
)

// Formula is a compiled expression. It is safe for concurrent use.
type Formula struct {
	text  string
	names []string
	paths []string
	scope *scope
	prog  cel.Program
}

var compiling sync.Mutex

// Compile reads, checks and prepares an expression. The error is one sentence or several that say what is wrong and
// what to do; it is meant for the owner of the program.
func Compile(ctx Context, want Result, text string) (*Formula, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("the formula is empty")
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("the formula is not valid UTF-8 text")
	}
	if n := utf8.RuneCountInString(text); n > MaxText {
		return nil, fmt.Errorf("the formula has %d characters; the most is %d", n, MaxText)
	}
	sc, err := scopeFor(ctx)
	if err != nil {
		return nil, err
	}
	// An environment fills in a catalogue of its names when it first has a mistake to tell of, and those made of one base
	// share it without a lock.
	compiling.Lock()
	defer compiling.Unlock()
	parsed, iss := sc.env.Parse(text)
	if iss.Err() != nil {
		return nil, sc.explain(iss)
	}
	if err := sc.literals(ctx, parsed.NativeRep().Expr()); err != nil {
		return nil, err
	}
	checked, iss := sc.env.Check(parsed)
	if iss.Err() != nil {
		return nil, sc.explain(iss)
	}
	if got := checked.OutputType(); !got.IsExactType(celType[want]) {
		return nil, fmt.Errorf("the formula gives %s, but %s is wanted here", typeName(got), wanted[want])
	}
	cost, err := sc.env.EstimateCost(checked, sizes{})
	if err != nil {
		return nil, fmt.Errorf("the cost of the formula cannot be estimated: %w", err)
	}
	if cost.Max > MaxCost {
		return nil, fmt.Errorf("the formula is too costly: up to %s steps on a large purchase, the most is %d; "+
			"do not go through lines inside another walk through lines", costText(cost.Max), MaxCost)
	}
	prog, err := sc.env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(MaxCost),
		cel.CostTracking(nil))
	if err != nil {
		return nil, fmt.Errorf("the formula cannot be prepared: %w", err)
	}
	names, paths := used(checked.NativeRep().Expr())
	return &Formula{text: text, names: names, paths: paths, scope: sc, prog: prog}, nil
}

var celType = map[Result]*types.Type{Bool: types.BoolType, Int: types.IntType}

var wanted = map[Result]string{Bool: "yes or no", Int: "a whole number"}

func costText(n uint64) string {
	if n > 1_000_000_000_000 {
		return "more than a trillion"
	}
	return fmt.Sprint(n)
}

// Text is the expression as it was written.
func (f *Formula) Text() string { return f.text }

// Names lists the top-level names the expression uses, sorted: basis, tier, property.
func (f *Formula) Names() []string { return f.names }

// Int evaluates a whole-number expression. Integer overflow, division by zero and a missing value are errors.
func (f *Formula) Int(vars map[string]any) (int64, error) {
	v, err := f.eval(vars)
	if err != nil {
		return 0, err
	}
	n, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("formula %q gave %v, not a whole number", f.text, v)
	}
	return n, nil
}

// Bool evaluates a yes-or-no expression; errors as for Int.
func (f *Formula) Bool(vars map[string]any) (bool, error) {
	v, err := f.eval(vars)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("formula %q gave %v, not yes or no", f.text, v)
	}
	return b, nil
}

func (f *Formula) eval(vars map[string]any) (any, error) {
	a := &activation{scope: f.scope, vars: vars}
	v, _, err := f.prog.Eval(a)
	switch {
	case a.err != nil:
		return nil, fmt.Errorf("formula %q: %w", f.text, a.err)
	case err != nil:
		return nil, fmt.Errorf("formula %q: %w", f.text, err)
	}
	return v.Value(), nil
}

// Seen gives the values that the expression looks at, by path: {"basis": 60000, "tier.club": "gold"}. Lists of lines
// are left out. A path without a value is left out too.
func (f *Formula) Seen(vars map[string]any) map[string]any {
	seen := make(map[string]any, len(f.paths))
	a := &activation{scope: f.scope, vars: vars}
	for _, p := range f.paths {
		if v, ok := a.path(p); ok {
			seen[p] = v
		}
	}
	return seen
}

// used collects the top-level names and the paths below them that are fixed in the text.
func used(e ast.Expr) (names, paths []string) {
	bound := map[string]bool{}
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(x ast.Expr) {
		if x.Kind() == ast.ComprehensionKind {
			c := x.AsComprehension()
			bound[c.IterVar()], bound[c.AccuVar()] = true, true
		}
	}))
	inner := map[int64]bool{} // parts of a longer path that is already taken
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(x ast.Expr) {
		if inner[x.ID()] {
			return
		}
		path, ids := pathOf(x)
		top, _, _ := strings.Cut(path, ".")
		if path == "" || bound[top] {
			return
		}
		for _, id := range ids {
			inner[id] = true
		}
		names = append(names, top)
		paths = append(paths, path)
	}))
	slices.Sort(names)
	slices.Sort(paths)
	return slices.Compact(names), slices.Compact(paths)
}

// pathOf reads tier.club and tier["club"] alike; "" when the expression is no fixed path.
func pathOf(x ast.Expr) (string, []int64) {
	switch x.Kind() {
	case ast.IdentKind:
		return x.AsIdent(), []int64{x.ID()}
	case ast.SelectKind:
		s := x.AsSelect()
		if p, ids := pathOf(s.Operand()); p != "" {
			return p + "." + s.FieldName(), append(ids, x.ID())
		}
	case ast.CallKind:
		c := x.AsCall()
		if c.FunctionName() != operators.Index || len(c.Args()) != 2 || c.Args()[1].Kind() != ast.LiteralKind {
			return "", nil
		}
		key, ok := c.Args()[1].AsLiteral().Value().(string)
		if !ok {
			return "", nil
		}
		if p, ids := pathOf(c.Args()[0]); p != "" {
			return p + "." + key, append(ids, x.ID())
		}
	}
	return "", nil
}

// literals refuses what the type check would let through or explain badly: decimals, structs, money() of anything but
// a good literal, and ids that the program does not have.
func (sc *scope) literals(ctx Context, e ast.Expr) error {
	var errs []string
	say := func(format string, args ...any) { errs = append(errs, fmt.Sprintf(format, args...)) }
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(x ast.Expr) {
		switch x.Kind() {
		case ast.LiteralKind:
			switch v := x.AsLiteral().(type) {
			case types.Double:
				say("%v is a decimal number; write money(\"12.50\") for an amount of money, or whole minor units", float64(v))
			case types.Uint:
				say("%du: write the number without u", uint64(v))
			case types.Bytes:
				say("b\"…\": write a text without b")
			}
		case ast.StructKind:
			say("%s{…}: a formula cannot make a record", x.AsStruct().TypeName())
		case ast.CallKind:
			if c := x.AsCall(); c.FunctionName() == "money" && len(c.Args()) == 1 && !c.IsMemberFunction() {
				if msg := moneyLiteral(c.Args()[0], ctx.Exponent); msg != "" {
					say("%s", msg)
				}
			}
		}
		if p, _ := pathOf(x); p != "" {
			top, key, ok := strings.Cut(p, ".")
			known := map[string][]string{"balance": ctx.Units, "tier": ctx.TierSets}[top]
			if ok && known != nil && !slices.Contains(known, key) {
				say("%s.%s: there is no %s %q%s", top, key, map[string]string{"balance": "unit", "tier": "tier set"}[top], key,
					suggest(key, known))
			}
		}
	}))
	if len(errs) > 0 {
		slices.Sort(errs)
		return errors.New(strings.Join(slices.Compact(errs), "; "))
	}
	return nil
}

func moneyLiteral(arg ast.Expr, exponent int) string {
	if arg.Kind() != ast.LiteralKind {
		return `money() takes an amount in quotes, such as money("12.50")`
	}
	s, ok := arg.AsLiteral().Value().(string)
	if !ok {
		return `money() takes an amount in quotes, such as money("12.50")`
	}
	if _, err := moneyMinor(s, exponent); err != nil {
		return fmt.Sprintf("money(%q): %v", s, err)
	}
	return ""
}

func moneyMinor(s string, exponent int) (int64, error) {
	d, err := money.Parse(s)
	if err != nil {
		return 0, err
	}
	n, err := d.Minor(exponent)
	if errors.Is(err, money.ErrScale) {
		return 0, fmt.Errorf("the currency has %d decimals", exponent)
	}
	return n, err
}

var _ interpreter.Activation = (*activation)(nil)
