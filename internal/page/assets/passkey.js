// Asks the device for a passkey, or has it make one, and sends what it says with the form. A browser that cannot do so shows no such form.

const known = window.PublicKeyCredential && PublicKeyCredential.parseCreationOptionsFromJSON && PublicKeyCredential.parseRequestOptionsFromJSON;

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (known) form.hidden = false;
  const says = form.querySelector("[role=alert]");
  const say = (text) => { says.textContent = text; says.hidden = text === ""; };
  if (!known) say(form.dataset.failed);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopImmediatePropagation(); // it is sent below, once
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    say("");
    try {
      const got = await fetch(form.dataset.ask, { method: "POST", headers: { Accept: "application/json" } });
      if (!got.ok) throw new Error(String(got.status));
      const { publicKey } = await got.json();
      const key = form.dataset.passkey === "create"
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
      form.elements.answer.value = JSON.stringify(key.toJSON());
      form.submit();
    } catch {
      say(form.dataset.failed);
      delete form.dataset.busy;
    }
  });
}
