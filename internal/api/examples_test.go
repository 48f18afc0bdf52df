package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// story runs the examples of the table in an order in which they make sense, so that each of them is known to work, and
// keeps what was answered.
type story struct {
	*house
	answers map[string]json.RawMessage
	// real is what stands for an id in the examples.
	real map[string]string
}

// tell runs the example of a route. The id that it makes stands for ids of its kind from then on.
func (s *story) tell(operation string) *answer {
	s.t.Helper()
	for _, r := range table() {
		if r.operationID() != operation {
			continue
		}
		path := r.Path
		for part := range strings.SplitSeq(r.Path, "/") {
			if strings.HasPrefix(part, "{") {
				example := r.example(strings.Trim(part, "{}"))
				if id := s.real[strings.SplitN(example, "_", 2)[0]]; id != "" {
					example = id
				}
				path = strings.Replace(path, part, example, 1)
			}
		}
		if r.Query != "" {
			path += "?" + strings.Replace(r.Query, "wait=10", "wait=0", 1)
		}
		body := r.Body
		if body == "" && r.Method == http.MethodPost {
			body = "{}"
		}
		body = strings.NewReplacer("7KXQ-2M9D-4VWT-R80HE", s.real["code"], "9MRT-2M9D-4VWT-R80HE", s.real["voucher"]).Replace(body)
		secret := s.secret
		if r.Scope == Open {
			secret = ""
		}
		var head []string
		if len(r.Parts) > 0 {
			body, head = multipartOf(s.t, r.Parts)
		}
		a := s.as(secret, r.Method, path, body, head...).want(r.Status)
		if r.Media != "" {
			said := string(fixed(a.raw))
			if r.Media == "application/pdf" {
				said = "%PDF-1.3 …"
			}
			if r.Media == "application/vnd.apple.pkpass" {
				said = "PK…"
			}
			text, err := json.Marshal(said)
			if err != nil {
				s.t.Fatal(err)
			}
			s.answers[operation] = text
			return a
		}
		for _, key := range []string{"id", "event"} {
			if id, ok := a.get(key).(string); ok {
				s.real[strings.SplitN(id, "_", 2)[0]] = id
			}
		}
		s.answers[operation] = stable(s.t, a.raw)
		return a
	}
	s.t.Fatalf("there is no operation %s", operation)
	return nil
}

// multipartOf makes a body of the examples of an upload's parts.
func multipartOf(tb testing.TB, parts []Part) (body string, head []string) {
	tb.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		part, err := w.CreateFormFile(p.Name, p.Name+".txt")
		if err == nil {
			_, err = part.Write([]byte(p.Example))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String(), []string{"Content-Type", w.FormDataContentType()}
}

var (
	anyID       = regexp.MustCompile(`\b([a-z]{3})_[0-9a-hjkmnp-tv-z]{26}(_[0-9]+)?\b`)
	anySecret   = regexp.MustCompile(`"secret":"lj_(live|test)_[^"]*"`)
	anySigner   = regexp.MustCompile(`"secret":"whsec_[^"]*"`)
	anySequence = regexp.MustCompile(`"sequence":"[^"]*"`)
	anyPrefix   = regexp.MustCompile(`"prefix":"lj_(live|test)_[^"]*"`)
	anyCode     = regexp.MustCompile(`"code":"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{5}"`)
	anyEntrance = regexp.MustCompile(`"invitation":"[0-9A-Z]{27}"`)
	anyInvite   = regexp.MustCompile(`"(code|value)":"[0-9A-Z]{11}"`)
	anyHash     = regexp.MustCompile(`"(commitment|seed|tickets_hash)":"[0-9a-f]{64}"`)
	anySave     = regexp.MustCompile(`"https://pay\.google\.com/gp/v/save/[^"]*"`)
	anyTail     = regexp.MustCompile(`"tail":"[^"]*"`)
	anyCursor   = regexp.MustCompile(`"next_cursor":"[^"]*"`)
)

// fixed replaces what chance made: ids are numbered by their kind, secrets and codes are hidden.
func fixed(raw []byte) []byte {
	seen := map[string]string{}
	raw = anyID.ReplaceAllFunc(raw, func(id []byte) []byte {
		if seen[string(id)] == "" {
			prefix := string(id[:3])
			n := 1
			for other := range seen {
				if strings.HasPrefix(other, prefix) {
					n++
				}
			}
			_, number, _ := strings.Cut(string(id[4:]), "_") // that of an event in its fact
			seen[string(id)] = strings.TrimSuffix(fmt.Sprintf("%s_01k9zjq3hfe1f8m6v7j0q3x5c%d_%s", prefix, n, number), "_")
		}
		return []byte(seen[string(id)])
	})
	raw = anySecret.ReplaceAll(raw, []byte(`"secret":"lj_${1}_…"`))
	raw = anySigner.ReplaceAll(raw, []byte(`"secret":"whsec_…"`))
	raw = anySequence.ReplaceAll(raw, []byte(`"sequence":"000000000000002a00000001"`))
	raw = anyPrefix.ReplaceAll(raw, []byte(`"prefix":"lj_${1}_4nTr"`))
	raw = anyCode.ReplaceAll(raw, []byte(`"code":"7KXQ-2M9D-4VWT-R80HE"`))
	raw = anyHash.ReplaceAllFunc(raw, func(field []byte) []byte {
		name, _, _ := strings.Cut(string(field), ":")
		return []byte(name + `:"` + map[string]string{ // a seed and its true hash
			`"seed"`: "5e4063329f5d64fde584b6762071578fae47e3c53d9501670c88e5e45cfd6c23", `"commitment"`: "90d8f3a3c07255a6ccb81d8504b0e53fe0a8e089d8159b9fadfa2dba21e127d4",
			`"tickets_hash"`: "abd7ef56260a7bdac40f2d59c74d8e93713714a92424e428f56f919b30aa610b",
		}[name] + `"`)
	})
	raw = anySave.ReplaceAll(raw, []byte(`"https://pay.google.com/gp/v/save/eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9…"`))
	raw = anyTail.ReplaceAll(raw, []byte(`"tail":"80HE"`))
	raw = anyEntrance.ReplaceAll(raw, []byte(`"invitation":"8H2QK7QW2M9D4VXZT6BR5NJCW3F"`))
	raw = anyInvite.ReplaceAll(raw, []byte(`"${1}":"K7QW2M9D4VX"`))
	return anyCursor.ReplaceAll(raw, []byte(`"next_cursor":"eyJzIjoxfQ"`))
}

// stable is fixed for an answer in JSON, with its lists kept short.
func stable(tb testing.TB, raw []byte) json.RawMessage {
	tb.Helper()
	raw = fixed(raw)
	var v map[string]json.RawMessage
	if err := json.Unmarshal(raw, &v); err != nil {
		tb.Fatal(err)
	}
	var items []json.RawMessage
	if json.Unmarshal(v["items"], &items) == nil && len(items) > 2 {
		short, err := json.Marshal(items[:2])
		if err != nil {
			tb.Fatal(err)
		}
		raw = bytes.Replace(raw, v["items"], short, 1)
	}
	return raw
}

func newStory(tb testing.TB) *story {
	tb.Helper()
	return &story{newHouse(tb, dbtest.Open(tb, db.SQLite), Limits{}), map[string]json.RawMessage{}, map[string]string{}}
}

// exampleAnswers runs all examples.
func exampleAnswers(tb testing.TB) map[string]json.RawMessage {
	tb.Helper()
	s := newStory(tb)
	s.tell("getHealthz")
	s.tell("getReadyz")
	s.tell("postMembers")
	s.do("POST", "/v1/members", `{"external_id": "4712"}`).want(201)
	s.do("POST", "/v1/members", `{"name": "Kari Nordmann", "birth": "1990-05-17", "identifiers": [{"kind": "card", "value": "10010009"}]}`).want(201)
	s.do("POST", "/v1/members", `{"name": "Kari Nordmann", "birth": "1990-05-17"}`).want(201)
	for _, op := range []string{
		"postMembersMemberReferral", "postMembersMemberInvitation", "getMembersMemberReferral", "getPartners", "getPartnersPartner", "postPartnersPartnerAwards", "postPartnersPartnerPayments",
		"postPartnersPartnerUndo", "postPartnersPartnerSettlements", "getPartnersPartnerMembersMember", "getPartnersPartnerStatementsMonth", "getPartnersPartnerStatementsMonthCsv", "getPartnersPartnerStatementsMonthPdf",
	} {
		s.tell(op)
	}
	for _, op := range []string{
		"getMembers", "getMembersDuplicates", "getMembersMember", "patchMembersMember", "postMembersMemberCard", "getMembersMemberWallet", "getMembersMemberWalletApple", "getMembersMemberWalletGoogle", "postMembersMemberIdentifiers", "deleteMembersMemberIdentifiersKindValue",
		"postPurchases", "putPurchasesSourceExternalId", "getPurchasesPurchase", "getPurchasesSourceExternalId", "getFactsFact", "getFactsFactExplanation",
		"postActivities", "postPurchasesPurchaseReturns", "getPurchasesPurchaseReturns",
	} {
		s.tell(op)
	}
	s.tell("postAdjustments")
	s.tell("postAdjustmentsIdReverse")
	s.do("POST", "/v1/adjustments", `{"member": "ext:4711", "unit": "star", "amount": "150", "reason": "Two years of coffee before the cards"}`).want(201)
	for _, op := range []string{
		"postSimulations", "postBatches", "getRewards", "getRewardsReward", "postRedemptions", "getRedemptionsRedemption", "postRedemptionsRedemptionCommit", "getRedemptions",
		"postRedemptionsRedemptionRefund", "getMembersMemberRedemptions", "postTransfers", "postTransfersIdReverse",
	} {
		s.tell(op)
	}
	s.real["code"] = s.tell("postMembersMemberShares").text("code")
	s.tell("getMembersMemberShares")
	s.tell("postSharesClaim")
	s.real["shr"] = s.do("POST", "/v1/members/ext:4711/shares", `{"share": "friend20"}`).want(201).text("id")
	s.tell("postSharesShareVoid")
	s.do("POST", "/v1/adjustments", `{"member": "ext:4711", "unit": "kudo", "amount": "50", "reason": "An allowance"}`).want(201)
	for _, op := range []string{"postRecognitions", "getRecognitionsRecognition", "postRecognitionsRecognitionApprove", "postRecognitionsRecognitionUndo", "getRecognitions"} {
		rec := s.real["rec"]
		s.tell(op)
		if op != "postRecognitions" {
			s.real["rec"] = rec
		}
	}
	s.real["rec"] = s.do("POST", "/v1/recognitions", `{"from": "ext:4711", "to": "ext:4712", "amount": "10", "value": "helped"}`).want(201).text("id")
	s.tell("postRecognitionsRecognitionDecline")
	s.tell("getMembersMemberRecognitions")
	s.real["red"] = s.do("POST", "/v1/redemptions", `{"member": "ext:4711", "reward": "coffee"}`).want(201).text("id")
	s.tell("postRedemptionsRedemptionCancel")
	for _, ext := range []string{"4721", "4722"} {
		s.do("POST", "/v1/members", `{"external_id": "`+ext+`"}`).want(201)
	}
	s.real["hou"] = s.tell("postHouseholds").text("id")
	for _, op := range []string{"postHouseholdsHouseSteps", "getHouseholdsHouse", "getHouseholds", "getMembersMemberHouses", "postHouseholdsHouseClose"} {
		s.tell(op)
	}
	s.real["org"] = s.tell("postOrganizations").text("id")
	for _, op := range []string{"postOrganizationsHouseSteps", "getOrganizationsHouse", "getOrganizations", "postOrganizationsHouseClose"} {
		s.tell(op)
	}
	s.real["code"] = s.tell("postGiftCards").text("code")
	for _, op := range []string{"postGiftCardsBatches", "getGiftCards", "getGiftCardsCard", "postCodesCheck", "postGiftCardsPay", "postGiftCardsCardLoads", "getGiftCardsCardFacts", "postGiftCardsCardCode"} {
		s.tell(op)
	}
	s.real["fct"] = s.tell("postCouponsUse").text("id")
	s.tell("postCouponsUsesUseUndo")
	s.real["cpn"] = s.tell("postCouponsBatches").text("codes", 0, "id")
	for _, op := range []string{"getCoupons", "postCouponsCodeStatus", "postCouponsBatchesBatchCancel"} {
		s.tell(op)
	}
	s.tell("postGiftCardsCardStatus")
	s.tell("postGiftCardsCardErase")
	s.real["gft"] = s.do("POST", "/v1/gift-cards", `{"amount": "100.00", "inactive": true}`).want(201).text("id")
	s.tell("postGiftCardsCardActivate")
	s.do("POST", "/v1/adjustments", `{"member": "ext:4711", "unit": "star", "amount": "500", "reason": "For vouchers"}`).want(201)
	bought := s.do("POST", "/v1/redemptions", `{"member": "ext:4711", "reward": "voucher", "commit": true}`).want(201)
	s.real["voucher"], s.real["red"] = bought.text("redemptions", 0, "voucher", "code"), bought.text("redemptions", 0, "id")
	for _, op := range []string{"postVouchersUse", "postRedemptionsRedemptionVoucherUndo", "postRedemptionsRedemptionVoucherCode", "postRedemptionsRedemptionVoucherVoid"} {
		red := s.real["red"]
		s.tell(op)
		s.real["red"] = red
	}
	s.tell("postPoolsPoolCodes")
	s.tell("getPools")
	s.real["red"] = s.do("POST", "/v1/redemptions", `{"member": "ext:4711", "reward": "film", "commit": true}`).want(201).text("redemptions", 0, "id")
	s.tell("postRedemptionsRedemptionCode")
	s.real["red"] = s.do("POST", "/v1/redemptions", `{"member": "ext:4711", "reward": "parcel", "option": 2, "money": "49.00", "commit": true}`).want(201).text("redemptions", 0, "id")
	s.tell("postRedemptionsRedemptionFulfilment")
	s.real["red"] = s.do("POST", "/v1/redemptions", `{"member": "ext:4711", "reward": "card", "commit": true}`).want(201).text("redemptions", 0, "id")
	s.tell("getRedemptionsRedemptionOrder")
	s.tell("getOrders")
	s.tell("postRedemptionsRedemptionOrderCancel")
	s.real["code"] = s.tell("postClaims").text("code")
	for _, op := range []string{"getClaimsClaim", "postClaimsClaim", "postMembersMemberClaims"} {
		s.tell(op)
	}
	s.real["wtg"] = s.do("POST", "/v1/claims", `{"source": "till-1", "external_id": "R-3002", "amount": "10.00"}`).want(201).text("id")
	s.tell("postClaimsClaimReturns")
	s.tell("postClaimsClaimCancel")
	for _, op := range []string{"postFactsFactRelease", "postFactsFactCancelPending"} {
		s.real["pur"] = s.do("POST", "/v1/purchases", `{"member": "ext:4711", "lines": [{"category": "flight", "amount": "1000.00"}]}`).want(201).text("id")
		s.tell(op)
	}
	for _, op := range []string{
		"getMembersMemberBalances", "getMembersMemberForecast", "getMembersMemberTargets", "getMembersMemberPostings", "getMembersMemberFacts", "getMembersMemberExplanations", "postMembersMemberTiers", "getMembersMemberTiers",
		"getMembersMemberBenefits", "getMembersMemberBenefitsBenefit", "postMembersMemberBenefitsBenefitUses", "postBenefitsUsesUseUndo", "postPlanEvents", "getMembersMemberPlans",
		"getMembersMemberChallenges", "postMembersMemberChallengesChallenge", "getChallengesChallengeLeaderboard", "getMembersMemberChallengesChallengePlace", "postMembersMemberGrants", "getMembersMemberGrants",
		"postMembersMemberGrantsGrantTakeBack", "postMembersMemberBlock", "postMembersMemberUnblock", "getEvents", "getEventsNewest", "postWebhooks", "getWebhooks", "patchWebhooksWebhook", "getWebhooksWebhook", "postWebhooksWebhookRotate",
		"postWebhooksWebhookDisable", "postWebhooksWebhookEnable", "postWebhooksWebhookTest", "getWebhooksWebhookDeliveriesEvent", "postWebhooksWebhookDeliveriesEventReplay", "getWebhooksWebhookDeliveries",
		"postWebhooksWebhookReplay", "deleteWebhooksWebhook", "postImports", "getImports", "postImportsImportCancel", "getMe", "postKeys", "getKeysKey", "postKeysKeyRotate", "getKeys", "postKeysKeyRevoke", "postStaff", "getStaff", "getStaffStaff", "postStaffStaffRole", "postStaffStaffInvite", "deleteStaffStaff", "getAudit",
		"getProgram", "getInsightToday", "getProgramVersions", "getProgramVersionsVersion", "postMembersMemberMerge",
	} {
		if op == "getKeys" { // when keys were used is written beside the requests
			if err := s.srv.Close(tb.Context()); err != nil {
				tb.Fatal(err)
			}
		}
		s.tell(op)
	}
	s.real["imp"] = s.upload("dry_run=true", exampleMapping, exampleRows).want(201).text("id")
	s.imports()
	s.tell("getImportsImportFile")
	s.tell("postImportsImportStart")
	s.imports()
	for _, op := range []string{"getImportsImport", "getImportsImportRefused"} {
		s.real["imp"] = s.do("GET", "/v1/imports", "").want(200).text("items", 0, "id")
		s.tell(op)
	}
	// A raffle, whose time comes.
	drawn := newStory(tb)
	drawn.answers = s.answers
	drawn.do("POST", "/v1/members", `{"external_id": "4711"}`).want(201)
	drawn.do("POST", "/v1/adjustments", `{"member": "ext:4711", "unit": "star", "amount": "100", "reason": "For tickets"}`).want(201)
	drawn.do("POST", "/v1/raffles/ticket/draw", "").refused(409, "raffle_open")
	drawn.do("POST", "/v1/redemptions", `{"member": "ext:4711", "reward": "ticket", "commit": true}`).want(201)
	drawn.now = drawn.now.AddDate(0, 0, 9)
	for _, op := range []string{"postRafflesRewardDraw", "getRaffles", "getRafflesReward"} {
		drawn.tell(op)
	}
	// A program without members, whose document may still change in every way.
	fresh := newStory(tb)
	fresh.answers = s.answers
	for _, op := range []string{"postProgramCheck", "postProgramSettings", "postProgramLint", "getProgramPoster", "getProgramTerms", "postProgramVersions", "postProgramDiff", "postProgramRollback", "putProgramDraft", "getProgramDraft", "deleteProgramDraft"} {
		fresh.tell(op)
	}
	fresh.do("POST", "/v1/members", `{"external_id": "4711"}`).want(201)
	fresh.tell("postMembersMemberClose")
	return s.answers
}

// TestExamples runs every example that the documentation shows: each is answered with success, and what is shown as the
// answer has the keys of what is answered.
func TestExamples(t *testing.T) {
	t.Parallel()
	got := exampleAnswers(t)
	for _, r := range table() {
		id := r.operationID()
		var have, shown map[string]any
		if r.Media != "" {
			continue
		}
		if err := json.Unmarshal(got[id], &have); err != nil {
			t.Errorf("%s is not told: %v", id, err)
			continue
		}
		if err := json.Unmarshal(answers[id], &shown); err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		for key := range have {
			if _, ok := shown[key]; !ok {
				t.Errorf("%s answers with %q, which the example does not show: run go generate ./internal/api", id, key)
			}
		}
	}
}

var curl = regexp.MustCompile(`(?s)curl( -X POST)? "\$LOJAL([^"]+)"[^'\n]*(?:'Content-Type: application/json'[^']*-d '([^']*)')?`)

// TestGuide sends what docs/api.md tells to send.
func TestGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, dbtest.Open(t, db.SQLite), Limits{})
	red, sent := "", 0
	for _, m := range curl.FindAllStringSubmatch(string(guide), -1) {
		path, body := strings.Replace(m[2], "$RED", red, 1), m[3]
		method := "POST"
		if m[1]+body == "" { // as curl has it
			method = "GET"
		}
		a := h.do(method, path, body)
		switch {
		case method == "GET":
			a.want(http.StatusOK)
		case strings.HasSuffix(path, "/cancel"): // the guide shows it as the other way
			a.want(http.StatusConflict)
		case strings.HasSuffix(path, "/simulations"):
			a.want(http.StatusOK)
		default:
			a.want(http.StatusCreated)
		}
		if strings.HasSuffix(path, "/returns") {
			h.do("POST", "/v1/adjustments", `{"member": "ext:4711", "unit": "star", "amount": 100, "reason": "so that a coffee can be had"}`).want(201)
		}
		if id, _ := a.get("id").(string); strings.HasPrefix(id, "red_") {
			red = id
		}
		sent++
	}
	if sent < 6 {
		t.Errorf("only %d requests were found in the guide", sent)
	}
}
