// @ts-check
/** Closing the store: what will happen in three lines, and one button. */

import { openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { faultLine, onSend } from "./forms.js";

/**
 * @param {import("./state.js").Counter} state @param {() => Promise<void>} closeStore
 */
export function openClose({ account, live }, closeStore) {
  const here = [...live.tickets.values()].filter((ticket) => ["waiting", "called", "serving"].includes(ticket.state)).length;
  const inLine = here === 1 ? "1 party is still here. Its page says that you have closed." : `${here} parties are still here. Their pages say that you have closed.`;
  const form = h(
    "form",
    { class: "stack" },
    here ? h("p", { class: "notice", "data-tone": "warn" }, inLine) : null,
    h(
      "ol",
      { class: "close-lines" },
      h("li", {}, h("strong", {}, "Now: "), "nobody can join any more. The codes and the board stop."),
      h("li", {}, h("strong", {}, "Then: "), ...receiver(account)),
      h("li", {}, h("strong", {}, "After that: "), "all names, phones and tickets are deleted for good. You keep a receipt without personal data."),
    ),
    faultLine(),
    h("div", { class: "dialog-actions" }, h("button", { type: "button", class: "button", autofocus: true, onclick: () => close() }, "Stay open"), h("button", { type: "submit", class: "button danger primary" }, "Close the store")),
  );
  onSend(form, async () => {
    await closeStore();
    close();
  });
  const { close } = openDialog(`Close ${live.store?.name ?? "the store"}?`, [form], { kind: "middle" });
}

/** @param {import("../session.js").Account} account */
function receiver(account) {
  if (account.captures) return ["the report waits here for you to download, because nothing leaves this server while it is tried out."];
  if (!account.can_mail) return ["the report waits here for you to download, because this server cannot send e-mail."];
  if (!account.confirmed) return ["the report waits until ", h("bdi", {}, account.email), " is confirmed; then it goes there."];
  return ["the report goes to ", h("bdi", {}, account.email), "."];
}
