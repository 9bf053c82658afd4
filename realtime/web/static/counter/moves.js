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

/** @type {Record<State, string>} What a ticket is once more when a step was taken back, to follow the number. */
const AGAIN = {
  waiting: "is back in line",
  called: "has been called, as before",
  serving: "is being served, as before",
  done: "is done, as before",
  no_show: "did not show up, as before",
  left: "has left, as before",
  removed: "is out of the line, as before",
};

/** What happened, to follow the number. @param {Change} action @param {string} state of the ticket as it is now */
export function saidOf(action, state) {
  return action === "undo" ? AGAIN[/** @type {State} */ (state)] : WORDS[action].said;
}

/** Whether a step can be taken back: all but a second call, which was heard, and a step back. @param {Change} action */
export const canUndo = (action) => action !== "recall" && action !== "undo";
