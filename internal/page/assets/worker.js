// The service worker of the till: it keeps the page that works without a connection, and what that page is made of; nothing of any member. self.edition and
// self.shell come from the server: another edition is another worker, which throws away what the one before it kept.

const page = "/console/till/offline";

async function fill() {
  const cache = await caches.open(self.edition);
  for (const path of self.shell) {
    if (await cache.match(path)) continue;
    const res = await fetch(path, { cache: "no-cache", credentials: "same-origin" });
    if (res.ok && !res.redirected) await cache.put(path, res);
  }
}

self.addEventListener("install", (event) => event.waitUntil(fill().then(() => self.skipWaiting())));

self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("lojal-till-") && name !== self.edition) await caches.delete(name);
  await self.clients.claim();
})()));

self.addEventListener("message", (event) => { if (event.data === "fill") event.waitUntil(fill()); });

// answer gives the kept page where there is no connection or the server takes too long, so that a shop does not wait on a line that is there in name only.
const patience = 10000;

async function answer(request) {
  const kept = async () => (await caches.open(self.edition)).match(page);
  const asked = fetch(request);
  try {
    if (request.method !== "GET") return await asked;
    return await Promise.race([asked, new Promise((_, late) => setTimeout(late, patience, new Error("late")))]);
  } catch {
    return (await kept()) ?? asked;
  }
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { pathname } = new URL(request.url);
  if (request.mode === "navigate" && /^\/console\/till(\/|$)/.test(pathname)) {
    event.respondWith(answer(request));
  } else if (request.method === "GET" && pathname !== page && self.shell.includes(pathname)) {
    event.respondWith(caches.open(self.edition).then((c) => c.match(pathname)).then((kept) => kept ?? fetch(request)));
  }
});
