// @ts-check
/** What the owner should know before the store closes: nothing leaves this server, or nobody can receive the report yet. */

import { correctAddress } from "./closing_ask.js";
import { h } from "./dom.js";

/** @param {import("./closing_ask.js").AskContext} context */
export function createBanner(context) {
  const { session, commands, toast } = context;
  const node = h("div", { class: "notice counter-banner", "data-tone": "warn", role: "status", hidden: true });
  let shown = "";

  async function resend() {
    try {
      await session.api("POST", "/v1/email/resend");
      toast.show({ say: "The mail is on its way. Open the link in it." });
    } catch (fault) {
      commands.complain(fault);
    }
  }

  return {
    node,
    /** @param {import("./state.js").Counter} state */
    render({ account }) {
      const kind = account.captures ? "captures" : !account.can_mail ? "no mail" : account.confirmed ? "" : account.email;
      if (kind === shown) return;
      shown = kind;
      node.hidden = !kind;
      if (kind === "captures") {
        node.dataset.tone = "info";
        node.replaceChildren(h("p", {}, "Nothing leaves: messages are kept in the outbox."), h("a", { class: "button", href: "/outbox" }, "Outbox"));
      } else if (kind === "no mail") {
        node.replaceChildren(h("p", {}, "This server cannot send e-mail. When you close, download the report here; nothing is deleted before."));
      } else if (kind) {
        node.replaceChildren(
          h("p", {}, "The report needs a confirmed address. Open the link in the mail to ", h("bdi", {}, account.email), "."),
          h("span", { class: "row" }, h("button", { type: "button", class: "button", onclick: resend }, "Send again"), h("button", { type: "button", class: "button", "aria-haspopup": "dialog", onclick: () => correctAddress(context, () => {}) }, "Correct it")),
        );
      }
    },
  };
}
