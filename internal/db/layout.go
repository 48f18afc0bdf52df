package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A table can be spread over machines only if each machine can hold its keys by itself. So the keys of a hot table begin
// with bucket, a foreign key of a hot table pairs bucket with bucket or points to a reference table, and nothing numbers
// or watches rows from outside: no sequence, no trigger, no exclusion. Both engines' catalogues are held to it, since most
// migrations are one text for both; but on SQLite, which is never spread, bucket may stand anywhere in a key.

// shape is what the catalogue says of a table.
type shape struct {
	name    string
	bucket  string // the type of the column bucket, "" when there is none or when it may be NULL
	keys    []keyShape
	foreign []foreignShape
	// others are what has a name and no place in a table that is spread.
	others []string
}

type keyShape struct {
	name    string
	primary bool
	columns []string
}

type foreignShape struct {
	columns, refers []string
	to              string
}

// CheckLayout compares the schema with the declared tables and gives, one sentence each, what keeps it from being spread
// over machines; nothing when nothing does.
func (d *DB) CheckLayout(ctx context.Context) ([]string, error) { return d.checkLayout(ctx, tables) }

func (d *DB) checkLayout(ctx context.Context, declared []Table) ([]string, error) {
	var found []*shape
	err := d.Read(ctx, func(tx *Tx) (err error) {
		if d.dialect == SQLite {
			found, err = shapesSQLite(ctx, tx)
		} else {
			found, err = shapesPostgres(ctx, tx)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the catalogue: %w", err)
	}
	return judge(declared, found, d.dialect), nil
}

func judge(declared []Table, found []*shape, dialect Dialect) []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	hot := map[string]bool{}
	for _, t := range declared {
		hot[t.Name] = t.Hot
		if !slices.ContainsFunc(found, func(s *shape) bool { return s.name == t.Name }) {
			fault("%s is declared and not there", t.Name)
		}
	}
	for _, s := range found {
		isHot, known := hot[s.name]
		if !known {
			fault("%s is not declared hot or reference", s.name)
			continue
		}
		for _, o := range s.others {
			fault("%s has %s", s.name, o)
		}
		for _, f := range s.foreign {
			toHot, known := hot[f.to]
			at := slices.Index(f.columns, "bucket")
			switch {
			case !known:
				fault("%s refers to %s, which is not declared", s.name, f.to)
			case !isHot && toHot:
				fault("%s is a reference table and refers to %s, which is hot", s.name, f.to)
			case isHot && toHot && (at < 0 || f.refers[at] != "bucket"):
				fault("%s refers to %s without pairing bucket with bucket", s.name, f.to)
			}
		}
		if isHot {
			s.judgeKeys(fault, dialect)
		}
	}
	slices.Sort(faults)
	return faults
}

func (s *shape) judgeKeys(fault func(format string, args ...any), dialect Dialect) {
	if s.bucket != "integer" {
		fault("%s has no column bucket of type integer that is NOT NULL", s.name)
	}
	primary := false
	for _, k := range s.keys {
		primary = primary || k.primary
		switch {
		case k.columns[0] == "bucket", dialect == SQLite && slices.Contains(k.columns, "bucket"):
		case k.primary:
			fault("the primary key of %s does not begin with bucket", s.name)
		default:
			fault("the unique key (%s) of %s does not begin with bucket", strings.Join(k.columns, ", "), s.name)
		}
	}
	if !primary {
		fault("%s has no primary key", s.name)
	}
}

const (
	tablesPostgres = `
SELECT c.relname, COALESCE((
	SELECT format_type(a.atttypid, NULL) FROM pg_attribute a
	WHERE a.attrelid = c.oid AND a.attname = 'bucket' AND a.attnotnull AND NOT a.attisdropped), '')
FROM pg_class c WHERE ` + oursPostgres + ` ORDER BY c.relname`

	// Partitions and what an extension brought are not ours to judge.
	oursPostgres = `c.relnamespace = to_regnamespace(current_schema()) AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
	AND NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.deptype = 'e')`

	keysPostgres = `
SELECT c.relname, i.relname, k.indisprimary, p.n, COALESCE(a.attname, '(expression)')
FROM pg_index k
JOIN pg_class c ON c.oid = k.indrelid
JOIN pg_class i ON i.oid = k.indexrelid
CROSS JOIN LATERAL unnest(k.indkey::int2[]) WITH ORDINALITY AS p (attnum, n)
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.attnum AND p.attnum > 0
WHERE k.indisunique AND p.n <= k.indnkeyatts AND ` + oursPostgres + `
ORDER BY c.relname, i.relname, p.n`

	foreignPostgres = `
SELECT c.relname, f.conname, t.relname, a.attname, b.attname
FROM pg_constraint f
JOIN pg_class c ON c.oid = f.conrelid
JOIN pg_class t ON t.oid = f.confrelid
CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS p (own, other, n)
JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = p.own
JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = p.other
WHERE f.contype = 'f' AND f.conparentid = 0 AND ` + oursPostgres + `
ORDER BY c.relname, f.conname, p.n`

	othersPostgres = `
SELECT c.relname, 'the trigger ' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND ` + oursPostgres + `
UNION ALL
SELECT c.relname, 'the exclusion ' || x.conname FROM pg_constraint x JOIN pg_class c ON c.oid = x.conrelid
WHERE x.contype = 'x' AND ` + oursPostgres + `
UNION ALL
SELECT c.relname, 'the sequence ' || s.relname
FROM pg_depend d
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_class c ON c.oid = d.refobjid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND ` + oursPostgres + `
UNION ALL
SELECT c.relname, 'the default ' || pg_get_expr(d.adbin, d.adrelid) || ' of ' || a.attname
FROM pg_attrdef d
JOIN pg_class c ON c.oid = d.adrelid
JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE pg_get_expr(d.adbin, d.adrelid) LIKE '%(%' AND ` + oursPostgres + `
ORDER BY 1, 2`
)

func shapesPostgres(ctx context.Context, tx *Tx) ([]*shape, error) {
	var list []*shape
	byName := map[string]*shape{}
	steps := []struct {
		query string
		scan  func(Scanner) error
	}{
		{tablesPostgres, func(row Scanner) error {
			s := &shape{}
			err := row.Scan(&s.name, &s.bucket)
			list, byName[s.name] = append(list, s), s
			return err
		}},
		{keysPostgres, func(row Scanner) error {
			var table, column string
			var k keyShape
			var n int
			if err := row.Scan(&table, &k.name, &k.primary, &n, &column); err != nil {
				return err
			}
			byName[table].key(k, column)
			return nil
		}},
		{foreignPostgres, func() func(row Scanner) error {
			last := ""
			return func(row Scanner) error {
				var table, name, to, own, other string
				if err := row.Scan(&table, &name, &to, &own, &other); err != nil {
					return err
				}
				byName[table].refer(table+" "+name != last, to, own, other)
				last = table + " " + name
				return nil
			}
		}()},
		{othersPostgres, func(row Scanner) error {
			var table, what string
			err := row.Scan(&table, &what)
			byName[table].others = append(byName[table].others, what)
			return err
		}},
	}
	for _, s := range steps {
		if err := Collect(ctx, tx, s.scan, s.query); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// key takes up one more column of a key.
func (s *shape) key(k keyShape, column string) {
	if n := len(s.keys); n == 0 || s.keys[n-1].name != k.name {
		s.keys = append(s.keys, k)
	}
	last := &s.keys[len(s.keys)-1]
	last.columns = append(last.columns, column)
}

// refer takes up one more pair of columns of a foreign key.
func (s *shape) refer(next bool, to, own, other string) {
	if next {
		s.foreign = append(s.foreign, foreignShape{to: to})
	}
	last := &s.foreign[len(s.foreign)-1]
	last.columns, last.refers = append(last.columns, own), append(last.refers, other)
}

const (
	tablesSQLite = `
SELECT t.name, COALESCE((SELECT lower(c.type) FROM pragma_table_info(t.name) c WHERE c.name = 'bucket' AND c."notnull" = 1), ''),
	CASE WHEN t.sql LIKE '%AUTOINCREMENT%' THEN 1 ELSE 0 END
FROM sqlite_master t WHERE ` + oursSQLite + ` ORDER BY t.name`

	oursSQLite = `t.type = 'table' AND t.name NOT LIKE 'sqlite!_%' ESCAPE '!'`

	// A primary key on the number of the row has no index of its own.
	primarySQLite = `
SELECT t.name, c.name FROM sqlite_master t CROSS JOIN pragma_table_info(t.name) c
WHERE c.pk > 0 AND ` + oursSQLite + ` ORDER BY t.name, c.pk`

	uniqueSQLite = `
SELECT t.name, i.name, COALESCE(c.name, '(expression)')
FROM sqlite_master t CROSS JOIN pragma_index_list(t.name) i CROSS JOIN pragma_index_info(i.name) c
WHERE i."unique" = 1 AND i.origin <> 'pk' AND ` + oursSQLite + ` ORDER BY t.name, i.name, c.seqno`

	foreignSQLite = `
SELECT t.name, f.id, f."table", f."from", COALESCE(f."to", (SELECT p.name FROM pragma_table_info(f."table") p WHERE p.pk = f.seq + 1), '')
FROM sqlite_master t CROSS JOIN pragma_foreign_key_list(t.name) f WHERE ` + oursSQLite + ` ORDER BY t.name, f.id, f.seq`

	triggersSQLite = `SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger' ORDER BY tbl_name, name`
)

func shapesSQLite(ctx context.Context, tx *Tx) ([]*shape, error) {
	var list []*shape
	byName := map[string]*shape{}
	last := ""
	steps := []struct {
		query string
		scan  func(Scanner) error
	}{
		{tablesSQLite, func(row Scanner) error {
			s := &shape{}
			var numbered bool
			err := row.Scan(&s.name, &s.bucket, &numbered)
			if numbered {
				s.others = append(s.others, "AUTOINCREMENT")
			}
			list, byName[s.name] = append(list, s), s
			return err
		}},
		{primarySQLite, func(row Scanner) error {
			var table, column string
			if err := row.Scan(&table, &column); err != nil {
				return err
			}
			byName[table].key(keyShape{name: "primary key", primary: true}, column)
			return nil
		}},
		{uniqueSQLite, func(row Scanner) error {
			var table, column string
			var k keyShape
			if err := row.Scan(&table, &k.name, &column); err != nil {
				return err
			}
			byName[table].key(k, column)
			return nil
		}},
		{foreignSQLite, func(row Scanner) error {
			var table, to, own, other string
			var id int
			if err := row.Scan(&table, &id, &to, &own, &other); err != nil {
				return err
			}
			this := fmt.Sprint(table, " ", id)
			byName[table].refer(this != last, to, own, other)
			last = this
			return nil
		}},
		{triggersSQLite, func(row Scanner) error {
			var table, name string
			if err := row.Scan(&table, &name); err != nil {
				return err
			}
			if s := byName[table]; s != nil { // and not a view's
				s.others = append(s.others, "the trigger "+name)
			}
			return nil
		}},
	}
	for _, s := range steps {
		if err := Collect(ctx, tx, s.scan, s.query); err != nil {
			return nil, err
		}
	}
	return list, nil
}
