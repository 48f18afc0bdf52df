// Copies an example. Without a clipboard (plain http) the buttons stay hidden: the text can be marked by hand.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
}
// The examples speak to the server that shows them.
for (const origin of document.querySelectorAll(".origin")) {
  origin.textContent = location.origin;
}
// On a phone the contents begin closed.
if (matchMedia("(max-width: 60rem)").matches) {
  document.querySelector(".contents details")?.removeAttribute("open");
}
