// @ts-check
/** The three things an owner can be asked while a store closes: save the report, correct the address, delete without delivery. */

import { openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { faultLine, field, onSend } from "./forms.js";

/**
 * @typedef {{session: import("../session.js").Session, store: import("./state.js").Store, commands: import("./commands.js").Commands,
 *   toast: import("./toast.js").Toast}} AskContext
 * @typedef {import("./state.js").ReportFile} ReportFile
 */

/** @param {AskContext} context @param {string} path @param {string} name */
async function saveReport({ session, commands }, path, name) {
  try {
    const address = URL.createObjectURL(await session.download(`${path}/report?file=${encodeURIComponent(name)}`));
    h("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch (fault) {
    commands.complain(fault);
  }
}

/** The report's files, each with what it is for and a button that saves it. @param {AskContext} context @param {string} path @param {ReportFile[]} files */
export function reportFiles(context, path, files) {
  return h("ul", { class: "report-files" }, ...files.map((file) =>
    h("li", {},
      h("p", {}, h("span", { class: "strong" }, file.name), " ", h("span", { class: "small muted" }, size(file.bytes)), file.about ? h("span", { class: "about muted" }, file.about) : null),
      h("button", { type: "button", class: "button", "aria-label": `Download ${file.name}`, onclick: () => void saveReport(context, path, file.name) }, "Download"))));
}

/** @param {number} bytes */
function size(bytes) {
  return bytes < 1_000_000 ? `${Math.max(1, Math.round(bytes / 1000))} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** @param {() => unknown} act */
export function askDelete(act) {
  const { close } = openDialog("Delete without delivery?", [
    h("div", { class: "stack" },
      h("p", {}, "All names, phones and tickets are deleted now and the report is not sent. If you want it, download it first. This cannot be taken back."),
      h("div", { class: "dialog-actions" },
        h("button", { type: "button", class: "button", autofocus: true, onclick: () => close() }, "Keep it for now"),
        h("button", { type: "button", class: "button danger primary", onclick: () => { close(); act(); } }, "Delete now"))),
  ], { kind: "middle" });
}

/** @param {AskContext} context @param {() => unknown} after */
export function correctAddress({ session, store, toast }, after) {
  const { account } = store.get();
  const email = h("input", { name: "email", type: "email", value: account.email, autocomplete: "email", autofocus: true });
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password" });
  const form = h("form", { class: "stack" },
    field("E-mail", email), field("Your password", password), faultLine(),
    h("div", { class: "dialog-actions" }, h("button", { type: "submit", class: "button primary" }, "Send the link there")));
  onSend(form, async () => {
    await session.api("PUT", "/v1/email", { email: email.value.trim(), password: password.value });
    store.dispatch({ type: "account", account: await session.api("GET", "/v1/account") });
    toast.show({ say: "The mail is on its way. Open the link in it." });
    close();
    after();
  });
  const { close } = openDialog("Correct the address", [form], { kind: "middle" });
}
