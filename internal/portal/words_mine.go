package portal

import "lojal.dev/lojal/internal/page"

var mineWords = page.Words{
	"benefits":             {"Fordeler", "Förmåner", "Fordele", "Benefits"},
	"benefits.not":         {"Dette kan du få", "Det här kan du få", "Dette kan du få", "What you can get"},
	"benefits.none":        {"Ingen fordeler ennå", "Inga förmåner än", "Ingen fordele endnu", "No benefits yet"},
	"benefits.none.text":   {"Når programmet har noe for deg, står det her.", "När programmet har något för dig står det här.", "Når programmet har noget til dig, står det her.", "When the program has something for you, it is here."},
	"benefit.until":        {"Til og med %s", "Till och med %s", "Til og med %s", "Through %s"},
	"benefit.left":         {"Kan brukes %s ganger til", "Kan användas %s gånger till", "Kan bruges %s gange til", "Can be used %s more times"},
	"benefit.renews":       {"Fylles på %s", "Fylls på %s", "Fyldes op %s", "Renews on %s"},
	"benefit.fades":        {"Blir mindre %s hvis du ikke handler før det", "Blir mindre %s om du inte handlar innan dess", "Bliver mindre %s, hvis du ikke handler inden da", "Gets less on %s unless you buy something before"},
	"benefit.use":          {"Bruk", "Använd", "Brug", "Use"},
	"benefit.use.text":     {"Gjør dette når du står ved disken, og vis fram neste side. Det teller med én gang.", "Gör det här när du står vid disken och visa upp nästa sida. Det räknas direkt.", "Gør dette, når du står ved disken, og vis næste side frem. Det tæller med det samme.", "Do this at the counter, and show the next page. It counts at once."},
	"benefit.use.now":      {"Bruk nå", "Använd nu", "Brug nu", "Use now"},
	"benefit.used":         {"Brukt nå", "Använd nu", "Brugt nu", "Used just now"},
	"benefit.used.text":    {"Vis dette til den som står bak disken.", "Visa det här för den som står bakom disken.", "Vis dette til den, der står bag disken.", "Show this to whoever is behind the counter."},
	"challenges.none":      {"Ingenting å samle på ennå", "Inget att samla på än", "Intet at samle på endnu", "Nothing to collect yet"},
	"challenges.none.text": {"Når det er et stempelkort eller et mål å nå, står det her.", "När det finns ett stämpelkort eller ett mål att nå står det här.", "Når der er et stempelkort eller et mål at nå, står det her.", "When there is a punch card or a goal to reach, it is here."},
	"challenges.other":     {"Andre", "Andra", "Andre", "Others"},
	"history.empty":        {"Ingenting har skjedd ennå", "Inget har hänt än", "Der er ikke sket noget endnu", "Nothing has happened yet"},
	"history.more":         {"Eldre", "Äldre", "Ældre", "Older"},
	"me":                   {"Min konto", "Mitt konto", "Min konto", "My account"},
	"me.about":             {"Om deg", "Om dig", "Om dig", "About you"},
	"sessions":             {"Her er du logget inn", "Här är du inloggad", "Her er du logget ind", "Where you are signed in"},
	"sessions.this":        {"Denne", "Den här", "Denne", "This one"},
	"sessions.unknown":     {"Ukjent nettleser", "Okänd webbläsare", "Ukendt browser", "Unknown browser"},
	"sessions.seen":        {"Sist brukt %s", "Senast använd %s", "Sidst brugt %s", "Last used %s"},
	"sessions.end":         {"Logg ut der", "Logga ut där", "Log ud der", "Sign out there"},
	"sessions.end_all":     {"Logg ut alle andre steder", "Logga ut överallt annars", "Log ud alle andre steder", "Sign out everywhere else"},
	"said.sessions":        {"Logget ut der.", "Utloggad där.", "Logget ud der.", "Signed out there."},
	"said.name":            {"Lagret.", "Sparat.", "Gemt.", "Saved."},
}
