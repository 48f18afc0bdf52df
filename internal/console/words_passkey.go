package console

import "lojal.dev/lojal/internal/page"

var passkeyWords = page.Words{
	"remove":               {"Fjern", "Ta bort", "Fjern", "Remove"},
	"or":                   {"eller", "eller", "eller", "or"},
	"passkey.sign_in":      {"Logg inn med passnøkkel", "Logga in med passkey", "Log ind med adgangsnøgle", "Sign in with a passkey"},
	"passkey.failed":       {"Det kom ingen passnøkkel fra enheten. Prøv igjen, eller bruk passordet.", "Det kom ingen passkey från enheten. Försök igen, eller använd lösenordet.", "Der kom ingen adgangsnøgle fra enheden. Prøv igen, eller brug adgangskoden.", "No passkey came from the device. Try again, or use the password."},
	"passkeys":             {"Passnøkler", "Passkeys", "Adgangsnøgler", "Passkeys"},
	"passkeys.why":         {"Logg inn med fingeren, ansiktet eller koden til telefonen eller datamaskinen. En passnøkkel kan ikke gjettes eller lures fra deg.", "Logga in med fingret, ansiktet eller koden till telefonen eller datorn. En passkey kan varken gissas eller luras av dig.", "Log ind med fingeren, ansigtet eller koden til telefonen eller computeren. En adgangsnøgle kan hverken gættes eller lokkes fra dig.", "Sign in with the finger, the face or the code of your phone or computer. A passkey cannot be guessed, nor be coaxed from you."},
	"passkeys.used":        {"Laget %s, sist brukt %s", "Skapad %s, senast använd %s", "Oprettet %s, sidst brugt %s", "Made %s, last used %s"},
	"passkeys.unused":      {"Laget %s, ikke brukt ennå", "Skapad %s, inte använd än", "Oprettet %s, ikke brugt endnu", "Made %s, not used yet"},
	"passkeys.add":         {"Ny passnøkkel", "Ny passkey", "Ny adgangsnøgle", "New passkey"},
	"passkeys.how":         {"Enheten spør deg om finger, ansikt eller kode, og beholder nøkkelen.", "Enheten frågar efter finger, ansikte eller kod och behåller den.", "Enheden spørger efter finger, ansigt eller kode og beholder nøglen.", "The device asks for your finger, face or code, and keeps the key."},
	"passkeys.name":        {"Hvor er den?", "Var finns den?", "Hvor er den?", "Where is it?"},
	"passkeys.name.hint":   {"For eksempel «Telefonen min». Navnet står i listen.", "Till exempel ”Min telefon”. Namnet står i listan.", "For eksempel »Min telefon«. Navnet står på listen.", "For example “My phone”. The list shows the name."},
	"passkeys.make":        {"Lag passnøkkelen", "Skapa passkey", "Opret adgangsnøglen", "Make the passkey"},
	"passkeys.script":      {"Nettleseren må kunne kjøre skript for å lage en passnøkkel.", "Webbläsaren måste kunna köra skript för att skapa en passkey.", "Browseren skal kunne køre scripts for at oprette en adgangsnøgle.", "The browser must run scripts to make a passkey."},
	"passkeys.none_here":   {"Passnøkler virker der serveren nås over https, eller som localhost på samme maskin.", "Passkeys fungerar där servern nås över https, eller som localhost på samma dator.", "Adgangsnøgler virker, hvor serveren nås over https, eller som localhost på samme maskine.", "Passkeys work where the server is reached by https, or as localhost on the same machine."},
	"said.passkey_added":   {"Passnøkkelen er klar. Bruk den neste gang du logger inn.", "Din passkey är klar. Använd den nästa gång du loggar in.", "Adgangsnøglen er klar. Brug den, næste gang du logger ind.", "The passkey is ready. Use it the next time you sign in."},
	"said.passkey_removed": {"Passnøkkelen er fjernet her. Slett den også på enheten.", "Passkeyn är borttagen här. Radera den också på enheten.", "Adgangsnøglen er fjernet her. Slet den også på enheden.", "The passkey is removed here. Delete it on the device too."},

	"refused.wrong_passkey":        {"Denne passnøkkelen kjenner vi ikke, eller det tok for lang tid. Prøv igjen, eller bruk passordet.", "Vi känner inte igen denna passkey, eller så tog det för lång tid. Försök igen, eller använd lösenordet.", "Vi kender ikke denne adgangsnøgle, eller også tog det for lang tid. Prøv igen, eller brug adgangskoden.", "This passkey is not known here, or it took too long. Try again, or use the password."},
	"refused.copied_passkey":       {"Denne passnøkkelen er kopiert: den er brukt et annet sted siden sist. Logg inn på en annen måte og fjern den.", "Passkeyn är kopierad: den har använts någon annanstans sedan dess. Logga in på annat sätt och ta bort den.", "Denne adgangsnøgle er kopieret: den er brugt et andet sted siden sidst. Log ind på en anden måde og fjern den.", "This passkey was copied: it has been used elsewhere since. Sign in another way and remove it."},
	"refused.passkey_refused":      {"Enheten laget ingen passnøkkel som kan brukes her. Prøv igjen.", "Enheten skapade ingen passkey som kan användas här. Försök igen.", "Enheden oprettede ingen adgangsnøgle, der kan bruges her. Prøv igen.", "The device made no passkey that can be taken. Try again."},
	"refused.too_many_passkeys":    {"Det er 20 passnøkler fra før. Fjern en som ikke brukes.", "Det finns redan 20 passkeys. Ta bort en som inte används.", "Der er allerede 20 adgangsnøgler. Fjern en, der ikke bruges.", "There are 20 passkeys already. Remove one that is not used."},
	"refused.invalid_passkey_name": {"Skriv et navn på 1 til 60 tegn.", "Skriv ett namn på 1 till 60 tecken.", "Skriv et navn på 1 til 60 tegn.", "Write a name of 1 to 60 letters."},
}
