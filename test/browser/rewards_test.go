package browser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/staff"
)

// TestRewardsAreSeenTo loads codes into a pool, follows a redemption from the list and gives it back, and finds what a code is.
func TestRewardsAreSeenTo(t *testing.T) {
	t.Parallel()
	h := full(t, "gift-card-rewards")
	d := h.desk(t, staff.Owner)
	d.open("/console/rewards").says("Rewards", "Pools of codes")
	var pool string
	if err := chromedp.Run(d.ctx, chromedp.AttributeValue(`a[href^="/console/pools/"]`, "href", &pool, nil, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	visit(d.ctx, t, h, "rewards", "/console/rewards")
	visit(d.ctx, t, h, "pool", pool)
	d.open(pool).act("codes", "kode;siste dag\nFILM-0001;2099-12-31\nFILM-0001\nFILM-0002,31.12.2099\nFILM-0003,2001-01-01\n")
	d.says("3 rows cannot be read", "Stands on the list twice", "The day is written", "The day is past")
	if d.has("table code") != 3 {
		t.Error("the wrong rows are not told one by one")
	}
	d.act("codes", "FILM-0001,2099-12-31\nFILM-0002").says("2 codes are loaded")
	file := filepath.Join(t.TempDir(), "codes.csv")
	if err := os.WriteFile(file, []byte("code,ends\r\n\"FILM-0002\",\r\n\"FILM-0003\",2099-01-31\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Run(d.ctx, chromedp.SetUploadFiles(`input[type=file]`, []string{file}, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	d.act().says("1 codes are loaded", "1 were there already")

	d.open("/console/redemptions")
	visit(d.ctx, t, h, "redemptions", "/console/redemptions")
	visit(d.ctx, t, h, "redemptions-none", "/console/redemptions?status=lapsed")
	d.open("/console/redemptions?status=to_hand").follow("td a[href^='/console/redemptions/']")
	at := d.where()
	visit(d.ctx, t, h, "redemption", at)
	visit(d.ctx, t, h, "redemption-refund", at+"/refund")
	d.open(at+"/refund").act("reason", "The wrong one").says("Refunded.", "Given back")
	if got := d.where(); got != at {
		t.Errorf("led to %s", got)
	}
	if d.has(`a[href="`+at+`/refund"]`) != 0 {
		t.Error("what is given back can be given back again")
	}
	d.open("/console/rewards").follow("td a[href^='/console/rewards/']")
	visit(d.ctx, t, h, "reward", d.where())
	visit(d.ctx, t, h, "code-look", "/console/codes")
	d.open("/console/codes").act("code", "7KXQ-2M9D-4VWT-R80HE").says("This is no code here")
	d.act("code", at[len("/console/redemptions/"):]).says("Given back")

	h.desk(t, staff.Analyst).open(at).says("Given back")
	analyst := h.desk(t, staff.Analyst).open("/console/rewards")
	if analyst.has(`a[href^="/console/pools/"]`) != 0 {
		t.Error("who may not load codes is led there")
	}
}
