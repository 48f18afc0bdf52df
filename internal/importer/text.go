package importer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Place is a value of a mapping by its path in the document, such as purchase.at or balance.star.
type Place struct {
	Path  string
	Value *Value
}

// fixed are the values that every mapping of the kind may give, in the order of the document.
func (m *Mapping) fixed() []Place {
	switch m.Import {
	case Members:
		p, e := &m.Member.Profile, &m.Enrolment
		return []Place{
			{"member.external_id", &p.ExternalID}, {"member.card", &p.Card}, {"member.name", &p.Name}, {"member.given_name", &p.GivenName}, {"member.family_name", &p.FamilyName},
			{"member.email", &p.Email}, {"member.phone", &p.Phone}, {"member.birth", &p.Birth}, {"member.language", &p.Language}, {"member.zone", &p.Zone},
			{"member.country", &p.Country}, {"member.postcode", &p.Postcode}, {"enrolment.at", &e.At}, {"enrolment.store", &e.Store}, {"enrolment.channel", &e.Channel},
		}
	case Purchases:
		p, l := &m.Purchase, &m.Line
		return []Place{
			{"member", &m.Member.Value}, {"purchase.receipt", &p.Receipt}, {"purchase.at", &p.At}, {"purchase.store", &p.Store}, {"purchase.channel", &p.Channel},
			{"purchase.currency", &p.Currency}, {"purchase.rate", &p.Rate}, {"purchase.shipping", &p.Shipping}, {"purchase.discount", &p.Discount}, {"purchase.payment", &p.Payment},
			{"line.sku", &l.SKU}, {"line.name", &l.Name}, {"line.category", &l.Category}, {"line.brand", &l.Brand}, {"line.quantity", &l.Quantity},
			{"line.unit_price", &l.UnitPrice}, {"line.discount", &l.Discount}, {"line.tax", &l.Tax}, {"line.amount", &l.Amount},
		}
	case Activities:
		a := &m.Activity
		return []Place{
			{"member", &m.Member.Value}, {"activity.kind", &a.Kind}, {"activity.id", &a.ID}, {"activity.at", &a.At}, {"activity.store", &a.Store}, {"activity.channel", &a.Channel},
		}
	}
	return nil
}

// named are the values that go by names of the program's own, by the path before the name.
func (m *Mapping) named() map[string]*map[string]Value {
	switch m.Import {
	case Members:
		return map[string]*map[string]Value{"member.identifiers": &m.Member.Profile.Identifiers, "member.attributes": &m.Member.Profile.Attributes, "balance": &m.Balance}
	case Activities:
		return map[string]*map[string]Value{"activity.properties": &m.Activity.Properties}
	}
	return nil
}

// Given are the values that the mapping gives, in the order of the document.
func (m *Mapping) Given() []Place {
	out := slices.DeleteFunc(m.fixed(), func(p Place) bool { return !p.Value.Given() })
	named := m.named()
	for _, before := range slices.Sorted(maps.Keys(named)) {
		for _, name := range slices.Sorted(maps.Keys(*named[before])) {
			if v := (*named[before])[name]; v.Given() {
				out = append(out, Place{before + "." + name, &v})
			}
		}
	}
	return out
}

// Put gives the value of a path; false when mappings of the kind have none.
func (m *Mapping) Put(path string, v Value) bool {
	for _, p := range m.fixed() {
		if p.Path == path {
			*p.Value = v
			return true
		}
	}
	at := strings.LastIndexByte(path, '.')
	if at < 0 {
		return false
	}
	to := m.named()[path[:at]]
	if to == nil || at == len(path)-1 {
		return false
	}
	if *to == nil {
		*to = map[string]Value{}
	}
	(*to)[path[at+1:]] = v
	return true
}

// Plain says whether the value is a single column as it stands, or a fixed text: what a form can say.
func (v *Value) Plain() bool {
	return len(v.Columns) <= 1 && !v.Sum && v.Default == "" && len(v.Words) == 0 && !v.ZeroEmpty && !v.Turn && v.Format == ""
}

// Simple says whether all of the mapping can be said by a form: plain values, no further files, no fixed widths.
func (m *Mapping) Simple() bool {
	for _, v := range m.values() {
		if !v.Plain() {
			return false
		}
	}
	return len(m.With) == 0 && len(m.File.Widths) == 0 && len(m.Line.Tags) == 0
}

func (c Column) yaml() any {
	if c.Number > 0 {
		return c.Number
	}
	return c.Name
}

// yaml is the shortest form of the value.
func (v *Value) yaml(more ...yaml.MapItem) any {
	var out yaml.MapSlice
	put := func(key string, value any) { out = append(out, yaml.MapItem{Key: key, Value: value}) }
	list := make([]any, len(v.Columns))
	for i, c := range v.Columns {
		list[i] = c.yaml()
	}
	switch {
	case v.Always != "":
		put("always", v.Always)
	case v.Sum:
		put("sum", list)
	case len(list) == 1:
		put("column", list[0])
	default:
		put("join", list)
		if v.With != "/" {
			put("with", v.With)
		}
	}
	if v.Default != "" {
		put("default", v.Default)
	}
	if len(v.Words) > 0 {
		put("words", v.Words)
	}
	if v.ZeroEmpty {
		put("zero", "empty")
	}
	if v.Turn {
		put("sign", "turn")
	}
	if v.Format != "" {
		put("format", v.Format)
	}
	if out = append(out, more...); len(out) == 1 {
		switch out[0].Key {
		case "column":
			return list[0]
		case "join":
			return list
		}
	}
	return out
}

// YAML writes the mapping as [ParseMapping] reads it. Further files are left out: what looks into them was written by hand.
func (m *Mapping) YAML() (string, error) {
	out := yaml.MapSlice{{Key: "import", Value: string(m.Import)}, {Key: "source", Value: m.Source}}
	section := func(key string, items yaml.MapSlice) {
		if len(items) > 0 {
			out = append(out, yaml.MapItem{Key: key, Value: items})
		}
	}
	var file, numbers, dates yaml.MapSlice
	text := func(to *yaml.MapSlice, key, value string) {
		if value != "" {
			*to = append(*to, yaml.MapItem{Key: key, Value: value})
		}
	}
	text(&file, "delimiter", m.File.Delimiter)
	text(&file, "charset", m.File.Charset)
	if m.File.Header != nil {
		file = append(file, yaml.MapItem{Key: "header", Value: *m.File.Header})
	}
	if m.File.Skip > 0 {
		file = append(file, yaml.MapItem{Key: "skip", Value: m.File.Skip})
	}
	section("file", file)
	text(&numbers, "decimal", m.Numbers.Decimal)
	text(&numbers, "thousands", m.Numbers.Thousands)
	if m.Numbers.Round {
		numbers = append(numbers, yaml.MapItem{Key: "round", Value: true})
	}
	section("numbers", numbers)
	text(&dates, "format", m.Dates.Format)
	text(&dates, "zone", m.Dates.Zone)
	text(&dates, "time", m.Dates.Time)
	section("dates", dates)

	parts := map[string]yaml.MapSlice{}
	var member any
	for _, p := range m.Given() {
		top, rest, _ := strings.Cut(p.Path, ".")
		if rest == "" {
			var more yaml.MapSlice
			text(&more, "as", m.Member.As)
			if m.Member.Enrol {
				more = append(more, yaml.MapItem{Key: "enrol", Value: true})
			}
			member = p.Value.yaml(more...)
			continue
		}
		inner, name, deep := strings.Cut(rest, ".")
		if !deep || top == "balance" {
			parts[top] = append(parts[top], yaml.MapItem{Key: rest, Value: p.Value.yaml()})
			continue
		}
		at := slices.IndexFunc(parts[top], func(i yaml.MapItem) bool { return i.Key == inner })
		if at < 0 {
			parts[top] = append(parts[top], yaml.MapItem{Key: inner, Value: yaml.MapSlice{}})
			at = len(parts[top]) - 1
		}
		have, _ := parts[top][at].Value.(yaml.MapSlice)
		have = append(have, yaml.MapItem{Key: name, Value: p.Value.yaml()})
		parts[top][at].Value = have
	}
	if member != nil {
		out = append(out, yaml.MapItem{Key: "member", Value: member})
	}
	if len(m.Line.Tags) > 0 {
		list := make([]any, len(m.Line.Tags))
		for i := range m.Line.Tags {
			list[i] = m.Line.Tags[i].yaml()
		}
		parts["line"] = append(parts["line"], yaml.MapItem{Key: "tags", Value: list})
	}
	for _, top := range []string{"member", "enrolment", "balance", "purchase", "line", "activity"} {
		section(top, parts[top])
	}
	b, err := yaml.Marshal(out)
	if err != nil {
		return "", fmt.Errorf("write a mapping: %w", err)
	}
	return string(b), nil
}

// Fields are the paths of the values that a mapping of the kind may give, besides those by names of the program's own.
func Fields(kind Kind) []string {
	m := &Mapping{Import: kind}
	var out []string
	for _, p := range m.fixed() {
		out = append(out, p.Path)
	}
	return out
}

// Drafted reads a mapping that may lack what is required yet, as a guess may; what cannot be read is empty.
func Drafted(text string) *Mapping {
	var m Mapping
	if err := yaml.UnmarshalWithOptions([]byte(text), &m, yaml.Strict()); err != nil {
		return &Mapping{}
	}
	return &m
}
