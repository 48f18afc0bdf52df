package db_test

import (
	"errors"
	"fmt"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

func TestAReaderOfTheLogNeverSkipsALateCommit(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres) // on SQLite the second transaction could not even begin
	must(t, d, `CREATE TABLE log (stamp bigint, id text)`)
	add := func(tx *db.Tx, id string) error {
		stamp, err := tx.Stamp(t.Context())
		if err != nil {
			return err
		}
		_, err = tx.Exec(t.Context(), `INSERT INTO log (stamp, id) VALUES ($1, $2)`, stamp, id)
		return err
	}
	visible := func() (ids string) {
		err := d.Read(t.Context(), func(tx *db.Tx) error {
			horizon, err := db.Horizon(t.Context(), tx)
			if err != nil {
				return err
			}
			ids = ""
			return db.Collect(t.Context(), tx, func(row db.Scanner) error {
				var id string
				err := row.Scan(&id)
				ids += id
				return err
			}, `SELECT id FROM log WHERE stamp < $1 ORDER BY stamp`, horizon)
		})
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		if err := add(tx, "early"); err != nil {
			return err
		}
		if err := d.Write(t.Context(), func(tx *db.Tx) error { return add(tx, "late") }); err != nil {
			return err
		}
		if got := visible(); got != "" {
			t.Errorf("%q is seen while an earlier stamp is still to come", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Settle(t, d)
	if got := visible(); got != "earlylate" {
		t.Errorf("%q", got)
	}
}

func TestAFollowerOfTheLogSeesEachRowOnceInOrder(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		must(t, d, `CREATE TABLE log (stamp bigint, writer bigint, n bigint, PRIMARY KEY (stamp, writer, n))`)
		const writers, each = 6, 20
		done := make(chan error, writers)
		for w := range writers {
			go func() {
				done <- func() error {
					for n := range each {
						err := d.Write(t.Context(), func(tx *db.Tx) error {
							stamp, err := tx.Stamp(t.Context())
							if err != nil {
								return err
							}
							if _, err := tx.Exec(t.Context(), `INSERT INTO log (stamp, writer, n) VALUES ($1, $2, $3)`, stamp, w, n); err != nil {
								return err
							}
							if n%5 == 4 {
								return errRefused
							}
							return nil
						})
						if err != nil && !errors.Is(err, errRefused) {
							return err
						}
					}
					return nil
				}()
			}()
		}
		seen, last, running := map[string]bool{}, int64(0), writers
		follow := func() {
			err := d.Read(t.Context(), func(tx *db.Tx) error {
				horizon, err := db.Horizon(t.Context(), tx)
				if err != nil {
					return err
				}
				return db.Collect(t.Context(), tx, func(row db.Scanner) error {
					var stamp, writer, n int64
					if err := row.Scan(&stamp, &writer, &n); err != nil {
						return err
					}
					id := fmt.Sprint(writer, "/", n)
					if seen[id] || stamp <= last {
						return fmt.Errorf("%s with stamp %d after %d", id, stamp, last)
					}
					seen[id], last = true, stamp
					return nil
				}, `SELECT stamp, writer, n FROM log WHERE stamp > $1 AND stamp < $2 ORDER BY stamp`, last, horizon)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for running > 0 {
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
				running--
			default:
				follow()
			}
		}
		dbtest.Settle(t, d)
		follow()
		if len(seen) != writers*each*4/5 {
			t.Errorf("%d rows seen of %d", len(seen), writers*each*4/5)
		}
	})
}

var errRefused = errors.New("refused")

func TestStampsComeAfterThoseBroughtFromElsewhere(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const brought = 5_000_000_000_000
		var before, after, again, horizon int64
		stamp := func(to *int64) {
			err := d.Write(t.Context(), func(tx *db.Tx) (err error) {
				*to, err = tx.Stamp(t.Context())
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		raise := func(last int64) {
			if err := d.Write(t.Context(), func(tx *db.Tx) error { return db.RaiseStamp(t.Context(), tx, last) }); err != nil {
				t.Fatal(err)
			}
		}
		stamp(&before)
		raise(brought)
		stamp(&after)
		raise(17) // never back
		stamp(&again)
		if before <= 0 || after <= brought || again <= after {
			t.Errorf("stamps %d, %d, %d", before, after, again)
		}
		dbtest.Settle(t, d)
		err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
			horizon, err = db.Horizon(t.Context(), tx)
			return err
		})
		if err != nil || horizon <= brought {
			t.Errorf("horizon %d, %v", horizon, err)
		}
	})
}
