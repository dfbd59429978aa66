// What the pages do beyond plain HTML: local times, the live mark, and keys for moving through a queue.
// Everything works without it; times then stand in UTC and a page is read again by hand.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const shown = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});

/** Shows every <time datetime> in the reader's own zone, and keeps the UTC text as its title. */
function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const instant = new Date(time.dateTime);
    if (Number.isNaN(instant.getTime())) continue;
    time.title = time.textContent.trim();
    time.textContent = shown.format(instant);
    time.dataset.local = zone;
  }
}

/** Listens for moves of the log and asks the parts of the page that care to refresh themselves. */
function listen() {
  const mark = document.querySelector("[data-live]");
  if (!mark) return;
  const say = (state, text) => { mark.dataset.state = state; mark.textContent = text; };
  const source = new EventSource(mark.dataset.live);
  source.addEventListener("open", () => say("live", "live"));
  source.addEventListener("error", () => say("lost", "connection lost, trying again"));
  source.addEventListener("moved", (event) => {
    document.body.dispatchEvent(new CustomEvent("ledger-moved", { detail: { position: event.data } }));
  });
  addEventListener("pagehide", () => source.close());
}

/** j and k walk the rows of a queue, Enter opens, / goes to the filter. */
function keys(event) {
  if (event.target.closest("input, textarea, select, site-timeline") || event.ctrlKey || event.metaKey || event.altKey) return;
  const links = [...document.querySelectorAll("tbody td a[data-row]")];
  const here = links.indexOf(document.activeElement);
  if (event.key === "j" && links.length) links[Math.min(here + 1, links.length - 1)].focus();
  else if (event.key === "k" && links.length) links[Math.max(here - 1, 0)].focus();
  else if (event.key === "/") document.querySelector("form.bar input, form.bar select")?.focus();
  else return;
  event.preventDefault();
}

document.addEventListener("keydown", keys);
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
});
document.addEventListener("click", (event) => {
  const step = event.target.closest("[data-step]");
  if (!step) return;
  const slider = document.getElementById("moment");
  slider.value = Number(slider.value) + Number(step.dataset.step);
  slider.dispatchEvent(new Event("change", { bubbles: true }));
});
new MutationObserver((changes) => {
  for (const change of changes) for (const node of change.addedNodes) if (node.nodeType === 1) localTimes(node.parentNode || node);
  localTimes(document);
}).observe(document.documentElement, { childList: true, subtree: true, characterData: false });
localTimes(document);
listen();
