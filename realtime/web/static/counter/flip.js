// @ts-check
/** Things that move slide to their new place: measure, change, then animate from where they were. */

const MOVE = /** @type {const} */ ({ duration: 220, easing: "cubic-bezier(.2,.7,.3,1)" });
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * Run `change` and slide every element with `data-flip` in `root` that it moved.
 * @param {HTMLElement} root @param {() => void} change
 */
export function flip(root, change) {
  if (calm.matches || document.hidden) return change();
  /** @type {Map<string, DOMRect>} */
  const before = new Map();
  for (const node of marked(root)) before.set(node.dataset.flip || "", node.getBoundingClientRect());
  change();
  for (const node of marked(root)) {
    const old = before.get(node.dataset.flip || "");
    const now = node.getBoundingClientRect();
    if (!old) {
      if (before.size) node.animate([{ opacity: 0, transform: "translateY(8px)" }, { opacity: 1, transform: "none" }], MOVE);
      continue;
    }
    const [x, y] = [old.left - now.left, old.top - now.top];
    if (old.width && now.width && (Math.abs(x) > 1 || Math.abs(y) > 1)) {
      node.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: "none" }], MOVE);
    }
  }
}

/** @param {HTMLElement} root @returns {NodeListOf<HTMLElement>} */
const marked = (root) => root.querySelectorAll("[data-flip]");
