package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errand"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/export"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/relay"
	"lojal.dev/lojal/internal/seal"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/webhook"
)

// schema compares the tables with this program, and says whether there is any use in looking into them.
func (e *exam) schema(ctx context.Context) bool {
	pending, err := e.DB.Pending(ctx)
	if err != nil {
		e.failed("schema", err)
		return false
	}
	if pending > 0 {
		e.say("schema", Error, fmt.Sprintf("The database wants %s before this lojal can use it.", lang.Things(pending, "migration")), "Make a backup with the lojal that was used so far, then: lojal migrate. A server does it when it starts.")
		return false
	}
	faults, err := e.DB.CheckLayout(ctx)
	switch {
	case err != nil:
		e.failed("schema", err)
	case len(faults) > 0:
		e.say("schema", Warning, "The tables were changed by hand: "+strings.Join(faults, "; ")+".", "Undo it: the next migration may fail on it.")
	default:
		e.okf("schema", "The tables are those of this lojal.")
	}
	return true
}

// programs reads all programs.
func (e *exam) programs(ctx context.Context) (out []version.Program, err error) {
	err = e.DB.Read(ctx, func(tx *db.Tx) (err error) {
		out, err = version.Programs(ctx, tx)
		return err
	})
	return out, err
}

// each calls look for every program in a transaction of its own.
func (e *exam) each(ctx context.Context, look func(tx *db.Tx, id string) error) error {
	all, err := e.programs(ctx)
	for _, p := range all {
		if err == nil {
			err = e.DB.Read(ctx, func(tx *db.Tx) error { return look(tx, p.ID) })
		}
	}
	return err
}

func (e *exam) versions(ctx context.Context) error {
	all, err := e.programs(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		e.say("versions", Note, "There is no program yet.", "lojal init writes one to start from, lojal program publish puts it in force.")
	}
	for _, p := range all {
		var set *version.Set
		changed := ""
		err := e.DB.Read(ctx, func(tx *db.Tx) (err error) {
			set, changed = nil, ""
			list, err := version.List(ctx, tx, p.ID)
			if err != nil {
				return err
			}
			for _, v := range list {
				_, doc, err := version.Get(ctx, tx, p.ID, v.Version)
				if err != nil {
					return err
				}
				if hash, err := program.Hash(doc); err != nil || hash != v.Hash {
					changed = fmt.Sprintf("version %d of %s", v.Version, p.ID)
				}
			}
			set, err = version.Load(ctx, tx, p.ID)
			return err
		})
		switch {
		case errs.Is(err, errs.CodeNotFound, ""):
			e.say("versions", Error, "The program "+p.ID+" has no published version: nothing can be recorded.", "lojal program publish FILE")
			continue
		case err != nil:
			e.say("versions", Error, "The versions of "+p.ID+" cannot be read: "+err.Error(), "Restore the table versions from a backup; lojal verify says what else is wrong.")
			continue
		case changed != "":
			e.say("versions", Error, "The document of "+changed+" is not the one that was published: its hash differs.", "lojal verify says what follows; restore the document from a backup.")
		}
		now := set.At(e.now)
		if now == nil {
			first := set.List()[0]
			e.say("versions", Error, fmt.Sprintf("No version of %s is in force: the first begins on %s.", p.ID, first.EffectiveFrom.Format(time.RFC3339)), "Publish one that is in force now: lojal program publish FILE --from TIME")
			continue
		}
		e.okf("versions", "Version %d of %s is in force.", now.Version, p.ID)
		if next := set.Planned(version.Published{Version: now.Version}); next.ReplacedBy != 0 {
			e.say("versions", Note, fmt.Sprintf("Version %d of %s takes its place on %s.", next.ReplacedBy, p.ID, next.ReplacedAt.In(now.Zone).Format("2006-01-02 15:04 MST")), "Nothing to do if that is meant.")
		}
	}
	return nil
}

// unused is how long a key may lie idle.
const unused = 180 * 24 * time.Hour

func (e *exam) keys(ctx context.Context) error {
	return e.each(ctx, func(tx *db.Tx, id string) error {
		list, err := key.List(ctx, tx, id)
		if err != nil {
			return err
		}
		active, endless := 0, []string{}
		for _, k := range list {
			if k.RevokedAt != nil || k.ExpiresAt != nil && !k.ExpiresAt.After(e.now) {
				continue
			}
			active++
			name := fmt.Sprintf("%q (%s…)", k.Name, k.Prefix)
			used := k.CreatedAt
			if k.LastUsedAt != nil {
				used = *k.LastUsedAt
			}
			switch {
			case k.Allows(key.Admin) && k.ExpiresAt == nil:
				e.say("keys", Warning, "The key "+name+" of "+id+" may do everything and never ends.", "Give each till and shop a key with the scopes it needs: lojal key create NAME --scope …; and an end: --expires.")
			case k.ExpiresAt == nil:
				endless = append(endless, name)
			case k.ExpiresAt.Before(e.now.Add(14 * 24 * time.Hour)):
				e.say("keys", Warning, fmt.Sprintf("The key %s of %s ends in %s.", name, id, round(k.ExpiresAt.Sub(e.now))), "lojal key rotate makes a new secret and keeps the old one for a while.")
			}
			if e.now.Sub(used) > unused {
				e.say("keys", Note, fmt.Sprintf("The key %s of %s was not used for %s.", name, id, round(e.now.Sub(used))), "Revoke it if nobody needs it: lojal key revoke.")
			}
		}
		if len(endless) > 0 {
			e.say("keys", Note, "Keys of "+id+" that never end: "+strings.Join(endless, ", ")+".", "lojal key rotate now and then, or give new keys an end with --expires.")
		}
		e.okf("keys", "%s has %s.", id, lang.Things(active, "active key"))
		return nil
	})
}

// counted is how many due accounts are counted at most.
const counted = 1000

func (e *exam) work(ctx context.Context) error {
	var due []books.Due
	err := e.DB.Read(ctx, func(tx *db.Tx) (err error) {
		due, err = books.DueAfter(ctx, tx, e.now.Add(-e.limits.Late), books.Due{}, counted)
		return err
	})
	if err != nil {
		return err
	}
	if len(due) > 0 {
		many := fmt.Sprint(len(due))
		if len(due) == counted {
			many += " or more"
		}
		e.say("work", Warning, fmt.Sprintf("What time brings is not done: %s accounts wait, the oldest for %s.", many, round(e.now.Sub(due[0].At))),
			"See that a server runs (lojal serve), and its log for what fails; lojal sweep does the work by hand. Until then points are not spendable past their end, but warnings, releases and tiers are late.")
	} else {
		e.okf("work", "What time brings is done.")
	}
	return e.each(ctx, func(tx *db.Tx, id string) error {
		last, err := books.LastRecorded(ctx, tx, id)
		if err != nil || last == nil {
			return err
		}
		if ahead := last.Sub(e.now); ahead > time.Minute {
			e.say("clock", Error, fmt.Sprintf("The last fact of %s was recorded %s from now: the clock of this machine has gone back, or that of a server was ahead.", id, round(ahead)), "Set the clock; let all machines follow a time server.")
		}
		return nil
	})
}

func (e *exam) deliveries(ctx context.Context) error {
	var unmade time.Duration
	var backlog webhook.Backlog
	var all []*webhook.Endpoint
	err := e.DB.Read(ctx, func(tx *db.Tx) (err error) {
		if unmade, err = relay.Unmade(ctx, tx, e.now); err != nil {
			return err
		}
		if backlog, err = webhook.WholeBacklog(ctx, tx); err != nil {
			return err
		}
		all, err = webhook.Attended(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	bad := false
	if unmade > e.limits.Late {
		e.say("deliveries", Warning, fmt.Sprintf("The oldest event that no endpoint was told of yet is %s old.", round(unmade)), "See that a server runs, and that no transaction is open for long on the database server.")
		bad = true
	}
	if backlog.Oldest != nil && e.now.Sub(*backlog.Oldest) > e.limits.Late {
		e.say("deliveries", Warning, fmt.Sprintf("%s waiting, the oldest for %s.", lang.Things(backlog.Pending, "delivery"), round(e.now.Sub(*backlog.Oldest))), "lojal webhook list says which endpoint fails, and with what.")
		bad = true
	}
	if backlog.Dead > 0 {
		e.say("deliveries", Warning, fmt.Sprintf("%s given up.", lang.Things(backlog.Dead, "delivery")), "Mend the endpoint, then send them again: lojal webhook replay.")
		bad = true
	}
	active := 0
	for _, w := range all {
		if !w.Removed() {
			active++
		}
	}
	var disabled []string
	err = e.each(ctx, func(tx *db.Tx, id string) error {
		list, err := webhook.List(ctx, tx, id)
		for _, w := range list {
			if w.Status == webhook.Disabled {
				disabled = append(disabled, w.URL)
			}
		}
		return err
	})
	if len(disabled) > 0 {
		e.say("deliveries", Warning, "Endpoints that are not told any more: "+strings.Join(disabled, ", ")+".", "Mend them and enable them again: lojal webhook enable; or remove them.")
		bad = true
	}
	if !bad && active > 0 {
		e.okf("deliveries", "%s told of events in time.", lang.Things(active, "endpoint"))
	}
	return err
}

func (e *exam) jobs(ctx context.Context) error {
	var counts []job.Count
	var paused []string
	err := e.DB.Read(ctx, func(tx *db.Tx) (err error) {
		if counts, err = job.Counts(ctx, tx); err != nil {
			return err
		}
		paused, err = job.Paused(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	bad := false
	for _, c := range counts {
		switch c.State {
		case job.Discarded:
			e.say("jobs", Warning, fmt.Sprintf("%s of kind %s given up after many attempts.", lang.Things(c.Jobs, "job"), c.Kind), "lojal job list says why; lojal job retry has them done again.")
			bad = true
		case job.Retryable:
			e.say("jobs", Note, fmt.Sprintf("%s of kind %s failed and will be tried again.", lang.Things(c.Jobs, "job"), c.Kind), "If it lasts, lojal job list says why.")
			bad = true
		}
	}
	if len(paused) > 0 {
		e.say("jobs", Warning, "Kinds of jobs that are paused: "+strings.Join(paused, ", ")+".", "lojal job resume KIND, when what they were paused for is over.")
		bad = true
	}
	if !bad {
		e.okf("jobs", "No job has failed.")
	}
	return nil
}

func (e *exam) errands(ctx context.Context) error {
	return e.each(ctx, func(tx *db.Tx, id string) error {
		s, err := errand.StandingOf(ctx, tx, id, e.now)
		if err != nil {
			return err
		}
		if s.Behind > e.limits.Late {
			e.say("errands", Warning, fmt.Sprintf("What follows from the events of %s for other members, such as the thanks for a referral, has not been done for %s.", id, round(s.Behind)),
				"See that a server runs, and its log for what fails; lojal job list --kind errands says why.")
		}
		if s.Waits > 0 {
			e.say("errands", Warning, fmt.Sprintf("Of what follows from events of %s, %s failed and will be tried again.", id, lang.Things(s.Waits, "fact")), "lojal errand list says which, and why; lojal verify says whether the books of that member are sound.")
		}
		if s.Refused > 0 {
			e.say("errands", Note, fmt.Sprintf("Of what should follow from events of %s, %s refused in the last thirty days.", id, lang.Things(s.Refused, "fact")), "lojal errand list says which, and why: mostly that the member has left.")
		}
		if s.Follows && s.Behind <= e.limits.Late && s.Waits == 0 {
			e.okf("errands", "What follows from the events of %s for other members is done.", id)
		}
		return nil
	})
}

func (e *exam) seals(ctx context.Context) error {
	return e.each(ctx, func(tx *db.Tx, id string) error {
		head, oldest, err := seal.Behind(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case oldest != nil && e.now.Sub(*oldest) > e.limits.Late && (head == nil || e.now.Sub(head.SealedAt) > e.limits.Late):
			said := "nothing is sealed yet"
			if head != nil {
				said = "the last seal was made " + round(e.now.Sub(head.SealedAt)) + " ago"
			}
			e.say("seals", Warning, fmt.Sprintf("The books of %s are not sealed to their end: %s, and a fact has waited for %s.", id, said, round(e.now.Sub(*oldest))),
				"See that a server runs and that --seal-every is not 0; lojal seal does it by hand. On PostgreSQL a transaction that is open for long keeps the seals back.")
		case head != nil:
			e.okf("seals", "The books of %s are sealed; the head is %s.", id, head.Head().Of(id))
		}
		return nil
	})
}

func (e *exam) backups(ctx context.Context) error {
	var last time.Time
	var what string
	err := e.each(ctx, func(tx *db.Tx, id string) error {
		list, _, err := audit.List(ctx, tx, id, audit.Query{Action: export.BackupAction, Limit: 1})
		if err == nil && len(list) > 0 && list[0].At.After(last) {
			last, what = list[0].At, list[0].Target
		}
		return err
	})
	if err != nil {
		return err
	}
	if e.Backups != "" {
		at, name, err := newest(e.Backups)
		if err != nil {
			e.say("backups", Error, "The folder of backups cannot be read: "+err.Error(), "See that it is there and may be read.")
			last = e.now // enough was said
		}
		if at.After(last) {
			last, what = at, name
		}
	}
	switch {
	case last.IsZero() && e.DB.Dialect() == db.Postgres:
		e.say("backups", Note, "No backup made by lojal is known.", "Nothing to do if the server is backed up by its own tools (base backups and log archive); else: lojal backup FILE, every day.")
	case last.IsZero():
		e.say("backups", Warning, "No backup is known.", "lojal backup FILE, every day, and the file to another machine.")
	case e.now.Sub(last) > e.limits.Backup:
		e.say("backups", Warning, fmt.Sprintf("The last backup that is known, %s, was made %s ago.", what, round(e.now.Sub(last))), "lojal backup FILE, every day, and the file to another machine.")
	case what != "":
		e.okf("backups", "The last backup, %s, was made %s ago.", what, round(e.now.Sub(last)))
	}
	return nil
}

// newest gives the last file of a folder and when it was written.
func newest(folder string) (at time.Time, name string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return at, "", err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist): // it went away just now
		case err != nil:
			return at, name, err
		case !info.IsDir() && info.ModTime().After(at):
			at, name = info.ModTime(), entry.Name()
		}
	}
	return at, name, nil
}
