package portal

import "lojal.dev/lojal/internal/page"

var friendsWords = page.Words{
	"friends":        {"Venner", "Vänner", "Venner", "Friends"},
	"friends.qr":     {"QR-kode med lenken", "QR-kod med länken", "QR-kode med linket", "QR code with the link"},
	"friends.copy":   {"Kopier lenken", "Kopiera länken", "Kopiér linket", "Copy the link"},
	"friends.copied": {"Kopiert", "Kopierad", "Kopieret", "Copied"},
	"invite":         {"Ta med en venn", "Ta med en vän", "Tag en ven med", "Bring a friend"},
	"invite.do":      {"Lag lenken min", "Skapa min länk", "Lav mit link", "Make my link"},
	"came":           {"De som har kommet", "De som har kommit", "Dem, der er kommet", "Who has come"},
	"came.none":      {"Ingen ennå. Send lenken til noen du kjenner.", "Ingen än. Skicka länken till någon du känner.", "Ingen endnu. Send linket til en, du kender.", "Nobody yet. Send the link to somebody you know."},
	"came.joined":    {"En venn er med, og mangler kjøpet som teller", "En vän är med och saknar köpet som räknas", "En ven er med og mangler det køb, der tæller", "A friend has joined; the purchase that counts is still missing"},
	"came.qualified": {"En venn er med og har handlet", "En vän är med och har handlat", "En ven er med og har handlet", "A friend has joined and bought"},
	"came.undone":    {"En venn leverte varene tilbake", "En vän lämnade tillbaka varorna", "En ven leverede varerne tilbage", "A friend brought the goods back"},
	"came.refused":   {"En venn er med, men det ga ingenting", "En vän är med, men det gav inget", "En ven er med, men det gav intet", "A friend has joined, but nothing came of it"},
	"share":          {"Gi noe videre", "Ge något vidare", "Giv noget videre", "Pass something on"},
	"share.do":       {"Gi videre", "Ge vidare", "Giv videre", "Pass on"},
	"share.made":     {"Send denne lenken til en venn. Den vises bare nå, og gjelder én gang.", "Skicka den här länken till en vän. Den visas bara nu och gäller en gång.", "Send dette link til en ven. Det vises kun nu og gælder én gang.", "Send this link to a friend. It is shown now only, and good once."},
	"share.until":    {"Kan hentes til og med %s", "Kan hämtas till och med %s", "Kan hentes til og med %s", "Can be claimed through %s"},
	"share.open":     {"Ikke hentet ennå", "Inte hämtat än", "Ikke hentet endnu", "Not claimed yet"},
	"share.back":     {"Ta tilbake", "Ta tillbaka", "Tag tilbage", "Take back"},
	"gift":           {"Noe fra en venn", "Något från en vän", "Noget fra en ven", "Something from a friend"},
	"gift.text":      {"En venn har gitt deg noe. Ta imot, så står det hos deg om et øyeblikk.", "En vän har gett dig något. Ta emot, så finns det hos dig om ett ögonblick.", "En ven har givet dig noget. Tag imod, så står det hos dig om et øjeblik.", "A friend has given you something. Take it, and it is yours in a moment."},
	"gift.do":        {"Ta imot", "Ta emot", "Tag imod", "Take it"},

	"said.taken_back": {"Tatt tilbake. Lenken gjelder ikke lenger.", "Tillbakataget. Länken gäller inte längre.", "Taget tilbage. Linket gælder ikke længere.", "Taken back. The link is no longer good."},
	"said.claimed":    {"Tatt imot. Det står her om et øyeblikk.", "Mottaget. Det finns här om ett ögonblick.", "Modtaget. Det står her om et øjeblik.", "Taken. It is here in a moment."},

	"refused.share_refused": {"Dette kan ikke hentes av deg.", "Det här kan inte hämtas av dig.", "Dette kan ikke hentes af dig.", "You cannot have this."},
	"refused.share_claimed": {"Noen har hentet dette allerede.", "Någon har redan hämtat det här.", "Nogen har allerede hentet dette.", "Somebody has claimed this already."},
	"refused.share_ended":   {"Dette kan ikke hentes lenger.", "Det här kan inte hämtas längre.", "Dette kan ikke hentes længere.", "This can be claimed no more."},
	"refused.code_unknown":  {"Lenken er ikke riktig.", "Länken är inte rätt.", "Linket er ikke rigtigt.", "The link is not right."},
}
