package console

import "lojal.dev/lojal/internal/page"

var tryWords = page.Words{
	"try":               {"Prøv et kjøp", "Prova ett köp", "Prøv et køb", "Try a purchase"},
	"try.text":          {"Hva et kjøp ville gi, i dag eller en annen dag. Ingenting blir registrert.", "Vad ett köp skulle ge, i dag eller en annan dag. Ingenting registreras.", "Hvad et køb ville give, i dag eller en anden dag. Intet bliver registreret.", "What a purchase would give, today or on another day. Nothing is recorded."},
	"try.member":        {"Hvem handler?", "Vem handlar?", "Hvem handler?", "Who buys?"},
	"try.member.hint":   {"Telefon, kort, e-post eller nummer. La stå tomt for et helt nytt medlem.", "Telefon, kort, e-post eller nummer. Lämna tomt för en helt ny medlem.", "Telefon, kort, e-mail eller nummer. Lad stå tomt for et helt nyt medlem.", "Phone, card, e-mail or number. Leave it empty for somebody quite new."},
	"try.nobody":        {"Ingen er kjent under dette.", "Ingen är känd under detta.", "Ingen er kendt under dette.", "Nobody is known by this."},
	"try.category":      {"Varegruppe", "Varugrupp", "Varegruppe", "Category"},
	"try.category.hint": {"Slik kassen sender den. Tomt hvis den ikke betyr noe.", "Som kassan skickar den. Tomt om den inte spelar någon roll.", "Som kassen sender den. Tomt hvis den ikke betyder noget.", "As the till sends it. Empty where it does not matter."},
	"try.at.hint":       {"Nå, hvis du ikke velger noe annet. Også dager som kommer.", "Nu, om du inte väljer något annat. Även dagar som kommer.", "Nu, hvis du ikke vælger andet. Også dage, der kommer.", "Now, unless you choose otherwise. Days to come, too."},
	"try.now":           {"Etter programmet som gjelder", "Enligt programmet som gäller", "Efter programmet, der gælder", "By the program in force"},
	"try.draft":         {"Etter utkastet", "Enligt utkastet", "Efter udkastet", "By the draft"},
	"try.draft.wrong":   {"Utkastet har feil som må rettes først.", "Utkastet har fel som måste rättas först.", "Udkastet har fejl, som skal rettes først.", "The draft has mistakes that are to be mended first."},
	"draft.try":         {"Lagre og prøv et kjøp", "Spara och prova ett köp", "Gem og prøv et køb", "Save and try a purchase"},
	"try.no_draft":      {"Med et utkast ser du her hva det ville endre.", "Med ett utkast ser du här vad det skulle ändra.", "Med et udkast ser du her, hvad det ville ændre.", "With a draft you see here what it would change."},
}
