// The portal as an app: its worker keeps the card for when there is no connection.
const manifest = document.querySelector('link[rel="manifest"]');
if (manifest && "serviceWorker" in navigator) {
  const scope = new URL(".", manifest.href).pathname;
  navigator.serviceWorker.register(scope + "sw.js", { scope }).catch(() => {});
}
