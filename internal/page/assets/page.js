// What all pages have: menus that close, forms that are sent once, things that are copied. Everything works without it.

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    navigator.clipboard?.writeText(copy.dataset.copy).then(() => {
      const before = copy.textContent;
      copy.textContent = copy.dataset.copied ?? before;
      setTimeout(() => { copy.textContent = before; }, 2000);
    });
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary")?.focus();
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.dataset.many !== undefined) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
});

// Who signs out leaves nothing of the till on the device but what is not sent yet.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.getAttribute("action") !== "/console/sign-out" || !window.caches) return;
  event.preventDefault();
  try {
    localStorage.removeItem("lojal-till");
    for (const name of await caches.keys()) if (name.startsWith("lojal-till-")) await caches.delete(name);
    if ((await indexedDB.databases?.())?.some((d) => d.name === "lojal-till")) await forgetSent();
  } finally {
    form.submit();
  }
});

function forgetSent() {
  return new Promise((done) => {
    const open = indexedDB.open("lojal-till");
    open.onerror = done;
    open.onsuccess = () => {
      const tx = open.result.transaction("items", "readwrite");
      tx.oncomplete = tx.onabort = done;
      tx.objectStore("items").openCursor().onsuccess = (event) => {
        const at = event.target.result;
        if (!at) return;
        if (at.value.state === "sent") at.delete();
        at.continue();
      };
    };
  });
}

// A page that comes back from the browser's memory may send its form again.
addEventListener("pageshow", (event) => {
  if (event.persisted) for (const form of document.forms) delete form.dataset.sent;
});

// A choice that is made by choosing it.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-now]")) event.target.form.requestSubmit();
});

// A mistake in a text leads to its line.
document.addEventListener("click", (event) => {
  const to = event.target.closest("[data-line]");
  const text = to && document.querySelector("textarea.source");
  if (!text) return;
  const lines = text.value.split("\n");
  const line = Math.min(Number(to.dataset.line), lines.length) - 1;
  const from = lines.slice(0, line).reduce((n, l) => n + l.length + 1, 0);
  text.focus();
  text.setSelectionRange(from, from + lines[line].length);
  text.scrollTop = Math.max(0, (line - 5) * parseFloat(getComputedStyle(text).lineHeight));
});
