package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/seal"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

// BackupAction is that of the entry which the audit log gets for every backup.
const BackupAction = "database.backed_up"

// Saved is a backup that was written.
type Saved struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
	// At is when it was begun, Seconds how long it took.
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`
	// Heads are the heads of the chains over the books that it holds at least, by program, as HASH@NUMBER.
	Heads map[string]string `json:"heads"`
}

// Save seals the books, so that the backup's head stands for nearly all that is in it, makes a backup (see Backup), and notes it
// in the audit log of every program.
func Save(ctx context.Context, d *db.DB, path, lojal string, clock func() time.Time) (Saved, error) {
	out := Saved{File: path, At: clock().UTC()}
	if _, err := seal.All(ctx, d, out.At); err != nil {
		return out, err
	}
	err := d.Read(ctx, func(tx *db.Tx) (err error) {
		out.Heads, err = seal.Heads(ctx, tx)
		return err
	})
	if err != nil {
		return out, err
	}
	if err := Backup(ctx, d, path, lojal, out.At); err != nil {
		return out, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return out, fmt.Errorf("look at the backup: %w", err)
	}
	out.Bytes, out.Seconds = info.Size(), clock().Sub(out.At).Seconds()
	return out, d.Write(ctx, func(tx *db.Tx) error {
		programs, err := version.Programs(ctx, tx)
		for _, p := range programs {
			if err == nil {
				_, err = audit.Append(ctx, tx, audit.Entry{Program: p.ID, At: out.At, Actor: "cli", Action: BackupAction, Target: filepath.Base(path),
					Detail: map[string]any{"bytes": out.Bytes, "head": out.Heads[p.ID]}})
			}
		}
		return err
	})
}

// Drill is what restoring a backup elsewhere, and proving it there, came to.
type Drill struct {
	Restored Restored `json:"restored"`
	// To is where; it is empty when that was thrown away afterwards.
	To       string         `json:"to,omitempty"`
	Programs []DrilledBooks `json:"programs"`
	// RestoreSeconds and VerifySeconds are how long it took: what a restore after an accident takes at least.
	RestoreSeconds float64 `json:"restore_seconds"`
	VerifySeconds  float64 `json:"verify_seconds"`
}

// DrilledBooks are the books of one program in a backup.
type DrilledBooks struct {
	Program string `json:"program"`
	Members int64  `json:"members"`
	Facts   int64  `json:"facts"`
	// Head is that of the chain in the backup, as HASH@NUMBER.
	Head string `json:"head,omitempty"`
	// Newest is when the last fact in it was recorded; Behind is how many facts the database in use has more by now: what would be
	// lost if it were lost this moment and there were nothing else.
	Newest *time.Time `json:"newest,omitempty"`
	Behind int64      `json:"behind"`
	// Findings are what is wrong with the books in the backup.
	Findings []verify.Finding `json:"findings"`
}

// Try restores a backup into an empty database, proves the books there, and compares them with the database it was made of: its
// heads, when it was just saved, must be in it. Without a URL it is restored into a temporary SQLite database that is
// thrown away. The error tells that it could not be done, or, conflict "backup_broken", that the backup cannot be relied on.
func Try(ctx context.Context, live *db.DB, backup, url string, heads map[string]string, clock func() time.Time) (out Drill, err error) {
	out.To = url
	if url == "" {
		dir, err := os.MkdirTemp("", "lojal-drill-*")
		if err != nil {
			return out, fmt.Errorf("make a folder to restore into: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		url = "sqlite:" + filepath.Join(dir, "restored.db")
	}
	began := clock()
	if out.Restored, err = Restore(ctx, url, backup, began); err != nil {
		return out, err
	}
	out.RestoreSeconds = clock().Sub(began).Seconds()
	d, err := db.Open(ctx, url, db.Options{})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	began = clock()
	if err := out.prove(ctx, d, live, heads); err != nil {
		return out, err
	}
	out.VerifySeconds = clock().Sub(began).Seconds()
	for _, b := range out.Programs {
		if len(b.Findings) > 0 {
			return out, errs.Conflict("backup_broken", fmt.Sprintf("The backup cannot be relied on: %s: %s", b.Program, b.Findings[0]))
		}
	}
	return out, nil
}

func (o *Drill) prove(ctx context.Context, d, live *db.DB, heads map[string]string) error {
	var programs []version.Program
	err := d.Read(ctx, func(tx *db.Tx) (err error) {
		programs, err = version.Programs(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	restored := map[string]bool{}
	for _, p := range programs {
		restored[p.ID] = true
		opts := verify.Options{}
		if text := heads[p.ID]; text != "" {
			_, head, err := seal.ParseHead(text)
			if err != nil {
				return err
			}
			opts.Heads = []seal.Head{head}
		}
		report, err := verify.Run(ctx, d, &version.Cache{}, p.ID, opts)
		if err != nil {
			return err
		}
		b := DrilledBooks{Program: p.ID, Members: report.Members, Facts: report.Facts, Head: report.Head, Findings: report.Findings}
		err = d.Read(ctx, func(tx *db.Tx) (err error) {
			b.Newest, err = books.LastRecorded(ctx, tx, p.ID)
			return err
		})
		if err == nil {
			err = live.Read(ctx, func(tx *db.Tx) error {
				now, err := books.CountFacts(ctx, tx, p.ID)
				b.Behind = now - b.Facts
				return err
			})
		}
		if err != nil {
			return err
		}
		o.Programs = append(o.Programs, b)
	}
	for id, head := range heads {
		if !restored[id] {
			o.Programs = append(o.Programs, DrilledBooks{Program: id, Head: head, Findings: []verify.Finding{{Check: "rows", Row: "programs " + id, Message: "is missing"}}})
		}
	}
	return nil
}
