// @ts-check
/** What the staff can do to a ticket, from which states, and how to take it back. The same table as MOVES in realtime/model.py. */

/**
 * @typedef {"waiting"|"called"|"serving"|"done"|"no_show"|"left"|"removed"} State
 * @typedef {"call"|"recall"|"serve"|"done"|"no_show"|"return"|"remove"} Action what a button does
 * @typedef {Action|"undo"} Change "undo" goes one step back, wherever that leads; the server knows the step
 */

/** @type {Record<Action, {from: State[], to: State}>} */
export const MOVES = {
  call: { from: ["waiting"], to: "called" },
  recall: { from: ["called"], to: "called" },
  serve: { from: ["waiting", "called"], to: "serving" },
  done: { from: ["serving", "called"], to: "done" },
  no_show: { from: ["called"], to: "no_show" },
  return: { from: ["called", "serving", "done", "no_show", "left", "removed"], to: "waiting" },
  remove: { from: ["waiting", "called", "serving"], to: "removed" },
};

/** @type {Record<Action, {label: string, said: string}>} `label` is on the button; `said` follows the number once it happened. */
export const WORDS = {
  call: { label: "Call", said: "was called" },
  recall: { label: "Recall", said: "was called again" },
  serve: { label: "Serve", said: "is being served" },
  done: { label: "Done", said: "is done" },
  no_show: { label: "No-show", said: "did not show up" },
  return: { label: "Back to waiting", said: "is back in line" },
  remove: { label: "Remove", said: "was removed" },
};

/** @type {Record<State, string>} */
export const STATE_WORDS = {
  waiting: "Waiting",
  called: "Called",
  serving: "Being served",
  done: "Done",
  no_show: "No-show",
  left: "Left",
  removed: "Removed",
};

/** @type {State[]} */
export const LIVE = ["waiting", "called", "serving"];

/** @param {string} state @returns {boolean} */
export const isLive = (state) => LIVE.includes(/** @type {State} */ (state));

/** @param {string} state @returns {Action[]} */
export function legal(state) {
  return /** @type {Action[]} */ (Object.keys(MOVES)).filter((action) => MOVES[action].from.includes(/** @type {State} */ (state)));
}

/**
 * What takes `action` back, done to a ticket that was in state `before`; null where there is nothing to take back.
 * "return" forgets the step before it, so there the step is done again.
 * @param {Change} action @param {string} before @returns {Change|null}
 */
export function undoOf(action, before) {
  if (action === "recall" || action === "undo") return null;
  if (action !== "return") return "undo";
  if (before === "called") return "call";
  if (before === "serving") return "serve";
  return before === "done" || before === "no_show" ? null : "remove";
}
