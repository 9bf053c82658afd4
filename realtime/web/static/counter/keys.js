// @ts-check
/** Two keys for a counter with a keyboard: N calls next in the chosen queue, U takes the last action back. They can be turned off. */

const OFF = "nowserving_keys_off";

export const keysOn = () => localStorage.getItem(OFF) !== "1";

/** @param {boolean} on */
export function setKeys(on) {
  if (on) localStorage.removeItem(OFF);
  else localStorage.setItem(OFF, "1");
  showKeys();
}

function showKeys() {
  document.body.classList.toggle("keys", keysOn());
}

/** @param {{callNext: () => void, undo: () => void}} does */
export function listenToKeys(does) {
  showKeys();
  document.addEventListener("keydown", (event) => {
    if (!keysOn() || event.repeat || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName)) return;
    const key = event.key.toLowerCase();
    if (key === "n") does.callNext();
    else if (key === "u") does.undo();
    else return;
    event.preventDefault();
  });
}
