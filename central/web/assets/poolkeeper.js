// Small helps on every page; each page works without them.

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"]];

function span(seconds) {
  for (const [size, unit] of UNITS) {
    if (seconds >= 2 * size || (unit === "min" && seconds >= size)) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${Math.floor(seconds)} s`;
}

// "12 s ago" goes on by the server's clock: the browser's own may be wrong.
let offset = 0;
function readClock() {
  const marked = document.querySelector("[data-now]");
  if (marked) offset = Date.parse(marked.dataset.now) - Date.now();
}
function tellAges() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const seconds = (Date.now() + offset - Date.parse(time.dateTime)) / 1000;
    const text = seconds >= 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
    if (time.textContent !== text) time.textContent = text;
  }
}
readClock();
setInterval(tellAges, 1000);
document.addEventListener("htmx:afterSwap", () => { readClock(); tellAges(); });

// A refresh that nobody sees, or that would take the focus away, can wait.
document.addEventListener("htmx:beforeRequest", (event) => {
  const config = event.detail.requestConfig;
  if (!config || !config.headers["X-Poll"]) return;
  const focused = event.detail.elt.contains(document.activeElement);
  if (document.hidden || focused) event.preventDefault();
});

// What a page shows of itself may have grown old: say so until a refresh comes through again.
function tellStale(isStale) {
  const told = document.getElementById("stale");
  if (!isStale) told?.remove();
  if (!isStale || told) return;
  const note = document.createElement("p");
  note.id = "stale";
  note.className = "problem";
  note.setAttribute("role", "status");
  note.textContent = "Central does not answer: what you see is no longer fresh.";
  document.getElementById("main").prepend(note);
}

// A refusal comes as a fragment that says why: show it where the answer would have gone.
document.addEventListener("htmx:beforeSwap", (event) => {
  const failed = event.detail.xhr.status >= 400;
  if (event.detail.requestConfig.headers["X-Poll"]) tellStale(failed);
  else if (failed) event.detail.shouldSwap = true;
});
document.addEventListener("htmx:sendError", (event) => {
  if (event.detail.requestConfig.headers["X-Poll"]) tellStale(true);
});

// Buttons that do something grave ask once more; those that need a typed name have a field of their own.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// Copying a command that has a secret in it, by one press.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch {
    window.getSelection().selectAllChildren(source);
  }
});
