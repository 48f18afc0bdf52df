package explain

import (
	"strings"
	"testing"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/lang"
)

// Each label, kind of fact and status is said in every language, with a place for every value.
func TestLabelsAreSaidInEveryLanguage(t *testing.T) {
	t.Parallel()
	places := map[Label]int{
		LabelNameless: 0, LabelHousehold: 0, LabelOrganization: 0, LabelJoined: 2, LabelPending: 1, LabelReserved: 1, LabelOwed: 1, LabelEarned: 1, LabelTaken: 1, LabelSpent: 1, LabelExpired: 1,
		LabelAdjusted: 1, LabelMoved: 1, LabelPartners: 1, LabelClosed: 1, LabelFrom: 1, LabelBroughtBy: 1, LabelNone: 0, LabelPlan: 3, LabelPlanOver: 2,
		LabelPlanNext: 1, LabelPlanCancelled: 0, LabelInvitedBy: 3, LabelInvited: 1,
		LabelUntil: 2, LabelTierSince: 3, LabelFalls: 1, LabelLastFacts: 0, LabelRefused: 1,
		LabelYes: 0, LabelNo: 0, LabelNoRewards: 0, LabelOfferLeft: 1, LabelStockLeft: 1, LabelLeft: 1, LabelFallsTo: 2, LabelEnds: 1,
	}
	values := []any{"first", "second", "third"}
	for _, language := range lang.All {
		for label, n := range places {
			got := Say(language, label, values[:n]...)
			if got == "" || strings.Contains(got, "%!") {
				t.Errorf("%s: %s is said as %q", language, label, got)
			}
			for _, v := range values[:n] {
				if !strings.Contains(got, v.(string)) {
					t.Errorf("%s: %s is said as %q, without the %s value", language, label, got, v)
				}
			}
		}
		for _, kind := range engine.Kinds {
			if got := Kind(kind, language); got == "" || got == string(kind) {
				t.Errorf("%s: %s has no name", language, kind)
			}
		}
		for _, status := range []string{"active", "blocked", "closed"} {
			if got := Status(status, language); got == "" || language != lang.English && got == status {
				t.Errorf("%s: %s is said as %q", language, status, got)
			}
		}
	}
	if n := len(labels); n != len(places) {
		t.Errorf("%d labels, %d looked at", n, len(places))
	}
	if got := Kind(engine.PurchaseK, "fi"); got != "Purchase" {
		t.Errorf("a language that is not known: %s", got)
	}
}
