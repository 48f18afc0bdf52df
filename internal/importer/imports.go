package importer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/ids"
)

// IDPrefix is the type prefix of imports' ids.
const IDPrefix = "imp"

// Statuses of an import. Running is what a kill leaves behind.
const (
	uploading = "uploading"
	waiting   = "waiting"
	running   = "running"
	done      = "done"
	failed    = "failed"
	cancelled = "cancelled"
)

// place is where an import stands: rows_done counts items in the order of the import, which file, mapping and program
// determine.
type place struct {
	id     string
	status string
	items  int
	kept
}

// kept is stored with the place.
type kept struct {
	Report
	// Begun says that what cannot be read was refused.
	Begun bool `json:"begun"`
	// RefusedBytes is how much of the file of refused rows belongs to what is done.
	RefusedBytes int64 `json:"refused_bytes"`
	// Minor is Report.Earned in minor units.
	Minor map[string]int64 `json:"earned_minor"`
	// Mapping is the text of the mapping of what was uploaded.
	Mapping string `json:"mapping,omitempty"`
}

const findImport = `
SELECT import_id, status, rows_done, report FROM imports
WHERE program_id = $1 AND hash = $2
ORDER BY import_id DESC
LIMIT 1`

const beginImport = `
INSERT INTO imports (program_id, import_id, kind, hash, file, status, rows_done, created_at, updated_at, report)
VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $7, '{}')`

const keepPlace = `
UPDATE imports SET status = $1, rows_done = $2, updated_at = $3, report = $4
WHERE program_id = $5 AND import_id = $6 AND status <> 'cancelled'`

const findImportID = `SELECT import_id, status, rows_done, report FROM imports WHERE program_id = $1 AND import_id = $2`

// find gives the last import of the same file under the same mapping; found is false when there was none.
func find(ctx context.Context, d *db.DB, program, hash string) (place, bool, error) {
	return findBy(ctx, d, findImport, program, hash)
}

// findID gives the import with the id.
func findID(ctx context.Context, d *db.DB, program, id string) (place, bool, error) {
	return findBy(ctx, d, findImportID, program, id)
}

func findBy(ctx context.Context, d *db.DB, query, program, by string) (p place, found bool, err error) {
	var report string
	err = d.Read(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(ctx, query, program, by).Scan(&p.id, &p.status, &p.items, &report)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return place{}, false, nil
	case err != nil:
		return place{}, false, fmt.Errorf("look for an earlier import: %w", err)
	}
	if err := json.Unmarshal([]byte(report), &p.kept); err != nil {
		return place{}, false, fmt.Errorf("read the report of import %s: %w", p.id, err)
	}
	return p, true, nil
}

// begin writes down that an import has begun.
func begin(ctx context.Context, d *db.DB, program string, kind Kind, hash, file string, now time.Time) (place, error) {
	p := place{id: ids.New(IDPrefix, now), status: running}
	err := d.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, beginImport, program, p.id, string(kind), hash, file, running, now.UnixMicro())
		return err
	})
	if err != nil {
		return place{}, fmt.Errorf("begin the import: %w", err)
	}
	return p, nil
}

// keep writes down where the import stands. It may lag behind the books: what comes twice is recognised by its natural key.
func (p *place) keep(ctx context.Context, d *db.DB, program string, now time.Time) error {
	report, err := json.Marshal(p.kept)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return d.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, keepPlace, p.status, p.items, now.UnixMicro(), string(report), program, p.id)
		return err
	})
}
