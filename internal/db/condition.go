package db

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"sync"
)

// Condition is the state a database is in.
type Condition struct {
	// Schema is 0 when the schema is this program's, negative when it is older and positive when it is newer.
	Schema int
	// ReadOnly says that the server is a standby or was told to take no writes.
	ReadOnly bool
	// WritesFail says that the last write failed because of the database or its machine.
	WritesFail bool
}

const readOnlyPostgres = `SELECT CASE WHEN pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' THEN 1 ELSE 0 END`

// Condition looks at the database with a small read.
func (d *DB) Condition(ctx context.Context) (Condition, error) {
	out := Condition{WritesFail: d.failing.Load()}
	err := d.Read(ctx, func(tx *Tx) error {
		var version int64
		if err := tx.QueryRow(ctx, versionNewest).Scan(&version); err != nil {
			return err
		}
		out.Schema = int(version - newest())
		if d.dialect != Postgres {
			return nil
		}
		var n int
		err := tx.QueryRow(ctx, readOnlyPostgres).Scan(&n)
		out.ReadOnly = n != 0
		return err
	})
	if err != nil {
		return Condition{}, fmt.Errorf("look at the condition of the database: %w", err)
	}
	return out, nil
}

// newest is the version of this program's last migration.
var newest = sync.OnceValue(func() int64 {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		panic(err) // the pattern is right
	}
	var n int64
	for _, file := range files {
		number, _, _ := strings.Cut(path.Base(file), "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			panic("db: a migration without a number: " + file)
		}
		n = max(n, v)
	}
	return n
})
