// @ts-check
/** Editing the store and its queues: one form, of which only what changed is sent. */

import { setAccent } from "../page.js";
import { SHADES, darkened, readable } from "./accent.js";
import { openDialog } from "./dialog.js";
import { h, icon } from "./dom.js";
import { ladderEditor } from "./edit_ladder.js";
import { queueEditor } from "./edit_queue.js";
import { quietEditor } from "./edit_quiet.js";
import { check, faultLine, faults, field, onSend } from "./forms.js";

/**
 * @param {import("./state.js").Store} store @param {import("./commands.js").Commands} commands @param {import("./toast.js").Toast} toast
 * @param {string} [queueId] the queue to show at once
 */
export function openEdit(store, commands, toast, queueId) {
  const { store: shop, queues } = store.get().live;
  if (!shop) return;
  const name = h("input", { name: "name", value: shop.name, maxLength: 80 });
  const description = h("textarea", { name: "description", value: shop.description, maxLength: 1000, rows: 2 });
  const almost = h("input", { name: "almost_at", type: "number", min: "0", max: "50", value: String(shop.almost_at ?? 0), inputMode: "numeric" });
  const boardCode = check("The board shows the QR code", { name: "board_code", checked: shop.board_code });
  const accent = accentField(shop.accent);
  const ladder = ladderEditor(shop.ladder ?? [], store.get().account);
  const quiet = quietEditor(shop.quiet_hours ?? "", shop.timezone);
  const editors = [...queues.values()].map((queue) => queueEditor(queue, queue.id === queueId));
  const added = h("div", { class: "stack" });
  const form = h(
    "form",
    { class: "stack edit" },
    h("details", { class: "edit-part", open: !queueId },
      h("summary", {}, "Store", icon("down")),
      h("div", { class: "stack" },
        field("Name", name),
        field("Description", description, { optional: true, hint: "Shown where guests join." }),
        accent.node,
        field("Say “almost your turn” to the party at place", almost, { hint: "3 tells the third party in line. 0 tells nobody." }),
        h("p", { class: "hint" }, h("a", { href: "/messages" }, "What guests are told"), " by text message and e-mail."),
        boardCode)),
    ladder.node,
    quiet.node,
    ...editors.map((editor) => editor.node),
    added,
    h("button", { type: "button", class: "button", onclick: addQueue }, icon("plus"), "Add a queue"),
    faultLine(),
    h("div", { class: "dialog-actions edit-foot" }, h("button", { type: "button", class: "button", onclick: () => close() }, "Cancel"), h("button", { type: "submit", class: "button primary" }, "Save")),
  );
  onSend(form, async () => {
    const unfit = (await Promise.all(editors.map((editor) => editor.unfit()))).filter((one) => one !== null);
    if (unfit.length) throw faults(unfit);
    const edit = changes();
    if (Object.keys(edit).length) {
      await commands.edit(edit);
      toast.show({ say: "Saved. Every screen shows it now." });
    }
    saved = true;
    close();
  });
  let saved = false;
  const { close } = openDialog("Edit", [form], { kind: "wide", onclose: () => saved || setAccent(shop.accent) });

  function addQueue() {
    const at = added.children.length;
    const input = h("input", { name: `add_queues.${at}.name`, maxLength: 80, placeholder: "Table for four" });
    added.appendChild(field("New queue", input));
    input.focus();
  }

  /** Only what differs from what is stored, as EditStore. @returns {Record<string, unknown>} */
  function changes() {
    /** @type {Record<string, unknown>} */
    const edit = {};
    const box = /** @type {HTMLInputElement} */ (boardCode.querySelector("input"));
    if (name.value.trim() !== shop?.name) edit.name = name.value.trim();
    if (description.value !== shop?.description) edit.description = description.value;
    if (accent.value() !== shop?.accent) edit.accent = accent.value();
    if (Number(almost.value) !== shop?.almost_at) edit.almost_at = Number(almost.value);
    if (box.checked !== shop?.board_code) edit.board_code = box.checked;
    if (ladder.changed()) edit.ladder = ladder.value();
    if (quiet.changed()) edit.quiet_hours = quiet.value();
    const changed = editors.filter((editor) => editor.changed());
    if (changed.length) edit.queues = changed.map((editor, at) => editor.value(at));
    const fresh = [...added.querySelectorAll("input")].map((input) => ({ name: input.value.trim() })).filter((queue) => queue.name);
    if (fresh.length) edit.add_queues = fresh;
    return edit;
  }
}

/** @param {string} first */
function accentField(first) {
  let chosen = first;
  const custom = h("input", { type: "color", value: first.toLowerCase(), "aria-label": "Another colour", oninput: () => choose(custom.value) });
  const note = h("p", { class: "hint", "aria-live": "polite" });
  const swatches = SHADES.map((shade) => {
    const button = h("button", { type: "button", class: "swatch", "aria-label": `Colour ${shade}`, onclick: () => choose(shade) });
    button.style.setProperty("--swatch", shade);
    return { shade, button };
  });
  const node = h("div", { class: "field", role: "group", "aria-label": "Colour" }, h("span", { class: "label" }, "Colour"), h("div", { class: "row swatches" }, ...swatches.map(({ button }) => button), custom), note);
  show();

  /** @param {string} hex */
  function choose(hex) {
    chosen = hex.toUpperCase();
    custom.value = hex.toLowerCase();
    setAccent(chosen);
    show();
  }

  function show() {
    for (const { shade, button } of swatches) button.setAttribute("aria-pressed", String(shade === chosen.toUpperCase()));
    note.replaceChildren();
    if (readable(chosen)) {
      note.append("White text on this colour is easy to read. Dark screens use a lighter shade.");
      return;
    }
    const shade = darkened(chosen).toUpperCase();
    note.append("Too light for white text, so light screens use a darker shade. ", h("button", { type: "button", class: "button", onclick: () => choose(shade) }, `Use ${shade}`));
  }
  return { node, value: () => chosen };
}
