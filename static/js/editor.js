// `<textarea data-editor="path">`: CodeMirror in its place. The field stays the form's, and stays as it is where this does not run.
// The editor lives in a shadow root: there its styles are a style sheet object, which the policy allows, and no <style> element.

import { autocompletion, closeBrackets, closeBracketsKeymap } from "../vendor/codemirror-autocomplete.js";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "../vendor/codemirror-commands.js";
import { json } from "../vendor/codemirror-lang-json.js";
import { python } from "../vendor/codemirror-lang-python.js";
import { yaml } from "../vendor/codemirror-lang-yaml.js";
import { HighlightStyle, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "../vendor/codemirror-language.js";
import { highlightSelectionMatches, search, searchKeymap } from "../vendor/codemirror-search.js";
import { Compartment, EditorState } from "../vendor/codemirror-state.js";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "../vendor/codemirror-view.js";
import { tags } from "../vendor/lezer-highlight.js";

const LANGUAGES = { py: python, json, ipynb: json, yaml, yml: yaml };

const theme = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--surface)", fontSize: "0.8125rem", border: "1px solid var(--border-strong)", borderRadius: "5px" },
  "&.cm-focused": { outline: "2px solid var(--focus, var(--link))", outlineOffset: "1px" },
  ".cm-scroller": { fontFamily: "var(--mono, ui-monospace, monospace)", lineHeight: "1.5", minHeight: "20rem", maxHeight: "70vh", overflow: "auto" },
  ".cm-content": { caretColor: "var(--text)", minHeight: "20rem" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { color: "var(--muted)", backgroundColor: "var(--sunken)", borderRight: "1px solid var(--border)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--sunken) 60%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--link) 25%, transparent)" },
  ".cm-panels": { color: "var(--text)", backgroundColor: "var(--sunken)" },
  ".cm-panel.cm-search label": { display: "inline-flex", alignItems: "center" },
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.propertyName, tags.definition(tags.propertyName)], color: "var(--link)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--ok-text)" },
  { tag: [tags.comment], color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--bad-text)" },
  { tag: [tags.function(tags.definition(tags.variableName)), tags.className], fontWeight: "600" },
]);

function languageOf(path) {
  const make = LANGUAGES[path.toLowerCase().split(".").pop()];
  return make ? make() : [];
}

function edit(field) {
  const label = field.form.querySelector(`label[for="${field.id}"]`);
  const name = label ? label.textContent.trim().replace(/\s+/g, " ") : "Text";
  // Who writes in the field already, because this came late, goes on where they are.
  const writing = document.activeElement === field;
  const language = new Compartment();
  const host = document.createElement("div");
  host.className = "editor";
  const root = host.attachShadow({ mode: "open" });
  field.after(host);
  const view = new EditorView({
    parent: root,
    root,
    state: EditorState.create({
      doc: field.value,
      selection: writing ? { anchor: field.selectionStart, head: field.selectionEnd } : undefined,
      extensions: [
        lineNumbers(), highlightActiveLineGutter(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(), autocompletion(),
        highlightActiveLine(), highlightSelectionMatches(), search({ top: true }), indentUnit.of("    "),
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, indentWithTab]),
        language.of(languageOf(field.dataset.editor)),
        syntaxHighlighting(colours), theme,
        EditorView.contentAttributes.of({ "aria-label": name, tabindex: "0", spellcheck: "false", autocapitalize: "none" }),
        EditorView.updateListener.of((update) => { if (update.docChanged) field.value = update.state.doc.toString(); }),
      ],
    }),
  });
  if (label) {
    // The label names the editor now; what a person clicks is the same.
    label.removeAttribute("for");
    label.addEventListener("click", () => view.focus());
  }
  const hint = field.form.querySelector("[data-editor-hint]");
  if (hint) hint.hidden = false;
  field.hidden = true;
  if (writing) view.focus();
  const path = field.form.elements.namedItem("path");
  path?.addEventListener("change", () => view.dispatch({ effects: language.reconfigure(languageOf(path.value)) }));
  field.form.addEventListener("submit", () => { field.value = view.state.doc.toString(); });
}

for (const field of document.querySelectorAll("textarea[data-editor]")) edit(field);
