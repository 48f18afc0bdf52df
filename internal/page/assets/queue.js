// What a till keeps while it has no connection, as pure logic: what is sent next, what an answer makes of it, when to try again, what to say.
// Nothing here touches the page, the network or the clock.
//
// An item is {n, kind, key, staff, name, program, at, form, label, state, tries, text, to}: n is its place in the order in which things happened, key the one
// under which it counts once; state is waiting, sent or refused.

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A new key, of 26 symbols: bytes are as many random ones. */
export function newKey(bytes) {
  return Array.from(bytes.slice(0, 26), (b) => alphabet[b % 32]).join("");
}

/** All of a list in the order in which it happened. */
export function inOrder(items) {
  return [...items].sort((a, b) => a.n - b.n);
}

/** Whether an item is one of whoever is signed in. */
export function mine(item, who) {
  return item.staff === who.staff && item.program === who.program;
}

/** What is to be sent, in order: what waits, and was recorded by whoever is signed in. */
export function toSend(items, who) {
  return inOrder(items).filter((i) => i.state === "waiting" && mine(i, who));
}

/** How many failures of the server an item may meet before it is put aside, so that it does not hold up the others. */
export const patience = 5;

/**
 * What an answer makes of an item, and whether to go on: next, stop (try again later), or signed_out.
 * No answer is null: whether it was recorded is not known, so it is sent again under the same key.
 */
export function after(item, answer, now) {
  const wait = (more) => ({ ...item, tries: item.tries + 1, ...more });
  if (answer === null) return { item: wait({}), then: "stop" };
  const { status, body } = answer;
  if (status === 200 && body.outcome === "recorded") {
    return { item: wait({ state: "sent", text: body.text, to: body.to, duplicate: body.duplicate, done: now, form: undefined }), then: "next" };
  }
  if (status === 200 && body.outcome === "refused") {
    return { item: wait({ state: "refused", text: body.text, wrong: body.wrong, reason: body.reason, done: now }), then: "next" };
  }
  if (status === 401) return { item, then: "signed_out" };
  if (status === 409 || status === 403 || status === 429) return { item: wait({ text: body.text }), then: "stop" };
  if (status >= 500) {
    const failures = (item.failures ?? 0) + 1;
    if (failures < patience) return { item: wait({ failures }), then: "stop" };
    return { item: wait({ failures: 0, state: "refused", reason: "failed", text: body.text, done: now }), then: "next" };
  }
  return { item: wait({ state: "refused", reason: body.reason ?? "failed", text: body.text, done: now }), then: "next" };
}

/** How long to wait before the next try, in milliseconds: 2 seconds, then twice as long each time, up to a minute, give or take a quarter. */
export function pause(tries, random) {
  return Math.round(Math.min(60000, 1000 * 2 ** Math.min(tries, 10)) * (0.75 + random / 2));
}

/** What may be forgotten: what was sent, after a day, or when there are more than twenty of them. What waits or was refused never is. */
export function forgettable(items, now) {
  const sent = inOrder(items).filter((i) => i.state === "sent");
  return sent.filter((i, at) => now - i.done > 24 * 3600 * 1000 || sent.length - at > 20).map((i) => i.key);
}

/** The items with one changed by another page of the same device: what is over stays over. */
export function merge(mineNow, stored) {
  const out = new Map(stored.map((i) => [i.key, i]));
  for (const i of mineNow) {
    const other = out.get(i.key);
    if (!other || other.state === "waiting" || i.tries > other.tries) out.set(i.key, i);
  }
  return inOrder([...out.values()]);
}

/** How many wait, were refused, and wait for somebody else. */
export function count(items, who) {
  const waiting = items.filter((i) => i.state === "waiting");
  return {
    waiting: waiting.filter((i) => mine(i, who)).length,
    others: waiting.filter((i) => !mine(i, who)).length,
    refused: items.filter((i) => i.state === "refused").length,
  };
}

const many = (words, name, n) => words[n === 1 ? `${name}_one` : `${name}_many`].replace("%s", n);

/** What to say of the connection and of what is kept, empty when all is well; line is on, off or signed_out. */
export function say(words, counts, line) {
  const all = counts.waiting + counts.others;
  const parts = [];
  if (line === "off") parts.push(words.offline);
  if (line === "signed_out") parts.push(words.signed_out);
  if (all > 0) parts.push(many(words, "waits", all));
  if (counts.refused > 0) parts.push(many(words, "refused", counts.refused));
  return parts.join(" ");
}
