// Renews what is live on the page, once a second, while somebody looks at it.
const PAUSE_MS = 1000;

async function renew() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const found = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    const isHeld = part.contains(document.activeElement);
    if (found && !isHeld && found.innerHTML !== part.innerHTML) part.innerHTML = found.innerHTML;
  }
}

setInterval(() => renew().catch(() => {}), PAUSE_MS);
