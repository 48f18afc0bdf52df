package condition

import (
	"errors"
	"fmt"
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"lojal.dev/lojal/internal/money"
)

// functions are the names an owner can call, besides the operators and all, exists, exists_one, filter and map on lists.
var functions = []string{"abs", "ceil", "floor", "max", "min", "money", "round", "size", "sum"}

var errOverflow = errors.New("integer overflow")

// ours declares the functions on whole numbers.
//
//	floor(a / b), ceil(a / b), round(a / b)  divide exactly and round once; round takes a half away from zero
//	min(a, b, …), max(a, b, …), abs(a), sum(list)
func ours() cel.EnvOption {
	opts := []cel.EnvOption{
		cel.Macros(divide("floor", true), divide("ceil", false), divide("round", false)),
		cel.Function("floor", cel.Overload("floor_int", []*cel.Type{cel.IntType}, cel.IntType,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return v }))),
		ratio("floor", func(a, b int64) (int64, error) { return directed(a, b, -1) }),
		ratio("ceil", func(a, b int64) (int64, error) { return directed(a, b, 1) }),
		ratio("round", func(a, b int64) (int64, error) { return money.MulDiv(a, 1, b, money.HalfUp) }),
		cel.Function("abs", cel.Overload("abs_int", []*cel.Type{cel.IntType}, cel.IntType,
			cel.UnaryBinding(func(v ref.Val) ref.Val {
				n := int64(v.(types.Int))
				switch {
				case n == math.MinInt64:
					return types.WrapErr(errOverflow)
				case n < 0:
					n = -n
				}
				return types.Int(n)
			}))),
		cel.Function("sum", cel.Overload("sum_list", []*cel.Type{cel.ListType(cel.IntType)}, cel.IntType,
			cel.UnaryBinding(func(v ref.Val) ref.Val {
				var total int64
				for it := v.(traits.Lister).Iterator(); it.HasNext() == types.True; {
					n, ok := it.Next().(types.Int)
					if !ok {
						return types.NewErr("sum takes whole numbers")
					}
					var err error
					if total, err = money.Add(total, int64(n)); err != nil {
						return types.WrapErr(errOverflow)
					}
				}
				return types.Int(total)
			}))),
	}
	for _, f := range []struct {
		name string
		less bool
	}{{"min", true}, {"max", false}} {
		for n := 2; n <= 5; n++ {
			args := make([]*cel.Type, n)
			for i := range args {
				args[i] = cel.IntType
			}
			bind := func(vs ...ref.Val) ref.Val {
				best := vs[0].(types.Int)
				for _, v := range vs[1:] {
					if i := v.(types.Int); (i < best) == f.less && i != best {
						best = i
					}
				}
				return best
			}
			binding := cel.FunctionBinding(bind)
			if n == 2 {
				binding = cel.BinaryBinding(func(a, b ref.Val) ref.Val { return bind(a, b) })
			}
			opts = append(opts, cel.Function(f.name, cel.Overload(fmt.Sprintf("%s_%d", f.name, n), args, cel.IntType, binding)))
		}
	}
	return func(e *cel.Env) (*cel.Env, error) {
		var err error
		for _, o := range opts {
			if e, err = o(e); err != nil {
				return nil, err
			}
		}
		return e, nil
	}
}

// divide rewrites floor(a / b) to the exact floor(a, b), so that the division does not cut the fraction first.
func divide(name string, alone bool) cel.Macro {
	return cel.GlobalMacro(name, 1, func(eh cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
		if args[0].Kind() == ast.CallKind {
			if c := args[0].AsCall(); c.FunctionName() == operators.Divide {
				return eh.NewCall(name, c.Args()...), nil
			}
		}
		if alone {
			return nil, nil
		}
		return nil, eh.NewError(args[0].ID(), fmt.Sprintf("%s needs a division, such as %s(basis / 50): whole numbers have nothing else to round", name, name))
	})
}

func ratio(name string, f func(a, b int64) (int64, error)) cel.EnvOption {
	return cel.Function(name, cel.Overload(name+"_ratio", []*cel.Type{cel.IntType, cel.IntType}, cel.IntType,
		cel.BinaryBinding(func(a, b ref.Val) ref.Val {
			x, y := int64(a.(types.Int)), int64(b.(types.Int))
			if y == 0 {
				return types.NewErr("division by zero")
			}
			n, err := f(x, y)
			if err != nil {
				return types.WrapErr(errOverflow)
			}
			return types.Int(n)
		})))
}

// directed rounds towards minus infinity (-1) or plus infinity (1).
func directed(a, b int64, to int) (int64, error) {
	mode := money.Down
	if negative := (a < 0) != (b < 0); negative == (to < 0) {
		mode = money.Up
	}
	return money.MulDiv(a, 1, b, mode)
}

func moneyFunction(exponent int) cel.EnvOption {
	return cel.Function("money", cel.Overload(fmt.Sprintf("money_%d", exponent), []*cel.Type{cel.StringType}, cel.IntType,
		cel.UnaryBinding(func(v ref.Val) ref.Val {
			n, err := moneyMinor(string(v.(types.String)), exponent)
			if err != nil {
				return types.WrapErr(err)
			}
			return types.Int(n)
		})))
}
