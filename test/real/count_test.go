package real

import (
	"compress/gzip"
	"database/sql"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// The other way of counting: the files go into a SQLite database as they are, and SQL says what the programs in
// *.program.yaml should come to. Nothing of lojal is used, and money is whole cents from the start.

func scratch(t *testing.T, create string) *sql.DB {
	t.Helper()
	d, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "count.db")+"?_pragma=synchronous(0)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	exec1(t, d, create)
	return d
}

func exec1(t *testing.T, d *sql.DB, query string) {
	t.Helper()
	if _, err := d.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// load fills a table with rows of texts.
func load(t *testing.T, d *sql.DB, table string, all [][]string) {
	t.Helper()
	tx, err := d.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	insert, err := tx.PrepareContext(t.Context(), "INSERT INTO "+table+" VALUES (?"+strings.Repeat(", ?", len(all[0])-1)+")")
	if err != nil {
		t.Fatal(err)
	}
	defer insert.Close()
	for _, row := range all {
		args := make([]any, len(row))
		for i, c := range row {
			args[i] = c
		}
		if _, err := insert.ExecContext(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, d *sql.DB, query string) [][]string {
	t.Helper()
	r, err := d.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer r.Close()
	out, err := texts(r)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

func sums(t *testing.T, d *sql.DB, query string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for _, r := range ask(t, d, query) {
		out[r[0]] += number(t, r[1])
	}
	return out
}

func words(t *testing.T, d *sql.DB, query string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, r := range ask(t, d, query) {
		out[r[0]] = r[1]
	}
	return out
}

func countCDNOW(t *testing.T, data string) expected {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "cdnow", "CDNOW_master.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for i, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); i > 0 && len(f) == 4 {
			all = append(all, f)
		}
	}
	d := scratch(t, `CREATE TABLE raw (member TEXT, day TEXT, discs INTEGER, dollars TEXT)`)
	load(t, d, "raw", all)
	exec1(t, d, `
		CREATE TABLE bought AS
		SELECT rowid AS n, member, substr(day, 1, 4) || '-' || substr(day, 5, 2) || '-' || substr(day, 7, 2) AS day, substr(day, 1, 4) AS year, discs,
			CAST(ROUND(dollars * 100) AS INTEGER) AS cents
		FROM raw`)
	exec1(t, d, `CREATE TABLE yearly AS SELECT member, year, SUM(cents) AS cents FROM bought GROUP BY member, year`)
	// Gold from 300 dollars in the calendar year, this purchase included, or in the year before.
	exec1(t, d, `
		CREATE TABLE points AS
		SELECT b.member, substr(b.day, 1, 7) AS month,
			CASE WHEN SUM(b.cents) OVER (PARTITION BY b.member, b.year ORDER BY b.day, b.n ROWS UNBOUNDED PRECEDING) >= 30000
				OR COALESCE(y.cents, 0) >= 30000 THEN b.cents * 3 / 200 ELSE b.cents / 100 END AS base,
			CASE WHEN b.discs >= 5 THEN 20 ELSE 0 END AS five
		FROM bought b LEFT JOIN yearly y ON y.member = b.member AND y.year = CAST(b.year - 1 AS TEXT)`)
	e := expected{
		members:   number(t, ask(t, d, `SELECT COUNT(DISTINCT member) FROM bought`)[0][0]),
		purchases: number(t, ask(t, d, `SELECT COUNT(*) FROM bought`)[0][0]),
		earned: sums(t, d, `
			SELECT member || ' base', SUM(base) FROM points GROUP BY member
			UNION ALL SELECT member || ' five-discs', SUM(five) FROM points GROUP BY member`),
		expired: expiry(t, d),
		tiers: words(t, d, `
			SELECT member || ' year', CASE WHEN MAX(cents) >= 30000 THEN 'gold' ELSE 'silver' END FROM yearly GROUP BY member HAVING MAX(cents) >= 10000
			UNION ALL
			SELECT member || ' regulars', CASE WHEN COUNT(*) >= 10 THEN 'friend' ELSE 'regular' END FROM bought
			WHERE day > '1997-06-30' AND day <= '1998-06-30' GROUP BY member HAVING COUNT(*) >= 4`),
	}
	return e
}

// expiry gives the points of each month by the month at whose beginning they end: twelve months later, at the end of the month.
func expiry(t *testing.T, d *sql.DB) map[string]int64 {
	t.Helper()
	columns := "base + five"
	if has := ask(t, d, `SELECT COUNT(*) FROM pragma_table_info('points') WHERE name = 'five'`); has[0][0] == "0" {
		columns = "points"
	}
	return sums(t, d, `SELECT strftime('%Y-%m', month || '-01', '+13 months'), SUM(`+columns+`) FROM points GROUP BY month HAVING SUM(`+columns+`) > 0`)
}

// readCSV reads a packed file as it is, without its header.
func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(zip).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[1:]
}

func countJourney(t *testing.T, data string) expected {
	t.Helper()
	folder := filepath.Join(data, "completejourney")
	d := scratch(t, `CREATE TABLE raw (household TEXT, store TEXT, basket TEXT, product TEXT, quantity REAL, sales REAL, retail REAL, coupon REAL, matched REAL, week TEXT, at TEXT)`)
	exec1(t, d, `CREATE TABLE products (product TEXT PRIMARY KEY, manufacturer TEXT, department TEXT, brand TEXT, category TEXT, type TEXT, size TEXT)`)
	load(t, d, "raw", readCSV(t, filepath.Join(folder, "transactions_sample.csv.gz")))
	load(t, d, "products", readCSV(t, filepath.Join(folder, "products.csv.gz")))
	exec1(t, d, `
		CREATE TABLE lines AS
		SELECT r.household AS member, r.basket, r.at, substr(r.at, 1, 4) AS year, substr(r.at, 1, 10) AS day, COALESCE(p.department, '') AS department,
			COALESCE(p.brand, '') AS brand, COALESCE(p.category, '') AS category,
			CAST(ROUND(r.sales * 100) AS INTEGER) AS cents, CAST(ROUND((r.retail + r.coupon + r.matched) * 100) AS INTEGER) AS discount
		FROM raw r LEFT JOIN products p ON p.product = r.product`)
	exec1(t, d, `CREATE TABLE baskets AS SELECT member, basket, MIN(at) AS at, MIN(year) AS year, MIN(day) AS day, SUM(cents) AS cents FROM lines GROUP BY member, basket`)
	exec1(t, d, `CREATE TABLE yearly AS SELECT member, year, SUM(cents) AS cents FROM baskets GROUP BY member, year`)
	// The running total of the year says who is silver when a basket is paid.
	exec1(t, d, `
		CREATE TABLE standing AS
		SELECT b.member, b.basket, SUM(b.cents) OVER (PARTITION BY b.member, b.year ORDER BY b.at, b.basket ROWS UNBOUNDED PRECEDING) >= 10000
			OR COALESCE(y.cents, 0) >= 10000 AS silver
		FROM baskets b LEFT JOIN yearly y ON y.member = b.member AND y.year = CAST(b.year - 1 AS TEXT)`)
	exec1(t, d, `
		CREATE TABLE points AS
		SELECT l.member, substr(b.day, 1, 7) AS month, 'base' AS rule, l.cents / 100 AS points FROM lines l JOIN baskets b USING (basket) WHERE department <> 'FUEL'
		UNION ALL SELECT l.member, substr(b.day, 1, 7), 'produce', l.cents * 2 / 100 FROM lines l JOIN baskets b USING (basket) WHERE department = 'PRODUCE'
		UNION ALL SELECT l.member, substr(b.day, 1, 7), 'own-brand', 1 FROM lines l JOIN baskets b USING (basket) WHERE brand = 'Private'
		UNION ALL SELECT b.member, substr(b.day, 1, 7), 'grocery-before-discounts', SUM(l.cents + l.discount) / 500 FROM lines l JOIN baskets b USING (basket)
			WHERE department = 'GROCERY' GROUP BY b.basket
		UNION ALL SELECT l.member, substr(b.day, 1, 7), 'double-meat', l.cents / 100 FROM lines l JOIN baskets b USING (basket) WHERE department = 'MEAT'
		UNION ALL SELECT l.member, substr(b.day, 1, 7), 'silver-dairy', l.cents / 100 * 2 FROM lines l JOIN baskets b USING (basket) JOIN standing s USING (basket)
			WHERE department = 'GROCERY' AND category = 'CHEESE' AND s.silver`)
	return expected{
		members:   number(t, ask(t, d, `SELECT COUNT(DISTINCT member) FROM lines`)[0][0]),
		purchases: number(t, ask(t, d, `SELECT COUNT(*) FROM baskets`)[0][0]),
		earned:    sums(t, d, `SELECT member || ' ' || rule, SUM(points) FROM points GROUP BY member, rule`),
		expired:   expiry(t, d),
		tiers: words(t, d, `
			SELECT member || ' year', CASE WHEN SUM(cents) >= 25000 THEN 'gold' ELSE 'silver' END FROM baskets
			WHERE day <= '2017-11-30' GROUP BY member HAVING SUM(cents) >= 10000
			UNION ALL
			SELECT member || ' recent', 'regular' FROM baskets WHERE day > '2017-08-30' AND day <= '2017-11-30' GROUP BY member HAVING SUM(cents) >= 6000`),
	}
}
