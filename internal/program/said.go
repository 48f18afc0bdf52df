package program

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
)

// said tells the fixed words of a document, by type, field and word, and what else Diff needs inside values. In the order of lang.All, so that
// they can be read together.
var said = map[string][4]string{
	"Activity.properties.text":   {"tekst", "text", "tekst", "text"},
	"Activity.properties.number": {"tall", "tal", "tal", "number"},
	"Activity.properties.whole":  {"helt tall", "heltal", "heltal", "whole number"},
	"Activity.properties.yes/no": {"ja eller nei", "ja eller nej", "ja eller nej", "yes or no"},

	"Basis.discounts.net":              {"etter rabatt", "efter rabatt", "efter rabat", "after discounts"},
	"Basis.discounts.gross":            {"før rabatt", "före rabatt", "før rabat", "before discounts"},
	"Basis.paid_with_points.included":  {"regnes med", "räknas med", "regnes med", "included"},
	"Basis.paid_with_points.excluded":  {"regnes ikke med", "räknas inte med", "regnes ikke med", "excluded"},
	"Basis.purchase_discounts.basket":  {"bare fra regler for hele kurven", "bara från regler för hela varukorgen", "kun fra regler for hele kurven", "off rules for the whole basket only"},
	"Basis.purchase_discounts.spread":  {"fordeles på linjene", "fördelas på raderna", "fordeles på linjerne", "spread over the lines"},
	"Basis.purchase_discounts.ignored": {"ses bort fra", "bortses från", "ses bort fra", "ignored"},
	"Basis.shipping.included":          {"regnes med", "räknas med", "regnes med", "included"},
	"Basis.shipping.excluded":          {"regnes ikke med", "räknas inte med", "regnes ikke med", "excluded"},
	"Basis.tax.included":               {"regnes med", "räknas med", "regnes med", "included"},
	"Basis.tax.excluded":               {"regnes ikke med", "räknas inte med", "regnes ikke med", "excluded"},

	"Challenge.above.carry":              {"teller mot neste premie", "räknas mot nästa pris", "tæller mod næste præmie", "counts for the next prize"},
	"Challenge.above.burn":               {"går med til premiene", "går åt till priserna", "går med til præmierne", "is used up with the prizes"},
	"Challenge.at_end.issue":             {"kan brukes med en gang", "kan användas genast", "kan bruges med det samme", "may be used at once"},
	"Challenge.at_end.drop":              {"bortfaller", "förfaller", "bortfalder", "are dropped"},
	"Challenge.count.purchases":          {"kjøp", "köp", "køb", "purchases"},
	"Challenge.count.items":              {"varer", "varor", "varer", "items"},
	"Challenge.count.lines":              {"linjer", "rader", "linjer", "lines"},
	"Challenge.count.times":              {"ganger", "gånger", "gange", "times"},
	"Challenge.sum.spend":                {"penger brukt", "pengar använda", "penge brugt", "money spent"},
	"Challenge.per.day":                  {"dag", "dag", "dag", "day"},
	"Challenge.per.week":                 {"uke", "vecka", "uge", "week"},
	"Challenge.per.month":                {"måned", "månad", "måned", "month"},
	"Challenge.per.quarter":              {"kvartal", "kvartal", "kvartal", "quarter"},
	"Challenge.per.year":                 {"år", "år", "år", "year"},
	"Challenge.streak.day":               {"dager på rad", "dagar i rad", "dage i træk", "days running"},
	"Challenge.streak.week":              {"uker på rad", "veckor i rad", "uger i træk", "weeks running"},
	"Challenge.streak.month":             {"måneder på rad", "månader i rad", "måneder i træk", "months running"},
	"Challenge.streak.quarter":           {"kvartaler på rad", "kvartal i rad", "kvartaler i træk", "quarters running"},
	"Challenge.streak.year":              {"år på rad", "år i rad", "år i træk", "years running"},
	"ChallengeReturns.counted.take back": {"tas tilbake", "tas tillbaka", "tages tilbage", "taken back"},
	"ChallengeReturns.counted.keep":      {"beholdes", "behålls", "beholdes", "kept"},
	"ChallengeReturns.if_used.debt":      {"neste premie koster mer", "nästa pris kostar mer", "næste præmie koster mere", "the next prize takes more"},
	"ChallengeReturns.if_used.clamp":     {"ettergis", "efterskänks", "eftergives", "let go"},
	"ChallengeReturns.if_used.refuse":    {"returen avvises", "returen avvisas", "returen afvises", "the return is refused"},
	"ChallengeReturns.prizes.unused":     {"de ubrukte", "de oanvända", "de ubrugte", "those not used"},
	"ChallengeReturns.prizes.waiting":    {"bare de som venter", "bara de som väntar", "kun de ventende", "only those that wait"},
	"ChallengeReturns.prizes.none":       {"ingen", "inga", "ingen", "none"},

	"Condition.zone.program": {"etter programmet", "efter programmet", "efter programmet", "the program’s"},
	"Condition.zone.member":  {"etter medlemmet", "efter medlemmen", "efter medlemmet", "the member’s"},
	"Limit.zone.program":     {"etter programmet", "efter programmet", "efter programmet", "the program’s"},
	"Limit.zone.member":      {"etter medlemmet", "efter medlemmen", "efter medlemmet", "the member’s"},

	"Down.to.earned":   {"til det som er opptjent", "till det som är intjänat", "til det, der er optjent", "to what is earned"},
	"Down.to.one step": {"ett trinn", "ett steg", "ét trin", "one step"},
	"Down.to.never":    {"aldri", "aldrig", "aldrig", "never"},

	"Expiry.never":             {"aldri", "aldrig", "aldrig", "never"},
	"Expiry.at.exact":          {"på klokkeslettet", "på klockslaget", "på klokkeslættet", "to the minute"},
	"Expiry.at.end of day":     {"slutten av dagen", "slutet av dagen", "slutningen af dagen", "the end of the day"},
	"Expiry.at.end of month":   {"slutten av måneden", "slutet av månaden", "slutningen af måneden", "the end of the month"},
	"Expiry.at.end of quarter": {"slutten av kvartalet", "slutet av kvartalet", "slutningen af kvartalet", "the end of the quarter"},
	"Expiry.at.end of year":    {"slutten av året", "slutet av året", "slutningen af året", "the end of the year"},
	"Expiry.end_of.day":        {"dagen", "dagen", "dagen", "the day"},
	"Expiry.end_of.week":       {"uken", "veckan", "ugen", "the week"},
	"Expiry.end_of.month":      {"måneden", "månaden", "måneden", "the month"},
	"Expiry.end_of.quarter":    {"kvartalet", "kvartalet", "kvartalet", "the quarter"},
	"Expiry.end_of.year":       {"året", "året", "året", "the year"},
	"Fading.since.purchase":    {"kjøpet", "köpet", "købet", "the purchase"},

	"Give.each.item":         {"vare", "vara", "vare", "item"},
	"Give.each.line":         {"linje", "rad", "linje", "line"},
	"Give.stepped.whole":     {"trinnet som er nådd gjelder alt", "steget som är nått gäller allt", "trinnet, der er nået, gælder alt", "the step that is reached counts for all"},
	"Give.stepped.each part": {"hvert trinn gjelder sin del", "varje steg gäller sin del", "hvert trin gælder sin del", "each step counts for its part"},

	"Limit.each.member":   {"hvert medlem", "varje medlem", "hvert medlem", "each member"},
	"Limit.each.program":  {"alle medlemmer til sammen", "alla medlemmar tillsammans", "alle medlemmer tilsammen", "all members together"},
	"Limit.over.clip":     {"gir det som er igjen", "ger det som är kvar", "giver det, der er tilbage", "gives what is left"},
	"Limit.over.refuse":   {"gir ingenting", "ger inget", "giver ingenting", "gives nothing"},
	"Limit.per.purchase":  {"kjøp", "köp", "køb", "purchase"},
	"Limit.per.day":       {"dag", "dag", "dag", "day"},
	"Limit.per.week":      {"uke", "vecka", "uge", "week"},
	"Limit.per.month":     {"måned", "månad", "måned", "month"},
	"Limit.per.quarter":   {"kvartal", "kvartal", "kvartal", "quarter"},
	"Limit.per.year":      {"år", "år", "år", "year"},
	"Limit.per.lifetime":  {"hele tiden", "hela tiden", "hele tiden", "all time"},
	"Metric.sum.spend":    {"penger brukt", "pengar använda", "penge brugt", "money spent"},
	"Metric.count.visits": {"besøk", "besök", "besøg", "visits"},

	"Metric.count.purchases":         {"kjøp", "köp", "køb", "purchases"},
	"Metric.window.lifetime":         {"hele tiden", "hela tiden", "hele tiden", "all time"},
	"Metric.window.rolling":          {"de siste", "de senaste", "de seneste", "the last"},
	"Metric.window.calendar year":    {"kalenderåret", "kalenderåret", "kalenderåret", "the calendar year"},
	"Metric.window.calendar month":   {"kalendermåneden", "kalendermånaden", "kalendermåneden", "the calendar month"},
	"Metric.window.calendar quarter": {"kvartalet", "kvartalet", "kvartalet", "the quarter"},
	"Metric.window.anniversary year": {"medlemsåret", "medlemsåret", "medlemsåret", "the year of membership"},

	"Organizations.roles.manage": {"styre", "styra", "styre", "manage"},
	"Organizations.roles.buy":    {"kjøpe", "köpa", "købe", "buy"},
	"Organizations.roles.spend":  {"bruke poeng", "använda poäng", "bruge point", "spend points"},

	"Partner.pays.afterwards":  {"etterskuddsvis", "i efterskott", "bagud", "afterwards"},
	"Partner.pays.ahead":       {"på forhånd", "i förskott", "forud", "ahead"},
	"Qualifies.purchase.any":   {"det første som oppfyller betingelsen", "det första som uppfyller villkoret", "det første, der opfylder betingelsen", "the first that meets the condition"},
	"Qualifies.purchase.first": {"bare det aller første", "bara det allra första", "kun det allerførste", "only the very first"},

	"Returns.earned.take back": {"tas tilbake", "tas tillbaka", "tages tilbage", "taken back"},
	"Returns.earned.keep":      {"beholdes", "behålls", "beholdes", "kept"},
	"Returns.if_spent.debt":    {"blir gjeld", "blir en skuld", "bliver en gæld", "becomes a debt"},
	"Returns.if_spent.clamp":   {"tas så langt det rekker", "tas så långt det räcker", "tages, så langt det rækker", "taken as far as it goes"},
	"Returns.if_spent.refuse":  {"returen avvises", "returen avvisas", "returen afvises", "the return is refused"},
	"Returns.round.nearest":    {"til nærmeste", "till närmaste", "til nærmeste", "to the nearest"},
	"Returns.round.down":       {"ned", "nedåt", "ned", "down"},
	"Returns.round.up":         {"opp", "uppåt", "op", "up"},
	"Returns.spent.give back":  {"gis tilbake", "ges tillbaka", "gives tilbage", "given back"},
	"Returns.spent.keep":       {"gis ikke tilbake", "ges inte tillbaka", "gives ikke tilbage", "not given back"},

	"Rounding.once.line":     {"per linje", "per rad", "pr. linje", "for each line"},
	"Rounding.once.purchase": {"per kjøp", "per köp", "pr. køb", "for each purchase"},
	"Rounding.once.end":      {"til slutt", "till sist", "til sidst", "at the end"},
	"Between.per.day":        {"dag", "dag", "dag", "day"},
	"Between.per.week":       {"uke", "vecka", "uge", "week"},
	"Between.per.month":      {"måned", "månad", "måned", "month"},
	"Between.per.quarter":    {"kvartal", "kvartal", "kvartal", "quarter"},
	"Between.per.year":       {"år", "år", "år", "year"},
	"Between.per.lifetime":   {"i alt", "totalt", "i alt", "in all"},

	"Shared.for.newcomers": {"nye medlemmer", "nya medlemmar", "nye medlemmer", "newcomers"},
	"Shared.for.everybody": {"alle", "alla", "alle", "everybody"},

	"Recognition.message.optional": {"valgfri", "valfritt", "valgfri", "optional"},
	"Recognition.message.required": {"må skrives", "måste skrivas", "skal skrives", "required"},
	"Recognition.feed.own":         {"bare sitt eget", "bara det egna", "kun sit eget", "only their own"},
	"Recognition.feed.all":         {"alle ser alt", "alla ser allt", "alle ser alt", "everybody sees all"},

	"Rounding.to.down":      {"ned", "nedåt", "ned", "down"},
	"Rounding.to.up":        {"opp", "uppåt", "op", "up"},
	"Rounding.to.nearest":   {"til nærmeste", "till närmaste", "til nærmeste", "to the nearest"},
	"Rounding.to.half-even": {"til nærmeste, halve til partall", "till närmaste, halva till jämnt tal", "til nærmeste, halve til lige tal", "to the nearest, halves to even"},

	"Rule.stack.add":       {"legges til de andre", "läggs till de andra", "lægges til de andre", "added to the others"},
	"Rule.stack.exclusive": {"gjelder alene", "gäller ensam", "gælder alene", "stands alone"},
	"Rule.stack.best":      {"bare det beste i gruppen", "bara det bästa i gruppen", "kun det bedste i gruppen", "only the best of its group"},
	"Rule.of.all":          {"alle, faste beløp også", "alla, fasta belopp också", "alle, også faste beløb", "all, fixed amounts too"},

	"Rule.on.purchase":      {"kjøp", "köp", "køb", "a purchase"},
	"Rule.on.enrolment":     {"innmelding", "inträde", "indmeldelse", "enrolment"},
	"Rule.on.birthday":      {"fødselsdag", "födelsedag", "fødselsdag", "birthday"},
	"Rule.on.anniversary":   {"årsdag for innmeldingen", "årsdag för inträdet", "årsdag for indmeldelsen", "the anniversary of joining"},
	"Rule.on.every:day":     {"hver dag", "varje dag", "hver dag", "every day"},
	"Rule.on.every:week":    {"hver uke", "varje vecka", "hver uge", "every week"},
	"Rule.on.every:month":   {"hver måned", "varje månad", "hver måned", "every month"},
	"Rule.on.every:quarter": {"hvert kvartal", "varje kvartal", "hvert kvartal", "every quarter"},
	"Rule.on.every:year":    {"hvert år", "varje år", "hvert år", "every year"},
	"Rule.on.activity:":     {"aktiviteten %", "aktiviteten %", "aktiviteten %", "the activity %"},
	"Rule.on.challenge:":    {"utfordringen %", "utmaningen %", "udfordringen %", "the challenge %"},
	"Rule.on.tier:":         {"nivået %", "nivån %", "niveauet %", "the tier %"},
	"Rule.on.plan:":         {"planen %", "planen %", "planen %", "the plan %"},
	"quoted":                {"«%»", "”%”", "”%”", "“%”"},

	"Spending.order.earliest expiry":   {"det som utløper først", "det som förfaller först", "det, der udløber først", "what expires first"},
	"Spending.order.earliest earned":   {"det som ble opptjent først", "det som tjänades in först", "det, der blev optjent først", "what was earned first"},
	"Spending.own.at once":             {"med en gang", "genast", "med det samme", "at once"},
	"Spending.own.later":               {"senere", "senare", "senere", "later"},
	"Spending.short.refuse":            {"avvises", "avvisas", "afvises", "refused"},
	"Spending.short.use what there is": {"brukes så langt de rekker", "används så långt de räcker", "bruges, så langt de rækker", "used as far as they go"},

	"TierSet.current_purchase.counts": {"avgjøres på det nye nivået", "avgörs på den nya nivån", "afgøres på det nye niveau", "decided in the new tier"},
	"TierSet.current_purchase.next":   {"avgjøres på det gamle nivået", "avgörs på den gamla nivån", "afgøres på det gamle niveau", "decided in the old tier"},
	"TierSet.keep.next period":        {"ut neste periode", "nästa period ut", "næste periode ud", "to the end of the next period"},
	"TierSet.keep.this period":        {"ut denne perioden", "denna period ut", "denne periode ud", "to the end of this period"},

	"Gives.kind.product":         {"vare", "vara", "vare", "product"},
	"Gives.kind.voucher":         {"verdikupong", "värdekupong", "værdikupon", "voucher"},
	"Gives.kind.code":            {"kode", "kod", "kode", "code"},
	"Gives.kind.gift_card":       {"gavekort", "presentkort", "gavekort", "gift card"},
	"Gives.kind.seat":            {"plass på arrangement", "plats på evenemang", "plads ved arrangement", "seat at an event"},
	"Gives.kind.content":         {"innhold", "innehåll", "indhold", "content"},
	"Gives.kind.donation":        {"donasjon", "donation", "donation", "donation"},
	"Gives.kind.raffle":          {"lodd", "lott", "lod", "raffle ticket"},
	"Gives.kind.service":         {"tjeneste", "tjänst", "ydelse", "service"},
	"Gives.kind.goods":           {"vare som sendes", "vara som skickas", "vare der sendes", "goods that are sent"},
	"Gives.kind.choice":          {"valgfri gave", "valfri gåva", "valgfri gave", "a choice"},
	"Coupon.stacks.with others":  {"sammen med andre", "tillsammans med andra", "sammen med andre", "with others"},
	"Coupon.stacks.alone":        {"alene", "ensam", "alene", "alone"},
	"Voucher.stacks.with others": {"sammen med andre", "tillsammans med andra", "sammen med andre", "with others"},
	"Voucher.stacks.alone":       {"alene", "ensam", "alene", "alone"},

	"period.minute": {"minutt|minutter", "minut|minuter", "minut|minutter", "minute|minutes"},
	"period.hour":   {"time|timer", "timme|timmar", "time|timer", "hour|hours"},
	"period.day":    {"dag|dager", "dag|dagar", "dag|dage", "day|days"},
	"period.week":   {"uke|uker", "vecka|veckor", "uge|uger", "week|weeks"},
	"period.month":  {"måned|måneder", "månad|månader", "måned|måneder", "month|months"},
	"period.year":   {"år|år", "år|år", "år|år", "year|years"},
}

// inside are the labels of fields within values, by type and name or by name alone; a "-" is left out, since the value says it.
var inside = map[string][4]string{
	"Basis.discounts": {"-", "-", "-", "-"}, "Basis.max": {"høyst", "högst", "højst", "at most"},
	"Rounding.to": {"-", "-", "-", "-"}, "Rounding.once": {"-", "-", "-", "-"}, "Down.to": {"-", "-", "-", "-"}, "Metric.sum": {"-", "-", "-", "-"}, "Metric.count": {"antall", "antal", "antal", "number of"},
	"Metric.window": {"over", "över", "over", "over"}, "Metric.tenure": {"tid som medlem", "tid som medlem", "tid som medlem", "time as a member"},

	"all": {"alt av", "allt av", "alt af", "all of"}, "any": {"minst ett av", "minst ett av", "mindst et af", "one or more of"}, "not": {"ikke", "inte", "ikke", "not"},
	"weekdays": {"ukedager", "veckodagar", "ugedage", "weekdays"}, "hours": {"kl.", "kl.", "kl.", "hours"}, "dates": {"datoer", "datum", "datoer", "dates"}, "zone": {"tidssone", "tidszon", "tidszone", "time zone"},
	"tier": {"nivå", "nivå", "niveau", "tier"}, "only_tier": {"bare nivå", "bara nivå", "kun niveau", "only tier"}, "store": {"butikk", "butik", "butik", "store"}, "channel": {"kanal", "kanal", "kanal", "channel"},
	"payment": {"betalt med", "betalat med", "betalt med", "paid by"}, "amount": {"beløp", "belopp", "beløb", "amount"}, "total": {"hele kjøpet", "hela köpet", "hele købet", "whole purchase"},
	"items": {"antall varer", "antal varor", "antal varer", "items"}, "first_purchase": {"første kjøp", "första köpet", "første køb", "first purchase"}, "plan": {"plan", "plan", "plan", "plan"},
	"member_for": {"medlem i", "medlem i", "medlem i", "a member for"}, "attribute": {"egenskap", "egenskap", "egenskab", "attribute"}, "property": {"egenskap", "egenskap", "egenskab", "property"},
	"formula": {"formel", "formel", "formel", "formula"}, "sku": {"varenummer", "artikelnummer", "varenummer", "article"}, "category": {"kategori", "kategori", "kategori", "category"}, "brand": {"merke", "märke", "mærke", "brand"},
	"tag": {"merket", "märkt", "mærket", "tagged"}, "to": {"til", "till", "til", "to"}, "at": {"ved", "vid", "ved", "at"}, "end_of": {"slutten av", "slutet av", "slutningen af", "the end of"},
	"later": {"antall perioder senere", "antal perioder senare", "antal perioder senere", "periods later"}, "at_least": {"tidligst etter", "tidigast efter", "tidligst efter", "not before"},
	"inactive": {"uten aktivitet i", "utan aktivitet i", "uden aktivitet i", "without activity for"}, "warn": {"varsel før", "varning före", "varsel før", "warning before"},
	"discounts": {"rabatter", "rabatter", "rabatter", "discounts"}, "purchase_discounts": {"rabatt på hele kjøpet", "rabatt på hela köpet", "rabat på hele købet", "discounts on the whole purchase"},
	"tax": {"avgift", "moms", "moms", "tax"}, "shipping": {"frakt", "frakt", "fragt", "shipping"}, "paid_with_points": {"betalt med poeng", "betalt med poäng", "betalt med point", "paid with points"},
	"without_payments": {"uten det som er betalt med", "utan det som betalats med", "uden det, der er betalt med", "without what is paid by"}, "for": {"i", "i", "i", "for"}, "grace": {"frist", "frist", "frist", "grace"},
	"points": {"poeng", "poäng", "point", "points"}, "share": {"høyst prosent av kjøpet", "högst procent av köpet", "højst procent af købet", "most percent of the purchase"}, "product": {"vare", "vara", "vare", "product"},
	"voucher": {"verdikode", "värdekod", "værdikode", "voucher"}, "money": {"penger", "pengar", "penge", "money"}, "percent": {"prosent", "procent", "procent", "percent"}, "valid": {"gyldig i", "giltig i", "gyldig i", "valid for"},
	"own": {"det kjøpet selv gir", "det köpet självt ger", "det, købet selv giver", "what the purchase itself earns"}, "each": {"for hver", "för varje", "for hver", "for each"}, "per": {"per", "per", "pr.", "per"},
	"times": {"ganger", "gånger", "gange", "times"}, "over": {"over grensen", "över gränsen", "over grænsen", "over the limit"}, "purchase": {"kjøp", "köp", "køb", "purchase"}, "per_month": {"kjøp per måned", "köp per månad", "køb pr. måned", "purchases a month"},
	"whole": {"bare hele", "bara hela", "kun hele", "whole steps only"}, "stepped": {"trinnvis", "stegvis", "trinvis", "stepped"}, "kept": {"beholdt i", "behållet i", "beholdt i", "kept for"}, "steps": {"trinn", "steg", "trin", "steps"},
	"reward": {"belønning", "belöning", "belønning", "reward"}, "uses": {"ganger", "gånger", "gange", "uses"}, "waits": {"venter", "väntar", "venter", "waits"}, "hand_over": {"utleveres av seg selv", "lämnas ut av sig självt", "udleveres af sig selv", "handed over by itself"},
	"counted": {"det som er talt", "det som räknats", "det, der er talt,", "what was counted"}, "prizes": {"premier", "priser", "præmier", "prizes"}, "if_used": {"når alt er brukt", "när allt är använt", "når alt er brugt", "when all is used"},
	"since": {"siden", "sedan", "siden", "since"},
}

func (d *differ) place() int { return slices.Index(lang.All, d.lang) }

// word tells a word of a document in the reader's language, as it is where it is no fixed one.
func (d *differ) word(key, s string) string {
	if w, ok := said[key+"."+s]; ok {
		return w[d.place()]
	}
	return clip(s)
}

func (d *differ) quoted(s string) string {
	return strings.Replace(said["quoted"][d.place()], "%", s, 1)
}

// text tells a text that stands in a field, key being the field's type and name.
func (d *differ) text(key, s string, doc *Document) string {
	_, field, _ := strings.Cut(key, ".")
	switch {
	case s == "":
		return d.say("nothing")
	case key == "Condition.weekdays":
		return d.weekday(s)
	case key == "Condition.hours":
		from, to, _ := strings.Cut(s, "-")
		return lang.ClockText(d.lang, from) + "–" + lang.ClockText(d.lang, to)
	case key == "Condition.dates":
		if from, to, ok := strings.Cut(s, ".."); ok {
			return lang.Day(d.lang, from) + "–" + lang.Day(d.lang, to)
		}
		return lang.Day(d.lang, s)
	case key == "Expiry.on", field == "from", field == "until":
		return lang.Day(d.lang, s)
	case key == "Metric.window":
		return d.window(s)
	case key == "Rule.on", key == "Challenge.on":
		return d.trigger(s, doc)
	case key == "Metric.count" && strings.HasPrefix(s, "activity:"):
		return d.trigger(s, doc)
	case field == "unit", field == "units", field == "sum" && s != "spend":
		return d.unitName(s, doc)
	}
	switch key {
	case "Lines.category", "Lines.brand", "Lines.tag", "Lines.store", "Lines.channel", "Condition.store", "Condition.channel":
		if name := doc.Names[s].In(d.lang); name != "" {
			return name
		}
	}
	return d.word(key, s)
}

func (d *differ) weekday(s string) string {
	if day, ok := weekdays[s]; ok {
		return lang.Weekday(d.lang, day)
	}
	return s
}

// trigger tells what a rule waits for.
func (d *differ) trigger(s string, doc *Document) string {
	kind, of, _ := strings.Cut(s, ":")
	switch kind {
	case "date":
		return lang.Day(d.lang, of)
	case "activity":
		if name := doc.Activities[of].Name.In(d.lang); name != "" {
			of = name
		}
	case "tier":
		set, step, _ := strings.Cut(of, "/")
		of = d.tier(set, step, doc)
	}
	if phrase, ok := said["Rule.on."+kind+":"]; ok {
		return strings.Replace(phrase[d.place()], "%", d.quoted(of), 1)
	}
	return d.word("Rule.on", s)
}

// tier names a tier, by its id where it has no name.
func (d *differ) tier(set, step string, doc *Document) string {
	for _, s := range doc.Tiers[set].Steps {
		if name := s.Name.In(d.lang); s.ID == step && name != "" {
			return name
		}
	}
	return step
}

func (d *differ) window(s string) string {
	w, err := parseWindow(s)
	if err != nil || w.kind != "rolling" {
		return d.word("Metric.window", s)
	}
	return said["Metric.window.rolling"][d.place()] + " " + d.period(w.length)
}

func (d *differ) period(p Period) string {
	one, other, _ := strings.Cut(said["period."+p.Unit][d.place()], "|")
	return strings.ReplaceAll(lang.Count(d.lang, int64(p.N), 0, one, other), "\u00a0", " ")
}

// show writes a value in words, shortened. key is the field's type and name.
func (d *differ) show(v reflect.Value, doc *Document, key string) string {
	s := []rune(d.tell(v, doc, key))
	switch {
	case len(s) == 0:
		return d.say("nothing")
	case len(s) > maxShown:
		return string(s[:maxShown]) + "…"
	}
	return string(s)
}

// tell writes a value in words: a group of fields as "label value; label value", with round brackets around a group in a group.
func (d *differ) tell(v reflect.Value, doc *Document, key string) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return d.say("nothing")
		}
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case money.Decimal:
		return d.number(x)
	case Period:
		return d.period(x)
	case Expiry:
		if x.Never {
			return said["Expiry.never"][d.place()]
		}
	case Limits:
		return d.limits(x, "", doc)
	case Text, Noun:
		n, err := tree(x, v.Type())
		if err != nil || v.Len() == 0 {
			return d.say("nothing")
		}
		return flow(n)
	case bool:
		return d.say(word(x, "yes", "no"))
	}
	switch v.Kind() {
	case reflect.String:
		if key == "Appearance.picture" && v.String() != "" {
			return pictured(v.String())
		}
		return d.text(key, v.String(), doc)
	case reflect.Struct:
		return d.group(v, doc)
	case reflect.Slice:
		out := make([]string, v.Len())
		for i := range out {
			out[i] = d.part(v.Index(i), doc, key)
		}
		return strings.Join(out, ", ")
	case reflect.Map:
		var out []string
		for _, k := range v.MapKeys() {
			name, value := k.String(), d.part(v.MapIndex(k), doc, key)
			if key == "Condition.tier" {
				value = d.tier(name, v.MapIndex(k).String(), doc)
			}
			if strings.HasSuffix(key, "tier") {
				if set := doc.Tiers[name].Name.In(d.lang); set != "" {
					name = set
				}
			}
			out = append(out, name+": "+value)
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	default:
		return fmt.Sprint(v.Interface())
	}
}

// part is a value in a list or a group.
func (d *differ) part(v reflect.Value, doc *Document, key string) string {
	s := d.tell(v, doc, key)
	if strings.Contains(s, "; ") {
		return "(" + s + ")"
	}
	return s
}

func (d *differ) group(v reflect.Value, doc *Document) string {
	var out []string
	fields := fieldsOf(v.Type())
	for _, name := range fields.names {
		f := v.FieldByIndex(fields.byName[name].Index)
		if f.IsZero() {
			continue
		}
		key := v.Type().Name() + "." + name
		label := d.inner(key, name)
		switch {
		case f.Kind() == reflect.Bool:
			out = append(out, label)
		case label == "-":
			out = append(out, d.part(f, doc, key))
		default:
			out = append(out, label+" "+d.part(f, doc, key))
		}
	}
	if v.Type() == metricType {
		return strings.Join(out, " ")
	}
	return strings.Join(out, "; ")
}

// A metric reads as one phrase: money spent over the last 12 months.
var metricType = reflect.TypeFor[Metric]()

// inner is the label of a field within a value.
func (d *differ) inner(key, name string) string {
	for _, k := range []string{key, name} {
		if l, ok := inside[k]; ok {
			return l[d.place()]
		}
	}
	return d.label(name)
}
