// @ts-check
// A signed-in browser goes to its counter from the start page.

import { wasSignedIn } from "./session.js";

if (wasSignedIn()) {
  for (const element of document.querySelectorAll("[data-signed-in]")) /** @type {HTMLElement} */ (element).hidden = false;
  for (const element of document.querySelectorAll("[data-signed-out]")) /** @type {HTMLElement} */ (element).hidden = true;
}
