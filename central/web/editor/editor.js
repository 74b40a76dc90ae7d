// <yaml-editor>: a textarea that knows YAML. Without this script the textarea itself is there.
//
// It lives in a shadow root, where styles are adopted as sheets: the pages allow no <style>.
// Attributes: schema and check (addresses), csrf, label, readonly. Events: `edited` with each
// change, `checked` with what the server said ({usable, problems, warnings} or {failed}).

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import {
  bracketMatching, foldGutter, foldKeymap, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting,
} from "@codemirror/language";
import { forceLinting, linter, lintGutter, lintKeymap } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import {
  drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars,
  keymap, lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { keysAt, place, valuesAt } from "./completion.js";

const CHECK_AFTER = 400; // milliseconds without typing

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--plot-2)" },
  { tag: [tags.number, tags.bool, tags.keyword, tags.atom], color: "var(--plot-3)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.punctuation, tags.separator, tags.bracket], color: "var(--muted)" },
]);

const theme = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--card)", border: "1px solid var(--muted)", borderRadius: "6px" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "1px" },
  ".cm-scroller": { font: ".88rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace", minHeight: "16rem", maxHeight: "70vh" },
  ".cm-content": { caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--code)", color: "var(--muted)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 9%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--focus) 30%, transparent)",
  },
  ".cm-tooltip, .cm-panels": { backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--line)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--accent-ink)" },
  ".cm-completionInfo": { maxWidth: "24rem" },
  ".cm-completionDetail": { color: "inherit", opacity: ".8" },
  ".cm-textfield, .cm-button": { color: "var(--ink)", backgroundColor: "var(--page)", backgroundImage: "none", border: "1px solid var(--muted)" },
  ".cm-searchMatch": { backgroundColor: "var(--warn-back)", outline: "1px solid var(--warn)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warn)" },
});

// Typing over a selection, done here: Chromium would keep the look of what it replaces in a style
// attribute, which the pages' policy refuses, loudly.
const typeOverSelection = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { from, to } = view.state.selection.main;
    const text = event.data;
    if (event.inputType !== "insertText" || !text || from === to || view.composing || view.state.readOnly) return false;
    event.preventDefault();
    const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: "input.type", scrollIntoView: true });
    const handled = view.state.facet(EditorView.inputHandler).some((handle) => handle(view, from, to, text, insert));
    if (!handled) view.dispatch(insert());
    return true;
  },
});

// Lines and columns of the server count characters from 1; the editor counts UTF-16 units from 0.
function positionOf(doc, found) {
  const line = doc.line(Math.max(1, Math.min(found.line, doc.lines)));
  const before = [...line.text].slice(0, Math.max(0, found.column - 1)).join("").length;
  const from = Math.min(line.from + before, line.to);
  const word = /^[^\s:,{}[\]]+/.exec(line.text.slice(from - line.from));
  const to = word ? from + word[0].length : line.to;
  return to > from ? { from, to } : { from: line.from, to: line.to };
}

class YamlEditor extends HTMLElement {
  #textarea;
  #view;
  #schema;
  #checking;

  connectedCallback() {
    if (this.#view) return;
    this.#textarea = this.querySelector("textarea");
    const root = this.attachShadow({ mode: "open" });
    this.#view = new EditorView({
      root, parent: root, state: EditorState.create({ doc: this.#textarea.value, extensions: this.#extensions() }),
    });
    this.#view.scrollDOM.tabIndex = 0; // long lines can be read by the keyboard alone
    this.#textarea.tabIndex = -1;
    this.#textarea.addEventListener("focus", () => this.#view.focus());
    if (this.getAttribute("schema")) this.#loadSchema(this.getAttribute("schema"));
  }

  get value() {
    return this.#view.state.doc.toString();
  }

  // Replace the whole text, as one step that can be undone.
  set value(text) {
    this.#view.dispatch({ changes: { from: 0, to: this.#view.state.doc.length, insert: text } });
  }

  // Put the cursor where a problem is.
  goTo(found) {
    const at = positionOf(this.#view.state.doc, found);
    this.#view.dispatch({ selection: { anchor: at.from, head: at.to }, effects: EditorView.scrollIntoView(at.from, { y: "center" }) });
    this.#view.focus();
  }

  check() {
    forceLinting(this.#view);
  }

  #extensions() {
    const fixed = this.hasAttribute("readonly");
    return [
      lineNumbers(), foldGutter(), highlightSpecialChars(), history(), drawSelection(),
      indentOnInput(), bracketMatching(), closeBrackets(), typeOverSelection, search({ top: true }),
      highlightActiveLine(), highlightActiveLineGutter(), highlightSelectionMatches(),
      yaml(), indentUnit.of("  "), syntaxHighlighting(colours), theme,
      autocompletion({ override: [(context) => this.#complete(context)] }),
      keymap.of([
        ...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap,
        ...completionKeymap, ...lintKeymap,
      ]),
      EditorState.readOnly.of(fixed),
      EditorView.contentAttributes.of({ "aria-label": this.getAttribute("label") ?? "YAML", spellcheck: "false", tabindex: "0" }),
      EditorView.updateListener.of((update) => update.docChanged && this.#changed()),
      this.getAttribute("check") && !fixed
        ? [lintGutter(), linter((view) => this.#check(view.state.doc), { delay: CHECK_AFTER })]
        : [],
    ];
  }

  #changed() {
    this.#textarea.value = this.value;
    this.dispatchEvent(new CustomEvent("edited", { bubbles: true }));
  }

  #tell(detail) {
    this.dispatchEvent(new CustomEvent("checked", { bubbles: true, detail }));
  }

  async #check(doc) {
    this.#checking?.abort();
    const asking = new AbortController();
    this.#checking = asking;
    try {
      const answer = await fetch(this.getAttribute("check"), {
        method: "POST", body: doc.toString(), signal: asking.signal, credentials: "same-origin",
        headers: { "Content-Type": "application/yaml", "X-CSRF-Token": this.getAttribute("csrf") ?? "" },
      });
      const found = await answer.json();
      if (!answer.ok) throw new Error(found.error);
      this.#tell(found);
      const marked = (list, severity) =>
        list.map((each) => ({ ...positionOf(doc, each), severity, message: each.path ? `${each.path}: ${each.message}` : each.message }));
      return [...marked(found.problems, "error"), ...marked(found.warnings, "warning")];
    } catch (error) {
      if (error.name !== "AbortError") this.#tell({ failed: error instanceof TypeError ? "Central does not answer" : error.message });
      return [];
    }
  }

  async #loadSchema(address) {
    try {
      const answer = await fetch(address, { credentials: "same-origin" });
      if (answer.ok) this.#schema = await answer.json();
    } catch {
      // completion is a help; without it everything else works
    }
  }

  #complete(context) {
    if (!this.#schema) return null;
    const doc = context.state.doc;
    const line = doc.lineAt(context.pos);
    const above = (number) => (line.number > number ? doc.line(line.number - number).text : null);
    const found = place(line.text.slice(0, context.pos - line.from), above);
    if (!found || (!context.explicit && !found.typed && found.wants === "key" && !found.inItem && !found.inFlow)) return null;
    const options = found.wants === "key" ? keysAt(this.#schema, found.path, found.inFlow) : valuesAt(this.#schema, found.path);
    return options.length ? { from: context.pos - found.typed.length, options, validFor: /^[\w.%-]*$/ } : null;
  }
}

customElements.define("yaml-editor", YamlEditor);
