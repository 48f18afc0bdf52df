package db

import (
	"context"
	"fmt"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
)

const (
	// The function is what makes an engine one that can: Citus has it, and what is like Citus.
	canDistribute = `SELECT to_regproc('create_distributed_table') IS NOT NULL AND to_regproc('create_reference_table') IS NOT NULL`

	// Whoever is connected under our name, but for this connection.
	otherSessions = `
SELECT COUNT(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()
	AND backend_type = 'client backend'`

	spreadAlready = `SELECT logicalrelid::text, partmethod::text FROM pg_dist_partition`

	hotForeignKeys = `
SELECT c.relname, f.conname, pg_get_constraintdef(f.oid) FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
WHERE f.contype = 'f' AND f.conparentid = 0 AND ` + oursPostgres + ` ORDER BY c.relname, f.conname`
)

// DistributeSQL gives the commands that spread the tables, as far as they are not yet: foreign keys are taken away first and put back
// last, since a table that is spread may not point at one that is not. On an engine that cannot it gives the commands for a
// database of which nothing is spread, to be read.
func (d *DB) DistributeSQL(ctx context.Context) ([]string, error) {
	if d.dialect == SQLite {
		return nil, errNotDistributable("A SQLite file is for one machine.")
	}
	var can bool
	done := map[string]bool{}
	type key struct{ table, name, text string }
	var keys []key
	err := d.Read(ctx, func(tx *Tx) error {
		clear(done)
		keys = nil
		if err := tx.QueryRow(ctx, canDistribute).Scan(&can); err != nil {
			return err
		}
		if can {
			err := Collect(ctx, tx, func(row Scanner) error {
				var table, method string
				err := row.Scan(&table, &method)
				done[table] = true
				return err
			}, spreadAlready)
			if err != nil {
				return err
			}
		}
		return Collect(ctx, tx, func(row Scanner) error {
			var k key
			err := row.Scan(&k.table, &k.name, &k.text)
			keys = append(keys, k)
			return err
		}, hotForeignKeys)
	})
	if err != nil {
		return nil, fmt.Errorf("read what is distributed: %w", err)
	}
	var sql, after []string
	for _, k := range keys {
		if !done[k.table] {
			sql = append(sql, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", k.table, k.name))
			after = append(after, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", k.table, k.name, k.text))
		}
	}
	with := "none" // a group of their own, in which a bucket lies on one machine in all tables
	for _, t := range tables {
		switch {
		case !t.Hot && !done[t.Name]:
			sql = append(sql, fmt.Sprintf("SELECT create_reference_table('%s')", t.Name))
		case t.Hot && !done[t.Name]:
			sql = append(sql, fmt.Sprintf("SELECT create_distributed_table('%s', 'bucket', colocate_with => '%s')", t.Name, with))
		}
		if t.Hot && with == "none" {
			with = t.Name
		}
	}
	return append(sql, after...), nil
}

// Distribute spreads the tables over the machines of the engine and notes that the database is distributed. It may be run again: what
// is spread already stays, and tables that are new are added. It needs the connection to the coordinator, and that the database was
// opened with one connection, since it counts others as programs that must not use the database meanwhile. It gives the commands that it
// ran. Errors: invalid
// [ReasonNotDistributable]; conflict "in_use", "bad_layout".
func (d *DB) Distribute(ctx context.Context, now time.Time) ([]string, error) {
	if err := d.mayDistribute(ctx); err != nil {
		return nil, err
	}
	sql, err := d.spreadTables(ctx)
	if err != nil {
		return sql, err
	}
	return sql, d.NoteDistributed(ctx, now)
}

// spreadTables runs DistributeSQL and gives what it ran.
func (d *DB) spreadTables(ctx context.Context) ([]string, error) {
	sql, err := d.DistributeSQL(ctx)
	for i, s := range sql {
		if _, err := d.write.ExecContext(ctx, s); err != nil {
			return sql[:i], explain(ctx, fmt.Errorf("%s: %w", s, err))
		}
	}
	return sql, err
}

// spreadNew spreads the tables that a migration brought to a distributed database.
func (d *DB) spreadNew(ctx context.Context) error {
	if !d.Distributed() {
		return nil
	}
	can, err := d.canDistribute(ctx)
	if err == nil && can { // else it only says that it is distributed, to be tried on one machine
		_, err = d.spreadTables(ctx)
	}
	return err
}

func (d *DB) canDistribute(ctx context.Context) (can bool, err error) {
	err = d.Read(ctx, func(tx *Tx) error { return tx.QueryRow(ctx, canDistribute).Scan(&can) })
	if err != nil {
		return false, fmt.Errorf("look whether the database can be distributed: %w", err)
	}
	return can, nil
}

func (d *DB) mayDistribute(ctx context.Context) error {
	if d.dialect == SQLite {
		return errNotDistributable("A SQLite file is for one machine.")
	}
	can, err := d.canDistribute(ctx)
	if err != nil {
		return err
	}
	if !can {
		return errNotDistributable("This PostgreSQL has no create_distributed_table: it is one for one machine.")
	}
	var others int
	err = d.Read(ctx, func(tx *Tx) error { return tx.QueryRow(ctx, otherSessions).Scan(&others) })
	switch {
	case err != nil:
		return fmt.Errorf("look who else uses the database: %w", err)
	case others > 0 && !d.Distributed():
		return errs.Conflict("in_use", "Other programs of this name use the database: stop every lojal that is connected to it, then try again.")
	}
	faults, err := d.CheckLayout(ctx)
	if err == nil && len(faults) > 0 {
		err = errs.Conflict("bad_layout", "The schema cannot be distributed: "+strings.Join(faults, "; ")+".")
	}
	return err
}

func errNotDistributable(why string) error {
	return errs.Invalid(ReasonNotDistributable, why+" lojal runs on it as it is; a database is distributed only by an engine such as Citus, from its coordinator.")
}
