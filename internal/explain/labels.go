package explain

import (
	"fmt"
	"slices"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
)

// Label is a piece of text around sentences: a heading, or a part of an overview. Its places take values in the same order in every
// language.
type Label string

// The labels, with what their places are for.
const (
	LabelNameless      Label = "nameless"
	LabelHousehold     Label = "household"
	LabelOrganization  Label = "organization"
	LabelJoined        Label = "joined" // day, status
	LabelPending       Label = "pending"
	LabelReserved      Label = "reserved"
	LabelOwed          Label = "owed"
	LabelEarned        Label = "earned" // by rules, before what was taken back
	LabelTaken         Label = "taken back"
	LabelSpent         Label = "spent"
	LabelExpired       Label = "expired"
	LabelAdjusted      Label = "adjusted"
	LabelMoved         Label = "transferred"
	LabelPartners      Label = "partners"
	LabelClosed        Label = "closed"
	LabelUntil         Label = "until" // amount, the words of Upto
	LabelTierSince     Label = "tier since"
	LabelFalls         Label = "falls" // day
	LabelLastFacts     Label = "last facts"
	LabelRefused       Label = "refused" // message
	LabelYes           Label = "yes"
	LabelNo            Label = "no"
	LabelLeft          Label = "left"       // times
	LabelFrom          Label = "from"       // time
	LabelBroughtBy     Label = "brought by" // tiers and plans
	LabelNone          Label = "none"       // there are no benefits
	LabelPlan          Label = "plan"       // title, status, the words of Upto
	LabelPlanOver      Label = "plan over"  // title, day
	LabelPlanNext      Label = "plan next"  // title
	LabelPlanCancelled Label = "plan cancelled"
	LabelInvitedBy     Label = "invited by" // member, day, status
	LabelInvited       Label = "invited"    // members
	LabelFallsTo       Label = "falls to"   // value, time
	LabelEnds          Label = "ends"       // time
	LabelNoRewards     Label = "no rewards"
	LabelOfferLeft     Label = "offer left" // times
	LabelStockLeft     Label = "stock left" // number
)

// labels are in the order of lang.All, one below the other so that they can be read together.
var labels = map[Label][4]string{
	LabelNameless:      {"Medlem uten navn", "Medlem utan namn", "Medlem uden navn", "Member without a name"},
	LabelHousehold:     {"Husstand", "Hushåll", "Husstand", "Household"},
	LabelOrganization:  {"Bedrift", "Företag", "Virksomhed", "Organization"},
	LabelJoined:        {"Innmeldt %s; medlemskapet er %s", "Gick med %s; medlemskapet är %s", "Indmeldt %s; medlemskabet er %s", "Joined on %s; the membership is %s"},
	LabelPending:       {"%s venter", "%s väntar", "%s venter", "%s pending"},
	LabelReserved:      {"%s reservert", "%s reserverat", "%s reserveret", "%s reserved"},
	LabelOwed:          {"%s skyldig", "%s i skuld", "%s skyldig", "%s owed"},
	LabelEarned:        {"opptjent %s", "intjänat %s", "optjent %s", "earned %s"},
	LabelTaken:         {"tatt tilbake %s", "återtaget %s", "taget tilbage %s", "taken back %s"},
	LabelSpent:         {"brukt %s", "använt %s", "brugt %s", "spent %s"},
	LabelExpired:       {"utløpt %s", "förfallet %s", "udløbet %s", "expired %s"},
	LabelAdjusted:      {"justert %s", "justerat %s", "justeret %s", "adjusted %s"},
	LabelMoved:         {"overført %s", "överfört %s", "overført %s", "transferred %s"},
	LabelPartners:      {"hos partnere %s", "hos partner %s", "hos partnere %s", "at partners %s"},
	LabelClosed:        {"falt bort ved avslutning %s", "bortfallet vid avslut %s", "bortfaldet ved lukning %s", "ended with the membership %s"},
	LabelUntil:         {"%s %s", "%s %s", "%s %s", "%s %s"},
	LabelTierSince:     {"%s: %s siden %s", "%s: %s sedan %s", "%s: %s siden %s", "%s: %s since %s"},
	LabelFalls:         {"rykker ned %s hvis nivået ikke tjenes opp igjen", "flyttas ned %s om nivån inte tjänas in igen", "rykker ned %s, hvis niveauet ikke optjenes igen", "falls on %s unless it is earned again"},
	LabelLastFacts:     {"Siste hendelser", "Senaste händelser", "Seneste hændelser", "Last facts"},
	LabelYes:           {"ja", "ja", "ja", "yes"},
	LabelNo:            {"nei", "nej", "nej", "no"},
	LabelLeft:          {"kan brukes %s til", "kan användas %s till", "kan bruges %s mere", "can be used %s more"},
	LabelFrom:          {"fra %s", "från %s", "fra %s", "from %s"},
	LabelBroughtBy:     {"følger med %s", "följer med %s", "følger med %s", "comes with %s"},
	LabelNone:          {"Programmet har ingen fordeler.", "Programmet har inga förmåner.", "Programmet har ingen fordele.", "The program has no benefits."},
	LabelPlan:          {"%s: %s %s", "%s: %s %s", "%s: %s %s", "%s: %s %s"},
	LabelPlanOver:      {"%s: avsluttet %s", "%s: avslutat %s", "%s: afsluttet %s", "%s: ended on %s"},
	LabelPlanNext:      {"blir deretter til %s", "blir därefter %s", "bliver derefter til %s", "then becomes %s"},
	LabelPlanCancelled: {"oppsagt", "uppsagt", "opsagt", "cancelled"},
	LabelInvitedBy:     {"Invitert av %s %s: %s", "Inbjuden av %s %s: %s", "Inviteret af %s %s: %s", "Invited by %s on %s: %s"},
	LabelInvited:       {"Har invitert %s", "Har bjudit in %s", "Har inviteret %s", "Has invited %s"},
	LabelFallsTo:       {"synker til %s %s, om ingenting kjøpes", "sjunker till %s %s, om inget köps", "falder til %s %s, hvis intet købes", "falls to %s on %s, unless something is bought"},
	LabelEnds:          {"faller bort %s, om ingenting kjøpes", "upphör %s, om inget köps", "ophører %s, hvis intet købes", "ends on %s, unless something is bought"},
	LabelNoRewards:     {"Programmet har ingen belønninger for dette medlemmet.", "Programmet har inga belöningar för den här medlemmen.", "Programmet har ingen belønninger til dette medlem.", "The program has no rewards for this member."},
	LabelOfferLeft:     {"kan fås %s til", "kan fås %s till", "kan fås %s mere", "can be had %s more"},
	LabelStockLeft:     {"%s igjen", "%s kvar", "%s tilbage", "%s left"},
	LabelRefused:       {"Avvist: %s", "Avvisat: %s", "Afvist: %s", "Refused: %s"},
}

// kinds name the facts, in the order of lang.All.
var kinds = map[engine.Kind][4]string{
	engine.Enrolment:    {"Innmelding", "Inträde", "Indmeldelse", "Enrolment"},
	engine.PurchaseK:    {"Kjøp", "Köp", "Køb", "Purchase"},
	engine.ReturnK:      {"Retur", "Retur", "Retur", "Return"},
	engine.ActivityK:    {"Aktivitet", "Aktivitet", "Aktivitet", "Activity"},
	engine.Reserve:      {"Reservasjon", "Reservation", "Reservation", "Reservation"},
	engine.Commit:       {"Reservasjon innløst", "Reservation inlöst", "Reservation indløst", "Reservation redeemed"},
	engine.Cancel:       {"Reservasjon avbestilt", "Reservation avbokad", "Reservation annulleret", "Reservation cancelled"},
	engine.Redeem:       {"Innløsning", "Inlösen", "Indløsning", "Redemption"},
	engine.Refund:       {"Innløsning omgjort", "Inlösen återgången", "Indløsning omgjort", "Redemption undone"},
	engine.AdjustmentK:  {"Justering", "Justering", "Justering", "Adjustment"},
	engine.TransferOut:  {"Gave gitt", "Gåva given", "Gave givet", "Transfer given"},
	engine.TransferIn:   {"Gave mottatt", "Gåva mottagen", "Gave modtaget", "Transfer received"},
	engine.Release:      {"Ventende avgjort", "Väntande avgjort", "Ventende afgjort", "Pending settled"},
	engine.TierGrant:    {"Nivå satt for hånd", "Nivå satt för hand", "Niveau sat i hånden", "Tier set by hand"},
	engine.GrantK:       {"Gitt for hånd", "Givet för hand", "Givet i hånden", "Given by hand"},
	engine.PlanK:        {"Abonnement", "Prenumeration", "Abonnement", "Plan"},
	engine.UseK:         {"Fordel brukt", "Förmån använd", "Fordel brugt", "Benefit used"},
	engine.VoucherK:     {"Verdikupong", "Värdekupong", "Værdikupon", "Voucher"},
	engine.CouponK:      {"Rabattkode", "Rabattkod", "Rabatkode", "Coupon"},
	engine.Load:         {"Gavekort fylt på", "Presentkort påfyllt", "Gavekort fyldt op", "Gift card topped up"},
	engine.ChallengeK:   {"Utfordring", "Utmaning", "Udfordring", "Challenge"},
	engine.ProfileK:     {"Profil endret", "Profil ändrad", "Profil ændret", "Profile changed"},
	engine.Status:       {"Status endret", "Status ändrad", "Status ændret", "Status changed"},
	engine.MergeOut:     {"Slått sammen inn i et annet", "Sammanslaget in i ett annat", "Lagt ind i et andet", "Merged into another"},
	engine.MergeIn:      {"Et annet slått sammen hit", "Ett annat sammanslaget hit", "Et andet lagt ind her", "Another merged into this"},
	engine.InvitedK:     {"Invitasjon oppgitt", "Inbjudan angiven", "Invitation angivet", "Invitation named"},
	engine.ThanksK:      {"Takk", "Tack", "Tak", "Thanks"},
	engine.ShareK:       {"Delt med en venn", "Delat med en vän", "Delt med en ven", "Passed on to a friend"},
	engine.RecognitionK: {"Takket en annen", "Tackade någon annan", "Takkede en anden", "Thanked another"},
	engine.HouseK:       {"Husstand eller bedrift", "Hushåll eller företag", "Husstand eller virksomhed", "Household or organization"},
	engine.PartnerK:     {"Hos partner", "Hos partner", "Hos partner", "At a partner"},
	engine.FulfilK:      {"Levering", "Leverans", "Levering", "Delivery"},
	engine.Due:          {"Tiden gikk", "Tiden gick", "Tiden gik", "Time passed"},
}

// changes say what time will do to an amount, in the order of lang.All.
var changes = map[string][4]string{
	engine.ChangeEarned:   {"tjenes opp", "tjänas in", "optjenes", "will be earned"},
	engine.ChangePending:  {"tjenes opp, kan brukes senere", "tjänas in, kan användas senare", "optjenes, kan bruges senere", "will be earned, to be spent later"},
	engine.ChangeReleased: {"kan brukes fra da av", "kan användas från då", "kan bruges derfra", "can be spent from then on"},
	engine.ChangeExpired:  {"utløper", "förfaller", "udløber", "will expire"},
	engine.ChangeFreed:    {"blir ledig igjen", "blir fritt igen", "bliver fri igen", "will be free again"},
}

// by goes before the rule that gives.
var by = [4]string{"for «%s»", "för ”%s”", "for ”%s”", "for “%s”"}

// Change says in words what time will do to an amount: the amount, what becomes of it and what for, and the balance after it.
func Change(c *engine.Change, p *program.Compiled, language string) string {
	i := place(language)
	language = lang.All[i]
	text := Amount(p, c.Unit, c.Amount, language) + " " + changes[c.Kind][i]
	if c.Rule != "" {
		text += " " + fmt.Sprintf(by[i], Rule(p, c.Rule, language))
	}
	return text + ": " + Amount(p, c.Unit, c.Balance, language)
}

// planStates name the status of a plan, in the order of lang.All.
var planStates = map[string][4]string{
	engine.PlanTrial:  {"gratis prøvetid", "gratis provtid", "gratis prøvetid", "free trial"},
	engine.PlanActive: {"betalt", "betalt", "betalt", "paid"},
	engine.PlanGrace:  {"venter på betaling, var betalt", "väntar på betalning, var betalt", "venter på betaling, var betalt", "waits for payment, was paid"},
}

// PlanStanding says in words where a member stands in a plan.
func PlanStanding(id string, s *engine.PlanState, p *program.Compiled, language string) string {
	if !s.Live() {
		if s.EndedAt == nil {
			return ""
		}
		return Say(language, LabelPlanOver, Plan(p, id, language), From(p, *s.EndedAt, language))
	}
	text := Say(language, LabelPlan, Plan(p, id, language), planStates[s.Status][place(language)], Upto(p, s.Until, language))
	switch {
	case s.Next != "":
		text += ", " + Say(language, LabelPlanNext, Plan(p, s.Next, language))
	case s.Cancelled:
		text += ", " + Say(language, LabelPlanCancelled)
	}
	return text
}

// referralStates name how far an invitation is, in the order of lang.All.
var referralStates = map[string][4]string{
	engine.ReferralOpen:      {"venter på et kjøp som teller", "väntar på ett köp som räknas", "venter på et køb, der tæller", "waits for a purchase that counts"},
	engine.ReferralQualified: {"teller", "räknas", "tæller", "counts"},
	engine.ReferralMissed:    {"tiden gikk ut", "tiden gick ut", "tiden løb ud", "the time went by"},
	engine.ReferralUndone:    {"teller ikke lenger", "räknas inte längre", "tæller ikke længere", "does not count any more"},
	engine.ReferralRefused:   {"teller ikke", "räknas inte", "tæller ikke", "does not count"},
}

// Referred names how far an invitation is; one that is not known, of a newer engine, by its own word.
func Referred(status, language string) string {
	if names, ok := referralStates[status]; ok {
		return names[place(language)]
	}
	return status
}

// place is where a language stands in lang.All; one that is not known is English.
func place(language string) int {
	if i := slices.Index(lang.All, language); i >= 0 {
		return i
	}
	return slices.Index(lang.All, lang.English)
}

// Say gives a label in the language, with its values in it.
func Say(language string, l Label, values ...any) string {
	return fmt.Sprintf(labels[l][place(language)], values...)
}

// Kind names a kind of fact; one that is not known, of a newer engine, by its own word.
func Kind(kind engine.Kind, language string) string {
	if names, ok := kinds[kind]; ok {
		return names[place(language)]
	}
	return string(kind)
}

// Status names the status of a membership.
func Status(status, language string) string {
	if name := tables[lang.All[place(language)]].status[status]; name != "" {
		return name
	}
	return status
}
