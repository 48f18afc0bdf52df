// The portal as an app: its worker keeps the card for when there is no connection.
const manifest = document.querySelector('link[rel="manifest"]');
if (manifest && "serviceWorker" in navigator) {
  const scope = new URL(".", manifest.href).pathname;
  navigator.serviceWorker.register(scope + "worker.js", { scope })
    .then(() => navigator.serviceWorker.ready)
    .then((found) => found.active.postMessage("keep"))
    .catch(() => {}); // a private window has none, and the page works without
}
const away = document.querySelector("[data-away]");
if (away) {
  const tell = () => { away.hidden = navigator.onLine; };
  addEventListener("online", tell);
  addEventListener("offline", tell);
  tell();
}
