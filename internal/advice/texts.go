package advice

// text is why and mend in Norwegian, Swedish, Danish and English.
type text struct{ why, mend [4]string }

var texts = map[string]text{
	"many_rules": {
		[4]string{"{n} regler: ingen kan forklare dem alle ved kassen.", "{n} regler: ingen kan förklara alla i kassan.", "{n} regler: ingen kan forklare dem alle ved kassen.", "{n} rules: nobody can explain them all at the till."},
		[4]string{"Slå sammen regler som ligner, og ta bort dem som sjelden gjelder.", "Slå ihop regler som liknar varandra och ta bort dem som sällan gäller.", "Slå regler sammen, der ligner hinanden, og fjern dem, der sjældent gælder.", "Join rules that are alike and remove those that seldom count."},
	},
	"no_title": {
		[4]string{"«{rule}» har ikke noe navn som medlemmene kan lese.", "”{rule}” har inget namn som medlemmarna kan läsa.", "”{rule}” har ikke noget navn, som medlemmerne kan læse.", "“{rule}” has no name that members can read."},
		[4]string{"Skriv et navn på hvert språk.", "Skriv ett namn på varje språk.", "Skriv et navn på hvert sprog.", "Write a name in each language."},
	},
	"no_name": {
		[4]string{"«{rule}» sier hva som gjelder med ord fra kassen: {words}.", "”{rule}” säger vad som gäller med ord från kassan: {words}.", "”{rule}” siger, hvad der gælder, med ord fra kassen: {words}.", "“{rule}” says what counts in words of the till: {words}."},
		[4]string{"Skriv under names hva medlemmene kaller dem.", "Skriv under names vad medlemmarna kallar dem.", "Skriv under names, hvad medlemmerne kalder dem.", "Write under names what members call them."},
	},
	"over": {
		[4]string{"«{rule}» er over og gir ingenting mer.", "”{rule}” är slut och ger inget mer.", "”{rule}” er slut og giver ikke mere.", "“{rule}” is over and gives nothing any more."},
		[4]string{"Ta den bort; det som er gitt, blir stående.", "Ta bort den; det som har getts står kvar.", "Fjern den; det, der er givet, bliver stående.", "Remove it; what was given stays."},
	},
	"limit_zero": {
		[4]string{"«{rule}» har en grense på null og gir aldri noe.", "”{rule}” har en gräns på noll och ger aldrig något.", "”{rule}” har en grænse på nul og giver aldrig noget.", "“{rule}” has a limit of nothing and never gives anything."},
		[4]string{"Hev grensen, eller ta bort regelen.", "Höj gränsen eller ta bort regeln.", "Hæv grænsen, eller fjern reglen.", "Raise the limit or remove the rule."},
	},
	"multiplies_nothing": {
		[4]string{"«{rule}» ganger noe som ingen regel gir.", "”{rule}” multiplicerar något som ingen regel ger.", "”{rule}” ganger noget, som ingen regel giver.", "“{rule}” multiplies what no rule gives."},
		[4]string{"Si under of hvilke regler den gjelder, eller ta den bort.", "Säg under of vilka regler den gäller, eller ta bort den.", "Sig under of, hvilke regler den gælder, eller fjern den.", "Say under of which rules it is for, or remove it."},
	},
	"shadowed": {
		[4]string{"«{rule}» gjelder aldri: en annen regel gjelder alene, alltid og for alt.", "”{rule}” gäller aldrig: en annan regel gäller ensam, alltid och för allt.", "”{rule}” gælder aldrig: en anden regel gælder alene, altid og for alt.", "“{rule}” never counts: another rule stands alone, always and for everything."},
		[4]string{"La den andre regelen gjelde for noe, eller ta bort denne.", "Låt den andra regeln gälla för något, eller ta bort denna.", "Lad den anden regel gælde for noget, eller fjern denne.", "Narrow the other rule, or remove this one."},
	},
	"never_earned": {
		[4]string{"Ingenting gir {unit}.", "Ingenting ger {unit}.", "Intet giver {unit}.", "Nothing gives {unit}."},
		[4]string{"Lag en regel som gir dem, eller ta dem bort.", "Gör en regel som ger dem, eller ta bort dem.", "Lav en regel, der giver dem, eller fjern dem.", "Make a rule that gives them, or remove them."},
	},
	"never_spent": {
		[4]string{"{unit} kan ikke brukes til noe.", "{unit} kan inte användas till något.", "{unit} kan ikke bruges til noget.", "{unit} cannot be used for anything."},
		[4]string{"Lag en belønning, eller si at de bare teller mot nivå (status_only).", "Gör en belöning, eller säg att de bara räknas mot nivå (status_only).", "Lav en belønning, eller sig, at de kun tæller mod niveau (status_only).", "Make a reward, or say that they count towards tiers only (status_only)."},
	},
	"no_text": {
		[4]string{"«{rule}» har en formel, og ingen kan lese av vilkårene hva den går ut på.", "”{rule}” har en formel, och av villkoren kan ingen läsa vad den går ut på.", "”{rule}” har en formel, og ingen kan læse af vilkårene, hvad den går ud på.", "“{rule}” has a formula, and nobody can read from the terms what it comes to."},
		[4]string{"Skriv text: si med ord hvor mye det gir, eller når det gjelder.", "Skriv text: säg med ord hur mycket det ger, eller när det gäller.", "Skriv text: sig med ord, hvor meget det giver, eller hvornår det gælder.", "Write text: say in words how much it gives, or when it holds."},
	},
	"no_warning": {
		[4]string{"{unit} utløper uten at medlemmet får vite det først.", "{unit} går ut utan att medlemmen får veta det först.", "{unit} udløber, uden at medlemmet får det at vide først.", "{unit} expire without the member being told first."},
		[4]string{"Skriv warn, for eksempel 30 days.", "Skriv warn, till exempel 30 days.", "Skriv warn, for eksempel 30 days.", "Write warn, for example 30 days."},
	},
	"activity_unused": {
		[4]string{"«{activity}» gir ingenting.", "”{activity}” ger inget.", "”{activity}” giver intet.", "“{activity}” gives nothing."},
		[4]string{"Lag en regel for den, eller ta den bort.", "Gör en regel för den, eller ta bort den.", "Lav en regel for den, eller fjern den.", "Make a rule for it, or remove it."},
	},
	"benefit_unnamed": {
		[4]string{"Medlemmer leser «{benefit}» som en kode.", "Medlemmar läser ”{benefit}” som en kod.", "Medlemmer læser ”{benefit}” som en kode.", "Members read “{benefit}” as a code."},
		[4]string{"Skriv fordelen under benefits, med en tittel.", "Skriv förmånen under benefits, med en titel.", "Skriv fordelen under benefits, med en titel.", "Write the benefit under benefits, with a title."},
	},
	"plan_empty": {
		[4]string{"«{plan}» koster penger og bringer ingenting.", "”{plan}” kostar pengar och ger inget.", "”{plan}” koster penge og giver intet.", "“{plan}” costs money and brings nothing."},
		[4]string{"Skriv benefits, eller en regel eller en fordel som spør etter plan.", "Skriv benefits, eller en regel eller en förmån som frågar efter plan.", "Skriv benefits, eller en regel eller en fordel, der spørger efter plan.", "Write benefits, or a rule or a benefit that asks for the plan."},
	},
	"newcomers": {
		[4]string{"Nye medlemmer får mer enn de gamle: «{rule}», og ingenting for dem som har blitt.", "Nya medlemmar får mer än de gamla: ”{rule}”, och inget för dem som har stannat.", "Nye medlemmer får mere end de gamle: ”{rule}”, og intet til dem, der er blevet.", "Newcomers get more than old members: “{rule}”, and nothing for those who stayed."},
		[4]string{"Gi dem som har vært der lenge minst like mye: et nivå, en gave på årsdagen, en fordel.", "Ge dem som har varit med länge minst lika mycket: en nivå, en gåva på årsdagen, en förmån.", "Giv dem, der har været der længe, mindst lige så meget: et niveau, en gave på årsdagen, en fordel.", "Give those who have been there long at least as much: a tier, a gift on the anniversary, a benefit."},
	},
	"benefit_lost": {
		[4]string{"{tier} mister «{benefit}», som {below} har.", "{tier} förlorar ”{benefit}” som {below} har.", "{tier} mister ”{benefit}”, som {below} har.", "{tier} loses “{benefit}”, which {below} has."},
		[4]string{"Gi {tier} fordelen også, eller en som er bedre, og si hvilken.", "Ge {tier} förmånen också, eller en som är bättre, och säg vilken.", "Giv {tier} fordelen også, eller en, der er bedre, og sig hvilken.", "Give {tier} the benefit too, or a better one, and say which."},
	},
	"tier_earns_less": {
		[4]string{"{tier} får mindre for det samme kjøpet enn {below}.", "{tier} får mindre för samma köp än {below}.", "{tier} får mindre for det samme køb end {below}.", "{tier} earns less on the same purchase than {below}."},
		[4]string{"La det som gjelder for {below}, gjelde for {tier} også: tier i stedet for only_tier.", "Låt det som gäller för {below} gälla för {tier} också: tier i stället för only_tier.", "Lad det, der gælder for {below}, gælde for {tier} også: tier i stedet for only_tier.", "Let what counts for {below} count for {tier} too: tier in place of only_tier."},
	},
	"fall_unwarned": {
		[4]string{"I «{set}» går medlemmer ned uten at noen har sagt fra.", "I ”{set}” går medlemmar ner utan att någon har sagt till.", "I ”{set}” går medlemmer ned, uden at nogen har sagt det.", "In “{set}” members fall without being told first."},
		[4]string{"Skriv down: {warn: 14 days}, og gjerne grace.", "Skriv down: {warn: 14 days}, och gärna grace.", "Skriv down: {warn: 14 days}, og gerne grace.", "Write down: {warn: 14 days}, and perhaps grace."},
	},
	"too_little": {
		[4]string{"Bare {share} av det medlemmet handler for, kommer tilbake som {unit}.", "Bara {share} av det medlemmen handlar för kommer tillbaka som {unit}.", "Kun {share} af det, medlemmet handler for, kommer tilbage som {unit}.", "Only {share} of what a member spends comes back as {unit}."},
		[4]string{"Gi mer, eller gi noe som ikke måles i penger.", "Ge mer, eller ge något som inte mäts i pengar.", "Giv mere, eller giv noget, der ikke måles i penge.", "Give more, or give what is not measured in money."},
	},
	"out_of_reach": {
		[4]string{"Den første belønningen for {unit} tar {months} måneder for en som handler for {purchase} {times} ganger i måneden.", "Den första belöningen för {unit} tar {months} månader för den som handlar för {purchase} {times} gånger i månaden.", "Den første belønning for {unit} tager {months} måneder for en, der handler for {purchase} {times} gange om måneden.", "The first reward for {unit} takes {months} months for someone who spends {purchase} {times} times a month."},
		[4]string{"Lag en liten belønning som kan nås på noen uker.", "Gör en liten belöning som kan nås på några veckor.", "Lav en lille belønning, der kan nås på nogle uger.", "Make a small reward that can be reached in some weeks."},
	},
	"too_cheap": {
		[4]string{"Ett kjøp på {purchase} er nok til alle belønninger for {unit}: det er en rabatt, ikke en grunn til å komme igjen.", "Ett köp på {purchase} räcker till alla belöningar för {unit}: det är en rabatt, inte ett skäl att komma tillbaka.", "Ét køb på {purchase} er nok til alle belønninger for {unit}: det er en rabat, ikke en grund til at komme igen.", "One purchase of {purchase} is enough for every reward for {unit}: that is a discount, not a reason to come back."},
		[4]string{"Lag noe å spare til.", "Gör något att spara till.", "Lav noget at spare op til.", "Make something worth saving for."},
	},
	"all_alike": {
		[4]string{"Alle belønningene for {unit} koster nesten det samme.", "Alla belöningar för {unit} kostar nästan lika mycket.", "Alle belønninger for {unit} koster næsten det samme.", "All rewards for {unit} cost nearly the same."},
		[4]string{"Lag en som er nær, og en som er noe å drømme om.", "Gör en som är nära och en som är något att drömma om.", "Lav en, der er nær, og en, der er noget at drømme om.", "Make one that is near and one to dream of."},
	},
	"top_for_all": {
		[4]string{"En som handler for {purchase} {times} ganger i måneden, er {tier}: det øverste nivået er for alle.", "Den som handlar för {purchase} {times} gånger i månaden är {tier}: den högsta nivån är för alla.", "En, der handler for {purchase} {times} gange om måneden, er {tier}: det øverste niveau er for alle.", "Someone who spends {purchase} {times} times a month is {tier}: the top tier is for everyone."},
		[4]string{"Hev grensen for det øverste nivået, eller lag ett til.", "Höj gränsen för den högsta nivån, eller gör en till.", "Hæv grænsen for det øverste niveau, eller lav et til.", "Raise the threshold of the top tier, or make one more."},
	},
	"activity_unlimited": {
		[4]string{"«{rule}» kan gjentas så ofte noen vil.", "”{rule}” kan upprepas hur ofta som helst.", "”{rule}” kan gentages så ofte, nogen vil.", "“{rule}” can be repeated as often as anyone likes."},
		[4]string{"Skriv limit, for eksempel {per: day, times: 1}.", "Skriv limit, till exempel {per: day, times: 1}.", "Skriv limit, for eksempel {per: day, times: 1}.", "Write limit, for example {per: day, times: 1}."},
	},
	"split_purchases": {
		[4]string{"«{rule}» gir det samme for hvert kjøp, hvor lite det er: ett kjøp kan deles i mange.", "”{rule}” ger lika mycket för varje köp, hur litet det än är: ett köp kan delas i många.", "”{rule}” giver det samme for hvert køb, hvor lille det end er: ét køb kan deles i mange.", "“{rule}” gives the same for every purchase, however small: one purchase can be split into many."},
		[4]string{"Skriv when: {total: {from: …}} eller limit: {per: day, times: 1}.", "Skriv when: {total: {from: …}} eller limit: {per: day, times: 1}.", "Skriv when: {total: {from: …}} eller limit: {per: day, times: 1}.", "Write when: {total: {from: …}} or limit: {per: day, times: 1}."},
	},
	"points_earn_points": {
		[4]string{"«{rule}» gir poeng for det som er betalt med poeng.", "”{rule}” ger poäng för det som betalas med poäng.", "”{rule}” giver point for det, der er betalt med point.", "“{rule}” gives points for what was paid with points."},
		[4]string{"Skriv basis: {paid_with_points: excluded}.", "Skriv basis: {paid_with_points: excluded}.", "Skriv basis: {paid_with_points: excluded}.", "Write basis: {paid_with_points: excluded}."},
	},
	"multipliers_stack": {
		[4]string{"Når alt som ganger, gjelder på en gang, kommer {share} av kjøpet tilbake.", "När allt som multiplicerar gäller samtidigt kommer {share} av köpet tillbaka.", "Når alt, der ganger, gælder på én gang, kommer {share} af købet tilbage.", "When all multipliers count at once, {share} of the purchase comes back."},
		[4]string{"Skriv stack: best med samme group, eller en grense.", "Skriv stack: best med samma group, eller en gräns.", "Skriv stack: best med samme group, eller en grænse.", "Write stack: best with one group, or a limit."},
	},
	"worth_more": {
		[4]string{"«{reward}» gir {gets} for poeng som er satt til {cost}.", "”{reward}” ger {gets} för poäng som är satta till {cost}.", "”{reward}” giver {gets} for point, der er sat til {cost}.", "“{reward}” gives {gets} for points that are put at {cost}."},
		[4]string{"Hev prisen, eller si en høyere worth for poengene.", "Höj priset, eller säg ett högre worth för poängen.", "Hæv prisen, eller sig en højere worth for pointene.", "Raise the price, or state a higher worth for the points."},
	},
	"birthday_at_once": {
		[4]string{"«{rule}» får også den som ble medlem dagen før.", "”{rule}” får även den som blev medlem dagen innan.", "”{rule}” får også den, der blev medlem dagen før.", "“{rule}” also goes to who joined the day before."},
		[4]string{"Skriv when: {member_for: 30 days}.", "Skriv when: {member_for: 30 days}.", "Skriv when: {member_for: 30 days}.", "Write when: {member_for: 30 days}."},
	},
	"grows_too_fast": {
		[4]string{"Med «{rule}» vokser det som ligger, med {share} på et år.", "Med ”{rule}” växer det som ligger med {share} på ett år.", "Med ”{rule}” vokser det, der ligger, med {share} på et år.", "With “{rule}” what lies there grows by {share} in a year."},
		[4]string{"Senk prosenten, eller la den komme sjeldnere.", "Sänk procenten, eller låt den komma mer sällan.", "Sænk procenten, eller lad den komme sjældnere.", "Lower the percent, or let it come less often."},
	},
	"grows_on_returns": {
		[4]string{"«{rule}» gir også av poeng for varer som ennå kan leveres tilbake, og det blir stående når de kommer.", "”{rule}” ger också av poäng för varor som ännu kan lämnas tillbaka, och det står kvar när de kommer.", "”{rule}” giver også af point for varer, der endnu kan leveres tilbage, og det bliver stående, når de kommer.", "“{rule}” also gives a part of points for goods that may still come back, and that stays when they do."},
		[4]string{"Skriv kept, minst så lenge varer kan leveres tilbake, for eksempel kept: 3 months.", "Skriv kept, minst så länge varor kan lämnas tillbaka, till exempel kept: 3 months.", "Skriv kept, mindst så længe varer kan leveres tilbage, for eksempel kept: 3 months.", "Write kept, at least as long as goods may come back, for example kept: 3 months."},
	},
	"referral_cheap": {
		[4]string{"Å invitere gir {thanks} til sammen, og kjøpet som utløser det, kan være på {least}: oppdiktede venner lønner seg.", "Att bjuda in ger {thanks} tillsammans, och köpet som krävs kan vara på {least}: påhittade vänner lönar sig.", "At invitere giver {thanks} tilsammen, og købet, der udløser det, kan være på {least}: opdigtede venner betaler sig.", "Inviting gives {thanks} in all, and the purchase that brings it may be {least}: made-up friends pay."},
		[4]string{"Skriv qualifies: {when: {total: {from: …}}}, minst det dobbelte.", "Skriv qualifies: {when: {total: {from: …}}}, minst det dubbla.", "Skriv qualifies: {when: {total: {from: …}}}, mindst det dobbelte.", "Write qualifies: {when: {total: {from: …}}}, at least twice as much."},
	},
	"referral_unlimited": {
		[4]string{"Den som inviterer, kan gjøre det så ofte noen vil.", "Den som bjuder in kan göra det hur ofta som helst.", "Den, der inviterer, kan gøre det så ofte, nogen vil.", "Who invites can do so as often as anyone likes."},
		[4]string{"Skriv limit under referrer, for eksempel {per: year, times: 10}.", "Skriv limit under referrer, till exempel {per: year, times: 10}.", "Skriv limit under referrer, for eksempel {per: year, times: 10}.", "Write limit under referrer, for example {per: year, times: 10}."},
	},
	"recognition_circular": {
		[4]string{"To som takker hverandre fram og tilbake, gjør hele kvoten sin til noe de kan beholde.", "Två som tackar varandra fram och tillbaka gör hela sin kvot till något de kan behålla.", "To, der takker hinanden frem og tilbage, gør hele deres kvote til noget, de kan beholde.", "Two who thank each other back and forth turn all of their allowance into something to keep."},
		[4]string{"Skriv between under recognition, for eksempel {per: month, times: 2}.", "Skriv between under recognition, till exempel {per: month, times: 2}.", "Skriv between under recognition, for eksempel {per: month, times: 2}.", "Write between under recognition, for example {per: month, times: 2}."},
	},
	"returns_keep": {
		[4]string{"Den som leverer varene tilbake, beholder poengene: de kan kjøpes gratis.", "Den som lämnar tillbaka varorna behåller poängen: de kan köpas gratis.", "Den, der leverer varerne tilbage, beholder pointene: de kan købes gratis.", "Who returns the goods keeps the points: they can be had for free."},
		[4]string{"Skriv earned: take back.", "Skriv earned: take back.", "Skriv earned: take back.", "Write earned: take back."},
	},
	"returns_clamp": {
		[4]string{"Den som bruker poengene før varene leveres tilbake, skylder ingenting.", "Den som använder poängen innan varorna lämnas tillbaka är inte skyldig något.", "Den, der bruger pointene, før varerne leveres tilbage, skylder intet.", "Who spends the points before the goods come back owes nothing."},
		[4]string{"Skriv if_spent: debt, eller pending: {for: 14 days} på det som gir poeng.", "Skriv if_spent: debt, eller pending: {for: 14 days} på det som ger poäng.", "Skriv if_spent: debt, eller pending: {for: 14 days} på det, der giver point.", "Write if_spent: debt, or pending: {for: 14 days} on what gives points."},
	},
	"welcome_transferred": {
		[4]string{"Velkomstgaven «{rule}» kan gis videre uten grense: oppdiktede medlemmer lønner seg.", "Välkomstgåvan ”{rule}” kan ges vidare utan gräns: påhittade medlemmar lönar sig.", "Velkomstgaven ”{rule}” kan gives videre uden grænse: opdigtede medlemmer betaler sig.", "The welcome gift “{rule}” can be passed on without limit: made-up members pay."},
		[4]string{"Skriv limit under transfers, eller pending på gaven.", "Skriv limit under transfers, eller pending på gåvan.", "Skriv limit under transfers, eller pending på gaven.", "Write limit under transfers, or pending on the gift."},
	},
	"gift_cards_twice": {
		[4]string{"For «{what}» teller de samme pengene når et gavekort kjøpes, og når det betales med.", "För ”{what}” räknas samma pengar när ett presentkort köps och när det betalar.", "For “{what}” tæller de samme penge, når et gavekort købes, og når det betaler.", "For “{what}” the same money counts when a gift card is bought and when it pays."},
		[4]string{"Ta gavekort ut av det som teller, lines: {not: {category: …}}, eller ut av betalingen, basis: {without_payments: gift_card}.", "Ta bort presentkort från det som räknas, lines: {not: {category: …}}, eller från betalningen, basis: {without_payments: gift_card}.", "Tag gavekort ud af det, der tæller, lines: {not: {category: …}}, eller ud af betalingen, basis: {without_payments: gift_card}.", "Leave gift cards out, lines: {not: {category: …}}, or out of what is paid, basis: {without_payments: gift_card}."},
	},
	"partner_pays_little": {
		[4]string{"{partner} betaler {price} for {unit} som er satt til {worth}.", "{partner} betalar {price} för {unit} som är satta till {worth}.", "{partner} betaler {price} for {unit}, der er sat til {worth}.", "{partner} pays {price} for {unit} that are put at {worth}."},
		[4]string{"Avtal en pris som dekker det poengene koster.", "Avtala ett pris som täcker vad poängen kostar.", "Aftal en pris, der dækker, hvad pointene koster.", "Agree on a price that covers what the points cost."},
	},
	"partner_gets_much": {
		[4]string{"{partner} får {price} for {unit} som er satt til {worth}.", "{partner} får {price} för {unit} som är satta till {worth}.", "{partner} får {price} for {unit}, der er sat til {worth}.", "{partner} gets {price} for {unit} that are put at {worth}."},
		[4]string{"Avtal en lavere pris, eller si en høyere worth for poengene.", "Avtala ett lägre pris, eller sätt ett högre worth för poängen.", "Aftal en lavere pris, eller sig en højere worth for pointene.", "Agree on a lower price, or state a higher worth for the points."},
	},
	"never": {
		[4]string{"«{rule}» gjelder aldri: dagene ligger utenfor tiden den varer.", "”{rule}” gäller aldrig: dagarna ligger utanför tiden den varar.", "”{rule}” gælder aldrig: dagene ligger uden for den tid, den varer.", "“{rule}” never counts: its days lie outside its own time."},
		[4]string{"La dates ligge mellom from og until.", "Låt dates ligga mellan from och until.", "Lad dates ligge mellem from og until.", "Let dates lie between from and until."},
	},
	"fades_never": {
		[4]string{"«{benefit}» synker ikke i dette trinnet: det er verdt like mye eller mer enn før.", "”{benefit}” sjunker inte i detta steg: det är värt lika mycket eller mer än förut.", "”{benefit}” falder ikke i dette trin: den er lige så meget værd som før, eller mere.", "“{benefit}” does not fall in this step: it is worth as much as before, or more."},
		[4]string{"Skriv en lavere verdi enn i value og i trinnet før.", "Skriv ett lägre värde än i value och i steget innan.", "Skriv en lavere værdi end i value og i trinnet før.", "Write less than in value and in the step before."},
	},
	"coupon_unlimited": {
		[4]string{"Alle som kjenner ordet til «{coupon}», kan bruke det så ofte de vil.", "Alla som känner till ordet för ”{coupon}” kan använda det hur ofta som helst.", "Alle, der kender ordet til ”{coupon}”, kan bruge det, så ofte de vil.", "Whoever knows the word of “{coupon}” can use it as often as they like."},
		[4]string{"Skriv limit, for eksempel {per: lifetime, times: 1}, og gjerne en for alle til sammen: {each: program, per: lifetime, times: 5000}.", "Skriv limit, till exempel {per: lifetime, times: 1}, och gärna en för alla tillsammans: {each: program, per: lifetime, times: 5000}.", "Skriv limit, for eksempel {per: lifetime, times: 1}, og gerne en for alle tilsammen: {each: program, per: lifetime, times: 5000}.", "Write limit, for example {per: lifetime, times: 1}, and perhaps one for all together: {each: program, per: lifetime, times: 5000}."},
	},
	"coupon_endless": {
		[4]string{"Ordet til «{coupon}» gjelder for alltid, og alle kan gi det videre.", "Ordet för ”{coupon}” gäller för alltid, och alla kan ge det vidare.", "Ordet til ”{coupon}” gælder for altid, og alle kan give det videre.", "The word of “{coupon}” counts for ever, and anybody can pass it on."},
		[4]string{"Skriv until.", "Skriv until.", "Skriv until.", "Write until."},
	},
	"coupon_pays_all": {
		[4]string{"«{coupon}» gir {worth}, også når det som kjøpes, ikke koster mer: da er alt gratis.", "”{coupon}” ger {worth}, även när det som köps inte kostar mer: då är allt gratis.", "”{coupon}” giver {worth}, også når det, der købes, ikke koster mere: så er det hele gratis.", "“{coupon}” gives {worth} also when what is bought costs no more: then all of it is free."},
		[4]string{"Skriv least, det minste det må handles for.", "Skriv least, det minsta som måste handlas för.", "Skriv least, det mindste, der skal handles for.", "Write least, the least that must be bought for."},
	},
	"share_unlimited": {
		[4]string{"«{share}» kan deles så ofte noen vil.", "”{share}” kan delas hur ofta som helst.", "”{share}” kan deles, så ofte nogen vil.", "“{share}” can be passed on as often as anyone likes."},
		[4]string{"Skriv limit, for eksempel {per: month, times: 3}.", "Skriv limit, till exempel {per: month, times: 3}.", "Skriv limit, for eksempel {per: month, times: 3}.", "Write limit, for example {per: month, times: 3}."},
	},
	"household_hopping": {
		[4]string{"Medlemmer kan gå fra husstand til husstand samme dag, og bruke poengene i hver av dem.", "Medlemmar kan gå från hushåll till hushåll samma dag och använda poängen i vart och ett.", "Medlemmer kan gå fra husstand til husstand samme dag og bruge pointene i hver af dem.", "Members can go from household to household on one day, and spend the points of each."},
		[4]string{"Skriv wait under households, for eksempel 90 days.", "Skriv wait under households, till exempel 90 days.", "Skriv wait under households, for eksempel 90 days.", "Write wait under households, for example 90 days."},
	},
	"household_gifts": {
		[4]string{"Velkomstgaven «{rule}» kan brukes av hele husstanden med en gang: oppdiktede medlemmer lønner seg.", "Välkomstgåvan ”{rule}” kan användas av hela hushållet direkt: påhittade medlemmar lönar sig.", "Velkomstgaven ”{rule}” kan bruges af hele husstanden med det samme: opdigtede medlemmer betaler sig.", "The welcome gift “{rule}” can be spent by the whole household at once: made-up members pay."},
		[4]string{"Skriv member_for under households, for eksempel 30 days.", "Skriv member_for under households, till exempel 30 days.", "Skriv member_for under households, for eksempel 30 days.", "Write member_for under households, for example 30 days."},
	},
}
