package cli

import (
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errand"
)

type errandCmd struct {
	List errandListCmd `cmd:"" help:"List what should have followed from events and did not: what failed, and what was refused."`
}

type errandListCmd struct {
	jsonFlag
	Limit int `default:"50" placeholder:"N" help:"How many, the newest first; ${default} when left out."`
	inProgram
}

func (errandListCmd) Help() string {
	return `From some events something follows for another member: the thanks for a referral, or what waited for a card that somebody has
now. Servers record it a moment later. What fails is tried again, with waits that grow to an hour, and keeps nothing else from being
done; what was refused, mostly since the member has left, is listed for thirty days.

Examples:

    lojal errand list
    lojal errand list --json`
}

func (c *errandListCmd) Run(e *env) error {
	return c.on(e, func(e *env, d *db.DB, program string) error {
		var list []errand.FollowUp
		var s errand.Standing
		err := d.Read(e.ctx, func(tx *db.Tx) (err error) {
			if s, err = errand.StandingOf(e.ctx, tx, program, e.now()); err == nil {
				list, err = errand.List(e.ctx, tx, program, max(c.Limit, 1))
			}
			return err
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return e.json(map[string]any{"behind_seconds": int64(s.Behind.Seconds()), "waits": s.Waits, "refused": s.Refused, "follow_ups": list})
		}
		if s.Behind > time.Minute {
			e.printf("Events have waited for %s to be followed: see that a server runs.\n", s.Behind.Round(time.Second))
		}
		if len(list) == 0 {
			e.printf("Nothing has failed or was refused.\n")
		}
		for i := range list {
			u := &list[i]
			e.printf("%s  %-7s %s for %s\n", u.At.Local().Format(time.DateTime), u.Status, u.Key, u.Member)
			e.printf("    %s\n", firstLine(u.Message))
			if u.Status == errand.Waits {
				e.printf("    tried %d times, again %s\n", u.Tries, u.Next.Local().Format(time.DateTime))
			}
		}
		return nil
	})
}
