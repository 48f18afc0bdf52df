package explain

import (
	"fmt"
	"slices"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/lang"
)

// Label is a piece of text around sentences: a heading, or a part of an overview. Its places take values in the same order in every
// language.
type Label string

// The labels, with what their places are for.
const (
	LabelNameless  Label = "nameless"
	LabelJoined    Label = "joined" // day, status
	LabelPending   Label = "pending"
	LabelReserved  Label = "reserved"
	LabelOwed      Label = "owed"
	LabelTotals    Label = "totals" // earned, spent, expired
	LabelUntil     Label = "until"  // amount, day
	LabelTierSince Label = "tier since"
	LabelFalls     Label = "falls" // day
	LabelLastFacts Label = "last facts"
	LabelRefused   Label = "refused" // message
	LabelYes       Label = "yes"
	LabelNo        Label = "no"
	LabelLeft      Label = "left"     // times
	LabelToTime    Label = "to time"  // time
	LabelFallsTo   Label = "falls to" // value, time
	LabelEnds      Label = "ends"     // time
)

// labels are in the order of lang.All, one below the other so that they can be read together.
var labels = map[Label][4]string{
	LabelNameless:  {"Medlem uten navn", "Medlem utan namn", "Medlem uden navn", "Member without a name"},
	LabelJoined:    {"Innmeldt %s; medlemskapet er %s", "Gick med %s; medlemskapet är %s", "Indmeldt %s; medlemskabet er %s", "Joined on %s; the membership is %s"},
	LabelPending:   {"%s venter", "%s väntar", "%s venter", "%s pending"},
	LabelReserved:  {"%s reservert", "%s reserverat", "%s reserveret", "%s reserved"},
	LabelOwed:      {"%s skyldig", "%s i skuld", "%s skyldig", "%s owed"},
	LabelTotals:    {"opptjent %s, brukt %s, utløpt %s", "intjänat %s, använt %s, förfallet %s", "optjent %s, brugt %s, udløbet %s", "earned %s, spent %s, expired %s"},
	LabelUntil:     {"%s til og med %s", "%s till och med %s", "%s til og med %s", "%s up to and including %s"},
	LabelTierSince: {"%s: %s siden %s", "%s: %s sedan %s", "%s: %s siden %s", "%s: %s since %s"},
	LabelFalls:     {"rykker ned %s hvis nivået ikke tjenes opp igjen", "flyttas ned %s om nivån inte tjänas in igen", "rykker ned %s, hvis niveauet ikke optjenes igen", "falls on %s unless it is earned again"},
	LabelLastFacts: {"Siste hendelser", "Senaste händelser", "Seneste hændelser", "Last facts"},
	LabelYes:       {"ja", "ja", "ja", "yes"},
	LabelNo:        {"nei", "nej", "nej", "no"},
	LabelLeft:      {"kan brukes %s til", "kan användas %s till", "kan bruges %s mere", "can be used %s more"},
	LabelToTime:    {"til %s", "till %s", "til %s", "until %s"},
	LabelFallsTo:   {"synker til %s %s, om ingenting kjøpes", "sjunker till %s %s, om inget köps", "falder til %s %s, hvis intet købes", "falls to %s on %s, unless something is bought"},
	LabelEnds:      {"faller bort %s, om ingenting kjøpes", "upphör %s, om inget köps", "ophører %s, hvis intet købes", "ends on %s, unless something is bought"},
	LabelRefused:   {"Avvist: %s", "Avvisat: %s", "Afvist: %s", "Refused: %s"},
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
	engine.Load:         {"Gavekort fylt på", "Presentkort påfyllt", "Gavekort fyldt op", "Gift card topped up"},
	engine.ChallengeK:   {"Utfordring", "Utmaning", "Udfordring", "Challenge"},
	engine.ProfileK:     {"Profil endret", "Profil ändrad", "Profil ændret", "Profile changed"},
	engine.Status:       {"Medlemskap endret", "Medlemskap ändrat", "Medlemskab ændret", "Membership changed"},
	engine.MergeOut:     {"Slått sammen inn i et annet", "Sammanslaget in i ett annat", "Lagt ind i et andet", "Merged into another"},
	engine.MergeIn:      {"Et annet slått sammen hit", "Ett annat sammanslaget hit", "Et andet lagt ind her", "Another merged into this"},
	engine.InvitedK:     {"Invitasjon oppgitt", "Inbjudan angiven", "Invitation angivet", "Invitation named"},
	engine.ThanksK:      {"Takk", "Tack", "Tak", "Thanks"},
	engine.RecognitionK: {"Takket en annen", "Tackade någon annan", "Takkede en anden", "Thanked another"},
	engine.HouseK:       {"Husstand eller bedrift", "Hushåll eller företag", "Husstand eller virksomhed", "Household or organization"},
	engine.PartnerK:     {"Hos partner", "Hos partner", "Hos partner", "At a partner"},
	engine.FulfilK:      {"Levering", "Leverans", "Levering", "Delivery"},
	engine.Due:          {"Tiden gikk", "Tiden gick", "Tiden gik", "Time passed"},
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
