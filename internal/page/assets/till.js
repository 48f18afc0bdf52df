// The till's page: what is recorded is kept on the device first and then sent, so that nothing is lost when the connection drops. See queue.js for what
// decides; here is what touches the device: its storage, the network, the camera, the page.

import { after, count, forgettable, merge, mine, newKey, pause, say, toSend } from "./queue.js";

const here = document.getElementById("till");
const words = JSON.parse(here.dataset.words);
const banner = document.getElementById("till-line");
const panel = document.getElementById("till-queue");
let line = navigator.onLine ? "on" : "off";

// Who is signed in, and how far the clock of the device is off: said by pages from the server, remembered for the page of the device itself.
const remembered = () => JSON.parse(localStorage.getItem("lojal-till") ?? "null") ?? { staff: "", name: "", program: "", skew: 0 };
if (here.dataset.staff) {
  remember({ staff: here.dataset.staff, name: here.dataset.name, program: here.dataset.program, at: Number(here.dataset.now) });
}
function remember(now) {
  localStorage.setItem("lojal-till", JSON.stringify({ staff: now.staff, name: now.name, program: now.program, skew: Math.abs(now.at - Date.now()) > 30000 ? now.at - Date.now() : 0 }));
}
const who = remembered;
const time = () => Date.now() + (who().skew ?? 0);
const shop = () => decodeURIComponent((document.cookie.match(/(?:^|; )lojal_till=([^;]*)/)?.[1] ?? "").replaceAll("+", " "));

// The storage of the device.
const opened = new Promise((resolve, reject) => {
  const ask = indexedDB.open("lojal-till", 1);
  ask.onupgradeneeded = () => ask.result.createObjectStore("items", { keyPath: "key" });
  ask.onsuccess = () => resolve(ask.result);
  ask.onerror = () => reject(ask.error);
});
async function store(mode, work) {
  const db = await opened;
  return new Promise((resolve, reject) => {
    const tx = db.transaction("items", mode, { durability: "strict" });
    const got = work(tx.objectStore("items"));
    tx.oncomplete = () => resolve(got?.result);
    tx.onabort = tx.onerror = () => reject(tx.error);
  });
}
const all = async () => merge([], await store("readonly", (s) => s.getAll()));
const put = (item) => store("readwrite", (s) => s.put(item));
const forget = (key) => store("readwrite", (s) => s.delete(key));

// Pages of one device tell each other when something has changed.
const told = new BroadcastChannel("lojal-till");
told.onmessage = () => draw();
const changed = () => { told.postMessage(0); return draw(); };

// ask sends to the server; null when there was no answer.
async function ask(path, item) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), 20000);
  try {
    const options = { headers: { Accept: "application/json" }, signal: stop.signal, cache: "no-store", redirect: "error" };
    if (item) {
      options.method = "POST";
      options.headers["Content-Type"] = "application/json";
      options.body = JSON.stringify({ kind: item.kind, key: item.key, staff: item.staff, program: item.program, at: new Date(item.at).toISOString(), form: item.form });
    }
    const res = await fetch(path, options);
    return { status: res.status, body: await res.json() };
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}

// send sends what waits, in order; of several pages of a device one does.
let tries = 0;
let timer = 0;
const onlyOne = (work) => (navigator.locks ? navigator.locks.request("lojal-till", work) : work());
function send() {
  clearTimeout(timer);
  return onlyOne(async () => {
    let then = "next";
    for (;;) {
      const [item] = toSend(await all(), who());
      if (!item) break;
      const answer = await ask("/console/till/send", item);
      const came = after(item, answer, time());
      then = came.then;
      line = answer === null ? "off" : then === "signed_out" ? "signed_out" : "on";
      await put(came.item);
      await changed();
      if (then !== "next") break;
    }
    tries = then === "next" ? 0 : tries + 1;
    if (then === "stop") timer = setTimeout(look, pause(tries, Math.random()));
    for (const key of forgettable(await all(), time())) await forget(key);
    await draw();
  });
}

// look asks whether the server is there, and who is signed in.
async function look() {
  clearTimeout(timer);
  const answer = await ask("/console/till/now");
  if (answer === null) {
    line = "off";
    tries++;
    timer = setTimeout(look, pause(tries, Math.random()));
    return draw();
  }
  line = answer.status === 401 ? "signed_out" : "on";
  if (answer.status === 200) {
    remember(answer.body);
    await send();
    if (!navigator.onLine) timer = setTimeout(look, pause(0, Math.random())); // the line went while it answered
  }
  return draw();
}

// draw says how things are.
const make = (name, props, ...children) => {
  const e = Object.assign(document.createElement(name), props);
  e.append(...children);
  return e;
};
const clock = new Intl.DateTimeFormat(document.documentElement.lang.replace(/^en$/, "en-GB"), { dateStyle: "short", timeStyle: "short" });
const badge = { waiting: "warn", sent: "good", refused: "bad" };

async function draw() {
  const items = await all();
  const counts = count(items, who());
  const text = say(words, counts, line);
  banner.hidden = text === "";
  if (text !== banner.dataset.text) {
    banner.dataset.text = text;
    banner.className = counts.refused > 0 ? "notice bad" : "notice warn";
    const back = location.pathname === "/console/till/offline" ? "/console/till" : location.pathname;
    const link = make("a", { href: "/console/sign-in?next=" + encodeURIComponent(back), textContent: words.sign_in });
    banner.replaceChildren(make("span", { textContent: text }), ...(line === "signed_out" ? [link] : []));
  }
  document.documentElement.dataset.line = line;
  if (!panel) return;
  panel.hidden = items.length === 0;
  if ([...panel.querySelectorAll("input")].some((i) => i === document.activeElement || i.value !== i.defaultValue)) return; // somebody mends something
  panel.querySelector("ul").replaceChildren(...items.toReversed().map(row));
}

function row(item) {
  const state = item.state === "waiting" && !mine(item, who()) ? words.state_other.replace("%s", item.name) : words["state_" + item.state];
  const li = make("li", { className: "stack stack-s" },
    make("p", { className: "row row-between" },
      make("span", {}, make("span", { className: "strong", textContent: words["kind_" + item.kind] }), " " + item.label),
      make("span", { className: "badge " + badge[item.state], textContent: state })),
    make("p", { className: "small soft", textContent: clock.format(item.at) + (item.tries > 1 && item.state === "waiting" ? " · " + words.tries.replace("%s", item.tries) : "") }));
  li.dataset.key = item.key;
  li.dataset.state = item.state;
  if (item.text && (item.state !== "waiting" || mine(item, who()))) li.append(make("p", { className: "small", textContent: item.duplicate ? words.before : item.text }));
  const mended = item.state === "refused" ? mending(item, li) : () => item.form;
  const does = make("p", { className: "row" });
  const button = (text, work) => {
    const b = make("button", { type: "button", className: "button small", textContent: text });
    b.addEventListener("click", () => work(b));
    does.append(b);
  };
  if (item.state === "sent" && item.to) does.append(make("a", { className: "small", href: item.to.replace(/\?.*$/, ""), textContent: words.by }));
  if (item.state === "waiting" && !mine(item, who()) && who().program === item.program && who().staff) {
    button(words.take.replace("%s", who().name), async () => { await put({ ...item, staff: who().staff, name: who().name }); await changed(); await send(); });
  }
  if (item.state === "refused") {
    button(words.again, async () => { const form = mended(); li.remove(); await put({ ...item, form, label: label(form, item.whose), state: "waiting", text: "", wrong: undefined }); await changed(); await send(); });
    button(words.drop, async (b) => {
      if (b.dataset.sure) { await forget(item.key); await changed(); return; }
      b.dataset.sure = "yes";
      b.textContent = words.drop_sure;
    });
  }
  if (does.childElementCount > 0) li.append(does);
  return li;
}

// mending gives what was refused as fields, which it reads again. The key stays: what was recorded after all is not recorded again.
function mending(item, li) {
  li.append(make("p", { className: "small soft", textContent: words.todo }));
  const fields = ["member", "phone", "card", "given_name", "amount", "receipt"].filter((name) => item.form[name] && !item.form[name][0].startsWith("mem_"));
  const inputs = fields.map((name) => {
    const input = make("input", { className: "input", id: `mend-${item.key}-${name}`, name, defaultValue: item.form[name][0], autocomplete: "off" });
    li.append(make("div", { className: "field" }, make("label", { htmlFor: input.id, textContent: words["field_" + name] }), input));
    return input;
  });
  return () => ({ ...item.form, ...Object.fromEntries(inputs.map((i) => [i.name, [i.value]])) });
}

// What is recorded by a form is kept, and then sent; the answer is shown as the plain form would show it.
const says = (form, kind, text) => {
  const p = make("div", { className: "notice " + kind }, make("div", { textContent: text }));
  form.querySelector(".form-says").replaceChildren(...(text ? [p] : []));
};
const filled = (form) => {
  const out = {};
  for (const [name, value] of new FormData(form)) {
    if (name !== "key" && typeof value === "string" && value.trim() !== "") (out[name] ??= []).push(value);
  }
  if (!out.store && shop()) out.store = [shop()];
  return out;
};
const label = (form, whose) => [whose ?? form.member?.[0], form.phone ?? form.card, form.given_name, form.receipt, form.amount].flat().filter((s) => s && !s.startsWith("mem_")).join(", ");

async function keep(form) {
  const me = who();
  const values = filled(form);
  if ((values.codes || values.benefit) && line === "off") { // what lowers the price is known to the server alone
    await look();
    if (line === "off") { says(form, "warn", words.needs_line); return; }
  }
  const items = await all();
  const whose = form.elements.member?.dataset.whose;
  const item = {
    n: Math.max(0, ...items.map((i) => i.n)) + 1, kind: form.dataset.till, key: newKey(crypto.getRandomValues(new Uint8Array(26))), staff: me.staff, name: me.name, program: me.program,
    at: time(), form: values, whose, label: label(values, whose), state: "waiting", tries: 0,
  };
  await put(item);
  await changed();
  const sending = send();
  await Promise.race([sending, new Promise((slow) => setTimeout(slow, line === "on" ? 5000 : 400))]); // nobody is kept waiting by a slow line
  const came = (await all()).find((i) => i.key === item.key);
  if (came?.state === "sent") {
    location.assign(came.to);
  } else if (came?.state === "refused" && document.contains(form)) { // who stands here mends it here
    await forget(item.key);
    says(form, "bad", came.text);
    for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
    for (const name of Object.keys(came.wrong ?? {})) form.elements[name]?.setAttribute?.("aria-invalid", "true");
    form.querySelector("[aria-invalid]")?.focus();
    await changed();
  } else {
    if (JSON.stringify(filled(form)) === JSON.stringify(values)) form.reset();
    says(form, "warn", words.kept);
  }
}

addEventListener("submit", async (event) => {
  const form = event.target;
  if (event.defaultPrevented) return;
  if (form.dataset.line !== undefined && line === "off") {
    event.preventDefault();
    delete form.dataset.sent;
    await look();
    if (line === "on") { form.requestSubmit(event.submitter); return; }
    form.querySelector(".needs-line")?.remove();
    form.prepend(make("div", { className: "notice warn needs-line", role: "alert" }, make("div", { textContent: words.needs_line })));
    return;
  }
  if (!form.dataset.till || event.submitter?.value === "ask") return;
  event.preventDefault();
  try {
    await keep(form);
  } catch (wrong) {
    says(form, "bad", words.full);
    throw wrong;
  } finally {
    delete form.dataset.sent;
  }
});
document.addEventListener("htmx:sendError", () => { line = "off"; draw(); });

// The camera reads codes where there is one; the decoder of the page is fetched where the browser has none of its own.
const cameraBox = document.getElementById("till-camera");
async function detector() {
  const wanted = ["qr_code", "ean_13", "ean_8", "code_128", "code_39", "itf"];
  if ("BarcodeDetector" in window) {
    const has = await BarcodeDetector.getSupportedFormats();
    if (has.includes("qr_code")) return new BarcodeDetector({ formats: wanted.filter((f) => has.includes(f)) });
  }
  const { BarcodeDetector: Own } = await import(here.dataset.decoder);
  return new Own({ formats: ["qr_code"] });
}
async function scan(field) {
  const video = cameraBox.querySelector("video");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    banner.hidden = false;
    banner.dataset.text = "camera";
    banner.replaceChildren(make("span", { textContent: words.camera_denied }));
    return;
  }
  const end = () => { for (const track of stream.getTracks()) track.stop(); video.srcObject = null; };
  cameraBox.addEventListener("close", end, { once: true });
  cameraBox.showModal();
  video.srcObject = stream;
  await video.play();
  const sees = await detector();
  while (cameraBox.open) {
    const found = await sees.detect(video).catch(() => []);
    if (found.length > 0 && cameraBox.open) {
      cameraBox.close();
      field.value = found[0].rawValue;
      field.focus();
      if (field.form.role === "search") field.form.requestSubmit();
      return;
    }
    await new Promise((next) => requestAnimationFrame(next));
  }
}
if (cameraBox && !navigator.mediaDevices?.getUserMedia) {
  for (const b of document.querySelectorAll("[data-scan]")) b.after(make("p", { className: "small soft", textContent: words.no_camera }));
} else if (cameraBox) {
  for (const b of document.querySelectorAll("[data-scan]")) {
    b.hidden = false;
    b.addEventListener("click", () => scan(document.getElementById(b.dataset.scan)));
  }
}

// The page of the device itself knows from its address whom it was about, and which shop this is from its cookie.
if (!here.dataset.staff) {
  const id = location.pathname.match(/^\/console\/till\/members\/(mem_[0-9a-z]+)/)?.[1] ?? new URLSearchParams(location.search).get("q");
  const field = document.getElementById("off-member");
  if (id && field) field.value = id;
  line = "off";
}

addEventListener("online", look);
addEventListener("offline", () => { line = "off"; draw(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
draw().then(look);

// What the page of the device is made of is kept for when there is no connection, unless somebody signs out.
if (navigator.serviceWorker) {
  navigator.serviceWorker.register(here.dataset.worker, { scope: "/console/till", updateViaCache: "none" })
    .then(() => navigator.serviceWorker.ready)
    .then((ready) => { if (here.dataset.staff) ready.active.postMessage("fill"); })
    .catch(() => {});
}
