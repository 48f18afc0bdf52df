// Keeps the card of a member for when there is no connection: the page, its style and its icons, and nothing else. All else comes from the
// network. Who signs out takes it along.
const scope = new URL(self.registration.scope).pathname;
const card = scope + "card";
const store = "lojal-card:" + scope;
const drawn = (path) => path.startsWith("/assets/") || path.startsWith("/marks/") || path === scope + "style.css";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// keep puts the page of the card away with all that it is drawn with.
async function keep(page) {
  if (!page.ok || page.redirected || new URL(page.url).pathname !== card) return;
  const text = await page.clone().text();
  const parts = [...text.matchAll(/(?:href|src)="(\/[^"#]+)/g)].map((m) => m[1].replaceAll("&amp;", "&"));
  const wanted = new Set(parts.filter(drawn));
  const box = await caches.open(store);
  await box.put(card, page);
  await Promise.all([...wanted].map(async (p) => {
    if (p.startsWith("/assets/") && await box.match(p)) return;
    const part = await fetch(p);
    if (part.ok) await box.put(p, part);
  }));
  for (const old of await box.keys()) {
    const path = new URL(old.url).pathname;
    if (path !== card && !wanted.has(path)) await box.delete(old);
  }
}

self.addEventListener("message", (event) => {
  if (event.data === "keep") event.waitUntil(fetch(card, { redirect: "manual" }).then(keep).catch(() => {}));
});

// opened answers for a page: from the network; without one, with the card.
async function opened(event) {
  const path = new URL(event.request.url).pathname;
  if (path === scope + "sign-in") await caches.delete(store);
  try {
    const page = await fetch(event.request);
    if (path === card && page.ok) event.waitUntil(keep(page.clone()).catch(() => {}));
    return page;
  } catch (away) {
    const kept = await (await caches.open(store)).match(card);
    if (!kept) throw away;
    return kept;
  }
}

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (url.origin !== location.origin) return;
  if (event.request.method !== "GET") {
    if (url.pathname === scope + "sign-out") event.waitUntil(caches.delete(store));
  } else if (event.request.mode === "navigate") {
    if (url.pathname.startsWith(scope)) event.respondWith(opened(event));
  } else if (drawn(url.pathname)) {
    event.respondWith(fetch(event.request).catch(async (away) => {
      const part = await (await caches.open(store)).match(url.pathname);
      if (!part) throw away;
      return part;
    }));
  }
});
