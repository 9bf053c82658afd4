// @ts-check
/** The webhooks of an account: where events are posted to, each with its state; and a new one. */

import { fill, h, icon } from "./counter/dom.js";
import { given } from "./webhooks/secret.js";
import { webhookForm } from "./webhooks/form.js";
import { webhookView } from "./webhooks/webhook.js";

/** @typedef {import("./webhooks/words.js").Webhook} Webhook */

/** @param {import("./webhooks/words.js").Api} api @param {Webhook[]} webhooks @param {boolean} pairs whether this server can sign with key pairs */
export function webhooksView(api, webhooks, pairs) {
  const list = h("div", { class: "webhook-list" });
  const made = h("div", { class: "stack new-secret", role: "status" });
  const add = h("details", { class: "account-change" });

  /** @param {Webhook[]} all @param {string} [open] which one shows its inside */
  function show(all, open = "") {
    fill(list, ...all.map((webhook) => {
      const view = webhookView(api, webhook, pairs, async () => {
        show(await api("GET", "/v1/webhooks"));
        add.querySelector("summary")?.focus();
      });
      view.open = webhook.id === open;
      return view;
    }));
    list.hidden = !all.length;
  }

  function blank() {
    fill(add, h("summary", {}, "Add a webhook", icon("down")), webhookForm({ url: "", name: "", events: [] }, pairs, "Add the webhook", async (wanted) => {
      const { webhook, ...keys } = await api("POST", "/v1/webhooks", wanted);
      const what = keys.public_key ? "public key" : "secret";
      fill(made, h("p", {}, `Put this ${what} into your program, so that it can check that events come from here. Then send a test.`), given(keys));
      blank();
      add.open = false;
      show(await api("GET", "/v1/webhooks"), webhook.id);
      made.querySelector("button")?.focus();
    }));
  }

  show(webhooks);
  blank();
  return h("section", { class: "card stack", id: "webhooks" },
    h("h2", {}, "Webhooks"),
    h("p", { class: "muted" }, "What happens at your counter is posted to a program of yours as it happens: a kitchen display, a sign, a spreadsheet. Numbers only, never a name or a phone number. ", h("a", { href: "/docs#post-v1-webhooks" }, "How that works"), "."),
    made, list, add);
}
