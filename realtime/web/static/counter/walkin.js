// @ts-check
/** A guest without a phone in hand: name, people and queue in; a number and a QR to take along out. */

import { openDialog } from "./dialog.js";
import { fill, h } from "./dom.js";
import { fault, faultLine, field, onSend } from "./forms.js";
import { takeAlong } from "./sheet.js";

/**
 * @param {string} queueId @param {import("./state.js").Store} store @param {import("./commands.js").Commands} commands
 */
export function openWalkIn(queueId, store, commands) {
  const queues = [...store.get().live.queues.values()].filter(({ paused }) => !paused);
  if (!queues.length) {
    openDialog("Add a guest", [h("p", { role: "status" }, "Every queue is paused. Resume one first.")]);
    return;
  }
  const name = h("input", { name: "name", autocomplete: "off", maxLength: 80, autofocus: true });
  const party = h("input", { name: "party", type: "number", min: "1", max: "99", value: "1", inputMode: "numeric" });
  const phone = h("input", { name: "phone", type: "tel", autocomplete: "off", maxLength: 32 });
  const queue = h("select", { name: "queue" }, ...queues.map(({ id, name: words }) => h("option", { value: id, selected: id === queueId }, words)));
  const peopleField = stepped(field("People", party), party);
  const form = h(
    "form",
    { class: "stack" },
    field("Name", name),
    h("div", { class: "walk-in-pair" }, peopleField, queues.length > 1 ? field("Queue", queue) : null),
    field("Phone", phone, { optional: true, hint: store.get().account.can_text ? "With one, the guest is told when it is their turn." : "For you, should you not find the guest." }),
    faultLine(),
    h("button", { type: "submit", class: "button primary big wide" }, "Add to the line"),
  );
  let key = commands.newKey();
  form.addEventListener("input", () => (key = commands.newKey()));
  onSend(form, async () => {
    if (!name.value.trim()) throw fault("name", "Type the guest’s name.");
    const guest = { name: name.value.trim(), queue: queue.value, phone: phone.value.trim(), party: Number(party.value) || 1 };
    const added = await commands.walkIn(guest, key);
    last = added.ticket;
    fill(body, ...takenIn(added));
    /** @type {HTMLElement|null} */ (body.querySelector(".primary"))?.focus();
  });
  const body = h("div", {}, form);
  /** @type {import("./state.js").Ticket|null} */
  let last = null;
  const { close } = openDialog("Add a guest", [body], { onclose: () => last && commands.tellAdded(last) });

  /** @param {import("./commands.js").WalkedIn} added */
  function takenIn({ ticket, link, svg }) {
    return [
      h(
        "div",
        { class: "stack own-page", role: "status" },
        h("p", { class: "number walk-in-number" }, ticket.label),
        h("p", { class: "lead one-line" }, h("bdi", {}, ticket.name)),
        ...takeAlong(link, svg),
        h("button", { type: "button", class: "button primary big wide", onclick: close }, "Done"),
      ),
    ];
  }
}

/** Put a minus and a plus around a number. @param {HTMLElement} node @param {HTMLInputElement} input */
function stepped(node, input) {
  const step = (/** @type {number} */ by) => () => {
    input.value = String(Math.min(99, Math.max(1, (Number(input.value) || 1) + by)));
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const frame = h("div", { class: "stepper" });
  input.before(frame);
  frame.append(h("button", { type: "button", "aria-label": "One fewer", onclick: step(-1) }, "−"), input, h("button", { type: "button", "aria-label": "One more", onclick: step(1) }, "+"));
  input.classList.remove("input");
  return node;
}
