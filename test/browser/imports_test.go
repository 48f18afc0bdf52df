package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/staff"
)

// TestAFileIsImported uploads receipts as a Norwegian till writes them, has a column of them corrected, tries them, downloads what is refused, and imports the rest.
func TestAFileIsImported(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	complaints := watch(ctx)
	file := filepath.Join(t.TempDir(), "kvitteringer.csv")
	rows := "Bongnr;Kundenr;Dato;Sum;Butikk\nA-1;1001;01.11.2026 10:00;129,00;oslo-1\nA-2;9001;01.11.2026 11:30;1 250,50;oslo-1\nA-3;9001;01.11.2026 12:00;=1+1;oslo-1\n"
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	var site, first, trying, refused, mapping, href string
	err := chromedp.Run(ctx, network.Enable(), h.as(staff.Marketer), screens[1].actions(), chromedp.Navigate(h.url+"/console/imports"), chromedp.Text("main", &site, chromedp.ByQuery),
		chromedp.Click(`a[href="/console/imports/new"]`, chromedp.ByQuery), chromedp.WaitVisible("#f-file", chromedp.ByQuery), chromedp.SetUploadFiles("#f-file", []string{file}, chromedp.ByQuery),
		chromedp.Click(`main form button`, chromedp.ByQuery), chromedp.WaitVisible("#fields", chromedp.ByQuery), chromedp.Text("#first + *, #first", &first, chromedp.ByQuery), chromedp.Location(&mapping))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(site, "No files have been imported yet") || !strings.Contains(first, "kvitteringer.csv") {
		t.Errorf("%q, %q", site, first)
	}
	mapping = strings.TrimPrefix(mapping, h.url)
	visit(ctx, t, h, "import-mapping", mapping)
	visit(ctx, t, h, "import-mapping-text", mapping+"?as=text")

	// The amount is taken away: it is asked for. Then it is given again, and all is tried.
	var asked string
	do := `main form.stack-l button.main`
	err = chromedp.Run(ctx, screens[1].actions(), chromedp.Navigate(h.url+mapping), chromedp.SetValue(`[name="col.line.amount"]`, "", chromedp.ByQuery), chromedp.Click(do, chromedp.ByQuery),
		chromedp.WaitVisible(".notice.bad", chromedp.ByQuery), chromedp.Text(".field .wrong", &asked, chromedp.ByQuery),
		chromedp.SetValue(`[name="col.line.amount"]`, "4", chromedp.ByQuery), chromedp.Click(do, chromedp.ByQuery), chromedp.WaitVisible(`form[action$="/start"] button`, chromedp.ByQuery), chromedp.Text("main", &trying, chromedp.ByQuery),
		chromedp.AttributeValue(`a[href$="/refused.csv"]`, "href", &href, nil, chromedp.ByQuery), chromedp.Location(&site))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(asked, "Choose the column") {
		t.Errorf("%q", asked)
	}
	for _, want := range []string{"Tried, not imported", "ext:1001", "NOK", "Members that would be enrolled", `"=1+1" is not a number`, "Import now"} {
		if !strings.Contains(trying, want) {
			t.Errorf("%q is not in\n%s", want, trying)
		}
	}
	visit(ctx, t, h, "import-tried", strings.TrimPrefix(site, h.url))
	err = chromedp.Run(ctx, screens[1].actions(), chromedp.Evaluate(`fetch("`+href+`").then(r => r.text())`, &refused, awaited), chromedp.Click(`form[action$="/start"] button`, chromedp.ByQuery),
		chromedp.WaitVisible(".title .badge.warn", chromedp.ByQuery), chromedp.Text("main", &trying, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(refused, "4,\"amount:") || !strings.Contains(refused, ",'=1+1,") {
		t.Errorf("%q", refused)
	}
	if !strings.Contains(trying, "Imported") || !strings.Contains(trying, "Rows taken") {
		t.Errorf("%s", trying)
	}
	visit(ctx, t, h, "import", strings.TrimPrefix(site, h.url))
	visit(ctx, t, h, "imports", "/console/imports")
	visit(ctx, t, h, "import-new", "/console/imports/new")
	err = chromedp.Run(ctx, chromedp.Navigate(h.url+"/console/members?q=ext:9001"), chromedp.WaitVisible(".table a", chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range *complaints {
		if !strings.Contains(c, "status of 422") {
			t.Errorf("the browser complains: %s", c)
		}
	}

	// An auditor looks, and imports nothing.
	var page string
	if err := chromedp.Run(ctx, h.as(staff.Auditor), chromedp.Navigate(h.url+"/console/imports"), chromedp.OuterHTML("main", &page, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page, "/console/imports/new") {
		t.Error("an auditor is offered to import")
	}
}

// awaited waits for a promise.
func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
