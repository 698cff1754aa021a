// What a page can do beyond links and forms. Without this file everything is still there, one click further.

const say = (element, text) => {
  const label = element.querySelector(".sr") ?? element;
  const before = label.textContent;
  element.classList.add("done");
  label.textContent = text;
  setTimeout(() => {
    element.classList.remove("done");
    label.textContent = before;
  }, 1200);
};

const copy = async (element) => {
  await navigator.clipboard.writeText(element.dataset.copy);
  if (element.dataset.done) say(element, element.dataset.done);
  else {
    element.classList.add("done");
    setTimeout(() => element.classList.remove("done"), 1200);
  }
};

const show = (root) => root.querySelectorAll("button[data-copy][hidden]").forEach((button) => (button.hidden = false));

document.addEventListener("click", (event) => {
  const element = event.target.closest?.("[data-copy]");
  if (!element) return;
  if (element.matches(".name")) event.preventDefault();
  copy(element);
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
  const wantsSearch = (event.key === "k" && (event.metaKey || event.ctrlKey)) || (event.key === "/" && !typing);
  const field = document.getElementById("find");
  if (wantsSearch && field) {
    event.preventDefault();
    field.focus();
    field.select();
  }
});

if (navigator.clipboard) {
  show(document);
  document.addEventListener("htmx:after:swap", () => show(document));
}
