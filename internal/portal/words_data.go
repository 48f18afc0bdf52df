package portal

import "lojal.dev/lojal/internal/page"

var dataWords = page.Words{
	"data":           {"Mine data", "Mina uppgifter", "Mine data", "My data"},
	"data.text":      {"Det vi vet om deg, og hva du kan gjøre med det.", "Det vi vet om dig och vad du kan göra med det.", "Det, vi ved om dig, og hvad du kan gøre ved det.", "What we know about you, and what you can do about it."},
	"data.addresses": {"Slik når vi deg", "Så når vi dig", "Sådan når vi dig", "How we reach you"},
	"data.none":      {"Ikke oppgitt", "Inte angett", "Ikke oplyst", "Not given"},
	"data.change":    {"Endre", "Ändra", "Skift", "Change"},
	"data.add":       {"Legg til", "Lägg till", "Tilføj", "Add"},
	"data.more":      {"Mer om deg", "Mer om dig", "Mere om dig", "More about you"},
	"birth":          {"Fødselsdag", "Födelsedag", "Fødselsdag", "Date of birth"},
	"birth.hint":     {"Kan bare oppgis én gang.", "Kan bara anges en gång.", "Kan kun oplyses én gang.", "Can be given once only."},
	"birth.once":     {"Er den feil? Si fra i butikken eller til kundeservice.", "Är den fel? Säg till i butiken eller till kundtjänst.", "Er den forkert? Sig til i butikken eller til kundeservice.", "Is it wrong? Tell the shop or customer service."},
	"postcode":       {"Postnummer", "Postnummer", "Postnummer", "Postcode"},
	"copy":           {"En kopi av alt", "En kopia av allt", "En kopi af alt", "A copy of everything"},
	"copy.text":      {"En fil med alt vi vet om deg: opplysningene over, saldo, nivå, fordeler og hver hendelse med forklaring. Den er i JSON, som andre programmer kan lese.", "En fil med allt vi vet om dig: uppgifterna ovan, saldo, nivå, förmåner och varje händelse med förklaring. Den är i JSON, som andra program kan läsa.", "En fil med alt, vi ved om dig: oplysningerne ovenfor, saldo, niveau, fordele og hver hændelse med forklaring. Den er i JSON, som andre programmer kan læse.", "A file with all we know about you: the details above, balances, tier, benefits and each event with its explanation. It is JSON, which other programs can read."},
	"copy.do":        {"Last ned", "Ladda ner", "Download", "Download"},

	"change.email": {"Ny e-postadresse", "Ny e-postadress", "Ny e-mailadresse", "New e-mail address"},
	"change.phone": {"Nytt mobilnummer", "Nytt mobilnummer", "Nyt mobilnummer", "New mobile number"},
	"change.text":  {"Vi sender en kode dit, så vi vet at det er riktig.", "Vi skickar en kod dit så att vi vet att det stämmer.", "Vi sender en kode dertil, så vi ved, at det er rigtigt.", "We send a code there, to know that it is right."},
	"change.mail": {"Hei!\n\nNoen vil bruke denne adressen i medlemskapet sitt i %s. Er det deg, er koden %s. Den gjelder i ti minutter, og bare én gang.\n\nHar du ikke bedt om den, trenger du ikke gjøre noe. Gi den ikke til noen: vi spør aldri etter den.\n",
		"Hej!\n\nNågon vill använda den här adressen i sitt medlemskap i %s. Är det du är koden %s. Den gäller i tio minuter och bara en gång.\n\nOm du inte har bett om den behöver du inte göra något. Ge den inte till någon: vi frågar aldrig efter den.\n",
		"Hej!\n\nNogen vil bruge denne adresse i sit medlemskab i %s. Er det dig, er koden %s. Den gælder i ti minutter og kun én gang.\n\nHar du ikke bedt om den, behøver du ikke gøre noget. Giv den ikke til nogen: vi spørger aldrig efter den.\n",
		"Hello!\n\nSomebody wants to use this address in their membership of %s. If it is you, the code is %s. It is good for ten minutes, and once.\n\nIf you did not ask for it, there is nothing to do. Give it to nobody: we never ask for it.\n"},
	"changed.subject": {"Adressen din i %s er endret", "Din adress i %s är ändrad", "Din adresse i %s er ændret", "Your address in %s was changed"},
	"changed.mail": {"Du har byttet adresse i medlemskapet ditt i %s, og denne brukes ikke lenger. Var det ikke deg, si fra til oss.",
		"Du har bytt adress i ditt medlemskap i %s och den här används inte längre. Var det inte du, säg till oss.",
		"Du har skiftet adresse i dit medlemskab i %s, og denne bruges ikke længere. Var det ikke dig, så sig til os.",
		"You have changed an address of your membership of %s, and this one is no longer used. If it was not you, tell us."},

	"leave":       {"Avslutt medlemskapet", "Avsluta medlemskapet", "Afslut medlemskabet", "End the membership"},
	"leave.short": {"Se først hva du mister, og hva som blir tatt vare på.", "Se först vad du förlorar och vad som sparas.", "Se først, hvad du mister, og hvad der gemmes.", "See first what you lose, and what is kept."},
	"leave.see":   {"Se hva det betyr", "Se vad det innebär", "Se, hvad det betyder", "See what it means"},
	"leave.title": {"Forlate %s?", "Lämna %s?", "Forlade %s?", "Leave %s?"},
	"leave.lost":  {"Dette mister du med én gang", "Det här förlorar du direkt", "Dette mister du med det samme", "What you lose at once"},
	"leave.tier":  {"Nivået %s", "Nivån %s", "Niveauet %s", "The tier %s"},
	"leave.rest":  {"Fordeler, stempler og gaver som ikke er brukt", "Förmåner, stämplar och gåvor som inte är använda", "Fordele, stempler og gaver, der ikke er brugt", "Benefits, stamps and gifts that are not used"},
	"leave.kept":  {"Dette blir tatt vare på", "Det här sparas", "Dette gemmes", "What is kept"},
	"leave.books": {"Kjøp og poengbevegelser står i regnskapet så lenge det skal oppbevares.", "Köp och poängrörelser står i bokföringen så länge den ska sparas.", "Køb og pointbevægelser står i regnskabet, så længe det skal opbevares.", "Purchases and movements of points stay in the books for as long as those must be kept."},
	"leave.names": {"Navn og adresser blir ikke slettet av dette. Be oss om det hvis du vil: det som står i regnskapet, står da igjen uten dem.", "Namn och adresser raderas inte av det här. Be oss om det om du vill: det som står i bokföringen finns då kvar utan dem.", "Navn og adresser slettes ikke af dette. Bed os om det, hvis du vil: det, der står i regnskabet, bliver da stående uden dem.", "Name and addresses are not erased by this. Ask us if you want that: what is in the books then stays without them."},
	"leave.again": {"Det kan ikke gjøres om. Vil du bli med igjen senere, spør oss: adressen din hører til medlemskapet som er avsluttet.", "Det går inte att ångra. Vill du gå med igen senare, fråga oss: din adress hör till medlemskapet som är avslutat.", "Det kan ikke gøres om. Vil du være med igen senere, så spørg os: din adresse hører til det medlemskab, der er afsluttet.", "It cannot be undone. To join again later, ask us: your address belongs to the membership that ended."},
	"leave.sure":  {"Jeg vet hva jeg mister, og vil avslutte medlemskapet.", "Jag vet vad jag förlorar och vill avsluta medlemskapet.", "Jeg ved, hvad jeg mister, og vil afslutte medlemskabet.", "I know what I lose, and want to end the membership."},
	"leave.do":    {"Avslutt medlemskapet", "Avsluta medlemskapet", "Afslut medlemskabet", "End the membership"},
	"leave.stay":  {"Bli værende", "Stanna kvar", "Bliv", "Stay"},

	"said.kept": {"Lagret.", "Sparat.", "Gemt.", "Saved."},

	"refused.leave_unsure":     {"Kryss av for at du vet hva du mister.", "Kryssa i att du vet vad du förlorar.", "Sæt kryds ved, at du ved, hvad du mister.", "Tick that you know what you lose."},
	"refused.identifier_taken": {"Et annet medlemskap har denne adressen. Logg inn med den i stedet, eller be oss slå de to sammen.", "Ett annat medlemskap har den här adressen. Logga in med den i stället eller be oss slå ihop de två.", "Et andet medlemskab har denne adresse. Log ind med den i stedet, eller bed os slå de to sammen.", "Another membership has this address. Sign in with it instead, or ask us to bring the two together."},
}
