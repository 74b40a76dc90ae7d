// The configuration's editor and review: problems as one types, a draft that outlives a lost
// connection, and forms that are only sent to a central that answers.

const form = document.getElementById("editor");
const proposal = document.getElementById("proposal");
const DRAFT = `poolkeeper-draft:${(form ?? proposal).dataset.node}`;

function readDraft() {
  try {
    return JSON.parse(sessionStorage.getItem(DRAFT));
  } catch {
    return null;
  }
}

function keepDraft(text, base) {
  try {
    sessionStorage.setItem(DRAFT, JSON.stringify({ text, base, at: Date.now() }));
  } catch {
    // no room, or private browsing: the form itself still holds the text
  }
}

function minutes(since) {
  const count = Math.round((Date.now() - since) / 60000);
  return count < 1 ? "just now" : count < 120 ? `${count} min ago` : `${Math.round(count / 60)} h ago`;
}

// A form goes out only when central answers, so that no error page takes the place of the text.
function sendWhenReached(sent, told) {
  sent.addEventListener("submit", async (event) => {
    if (sent.dataset.reached) return;
    event.preventDefault();
    const button = event.submitter;
    try {
      await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(8000) });
      sent.dataset.reached = "yes";
      sent.requestSubmit(button);
    } catch {
      told();
    } finally {
      delete sent.dataset.reached;
    }
  });
}

function edit() {
  const editor = form.querySelector("yaml-editor");
  const textarea = form.querySelector("textarea");
  const status = document.getElementById("check");
  const list = document.getElementById("problems");
  const active = textarea.defaultValue;
  const typed = "typed" in form.dataset;
  let waiting;

  const say = (text, tone) => {
    const line = document.createElement("p");
    line.className = tone;
    line.textContent = text;
    status.replaceChildren(line);
  };

  const draft = readDraft();
  if (typed) keepDraft(active, form.dataset.base);
  else if (draft && draft.text !== active) offer(draft);
  else sessionStorage.removeItem(DRAFT);

  function offer(found) {
    const dialog = document.getElementById("draft");
    document.getElementById("draft-age").textContent = minutes(found.at);
    document.getElementById("draft-stale").hidden = found.base === form.dataset.base;
    dialog.addEventListener("cancel", (event) => event.preventDefault()); // typing would overwrite it
    document.getElementById("draft-take").addEventListener("click", () => {
      editor.value = found.text;
      form.elements.base_hash.value = found.base; // a change since then is shown as a conflict
      dialog.close();
    });
    document.getElementById("draft-drop").addEventListener("click", () => {
      sessionStorage.removeItem(DRAFT);
      dialog.close();
    });
    dialog.showModal();
  }

  const keep = () => {
    clearTimeout(waiting);
    waiting = undefined;
    keepDraft(textarea.value, form.elements.base_hash.value);
  };
  editor.addEventListener("edited", () => {
    waiting ??= setTimeout(keep, 300);
  });
  window.addEventListener("pagehide", () => waiting && keep());

  editor.addEventListener("checked", ({ detail }) => {
    if (detail.failed) {
      say(`Not checked: ${detail.failed.replace(/\.$/, "")}. Your text is kept in this tab.`, "warning");
      return;
    }
    const { problems, warnings } = detail;
    const count = (found, word) => `${found.length} ${word}${found.length === 1 ? "" : "s"}`;
    if (problems.length) say(`${count(problems, "problem")}: it cannot be saved like this.`, "problem");
    else if (warnings.length) say(`It can be used, with ${count(warnings, "lint")}.`, "warning");
    else say("It can be used.", "notice");
    list.replaceChildren(...[...problems, ...warnings].slice(0, 50).map((each) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "link";
      button.textContent = `line ${each.line}, column ${each.column}`;
      button.addEventListener("click", () => editor.goTo(each));
      item.append(button, `: ${each.path ? `${each.path}: ` : ""}${each.message}`);
      return item;
    }));
  });
  sendWhenReached(form, () => {
    keep();
    say("Central does not answer. Your text is kept: try again when it does.", "problem");
  });
}

if (form) customElements.whenDefined("yaml-editor").then(edit);
if (proposal) {
  sendWhenReached(proposal, () => { document.getElementById("unreached").hidden = false; });
}
