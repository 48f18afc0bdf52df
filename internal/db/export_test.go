package db

import (
	"context"
	"io/fs"
	"time"
)

// For the tests in package db_test, which can use dbtest.
var Placeholders = placeholders

const KeptStatements = keptStatements

func (d *DB) MigrateFrom(ctx context.Context, files fs.FS) (int, error) { return d.migrate(ctx, files) }
func (d *DB) PendingFrom(ctx context.Context, files fs.FS) (int, error) { return d.pending(ctx, files) }
func (d *DB) Version(ctx context.Context) (int64, error)                { return d.version(ctx) }
func (d *DB) CheckLayoutOf(ctx context.Context, declared []Table) ([]string, error) {
	return d.checkLayout(ctx, declared)
}

// Hurry lets a watch ask more often than a server does.
func (d *DB) Hurry(every, patience time.Duration) { d.watch.every, d.watch.patience = every, patience }

// Migrations are those for the database's engine.
func (d *DB) Migrations() fs.FS { return embedded(d.dialect) }
