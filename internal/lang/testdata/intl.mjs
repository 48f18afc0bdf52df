// Writes what Intl says, as lines of KIND, LANGUAGE, INPUT, WANT between tabs:
//   node internal/lang/testdata/intl.mjs > internal/lang/testdata/intl.tsv
// It must be a Node with full ICU; the first line of the output says which CLDR it was.
const locales = { nb: "nb", sv: "sv", da: "da", en: "en-GB" };
console.log(`# CLDR ${process.versions.cldr}, ICU ${process.versions.icu}`);
const out = (...cells) => console.log(cells.join("\t"));
const minor = { ISK: 0, JPY: 0 };
const numbers = ["0", "1", "-1", "1.0", "1.5", "0.5", "-0.5", "2", "12", "999", "1000", "-1000", "12345.678", "1234567", "-1234567.5", "0.005", "100000000"];
for (const [lang, locale] of Object.entries(locales)) {
  for (const n of numbers) {
    const decimals = (n.split(".")[1] ?? "").length;
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    out("number", lang, n, new Intl.NumberFormat(locale, digits).format(n));
    out("plural", lang, n, new Intl.PluralRules(locale, digits).select(Number(n)));
    out("percent", lang, n, new Intl.NumberFormat(locale, { ...digits, style: "percent" }).format(Number(n) / 100));
  }
  for (const currency of ["NOK", "SEK", "DKK", "EUR", "USD", "GBP", "ISK", "JPY", "CHF", "PLN"]) {
    for (const n of [0, 1, -1, 5, 99, 100, 24900, -123450, 123456750]) {
      const value = n / 10 ** (minor[currency] ?? 2);
      out("money", lang, `${currency} ${n}`, new Intl.NumberFormat(locale, { style: "currency", currency }).format(value));
    }
  }
  const zones = ["Europe/Oslo", "America/New_York", "UTC"];
  const times = ["2026-01-01T00:00:00Z", "2026-03-14T11:05:00Z", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-10-25T01:30:00Z", "2028-02-29T23:30:00Z", "2026-12-31T23:00:00Z"];
  for (const zone of zones) {
    for (const at of times) {
      const format = (options) => new Intl.DateTimeFormat(locale, { timeZone: zone, ...options }).format(new Date(at));
      out("date", lang, `${zone} ${at}`, format({ dateStyle: "long" }));
      out("datetime", lang, `${zone} ${at}`, format({ dateStyle: "long", timeStyle: "short" }));
      out("clock", lang, `${zone} ${at}`, format({ timeStyle: "short" }));
    }
  }
  for (let m = 0; m < 12; m++) {
    const at = new Date(Date.UTC(2026, m, 15));
    out("month", lang, m + 1, new Intl.DateTimeFormat(locale, { month: "long", timeZone: "UTC" }).format(at));
    out("monthday", lang, m + 1, new Intl.DateTimeFormat(locale, { month: "long", day: "numeric", timeZone: "UTC" }).format(at));
  }
  for (let d = 0; d < 7; d++) {
    out("weekday", lang, d, new Intl.DateTimeFormat(locale, { weekday: "long", timeZone: "UTC" }).format(new Date(Date.UTC(2026, 2, 1 + d))));
  }
  for (const list of [["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]]) {
    out("and", lang, list.join(" "), new Intl.ListFormat(locale).format(list));
    out("or", lang, list.join(" "), new Intl.ListFormat(locale, { type: "disjunction" }).format(list));
  }
}
