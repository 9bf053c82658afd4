// @ts-check
// What the end of a socket means: the browser's copy of the close codes in errors.py.

/** What a browser says of a connection that broke without a word of the server's. */
export const BROKEN = 1006;

/** @typedef {{again: boolean, sentence: string}} Verdict `again`: whether coming back may help. */

/** @type {Readonly<Record<number, Verdict>>} */
export const CLOSE_CODES = Object.freeze({
  1003: { again: false, sentence: "This server reads no binary messages." },
  1007: { again: false, sentence: "That message was not in UTF-8." },
  1009: { again: false, sentence: "That is more than this server reads at once." },
  1012: { again: true, sentence: "The server is restarting. You will be connected again in a moment." },
  1013: { again: true, sentence: "The server is full at the moment. Please try again." },
  4000: { again: true, sentence: "The connection was lost." },
  4008: { again: true, sentence: "The connection was too slow to keep up." },
  4012: { again: true, sentence: "The connection did not answer." },
  4400: { again: false, sentence: "That message could not be read." },
  4401: { again: false, sentence: "Please sign in again." },
  4403: { again: false, sentence: "You may not do that here." },
  4404: { again: false, sentence: "There is no such store. It may have closed and its data been deleted." },
  4410: { again: false, sentence: "This store has closed. Thank you for coming." },
});

const CODE_OF = Object.freeze({
  bad_message: 4400, cross_site: 4403, invalid_input: 4400, not_allowed: 4403, not_signed_in: 4401, overloaded: 1013, restarting: 1012,
  store_closed: 4410, store_not_found: 4404, ticket_not_found: 4404, too_many: 1013,
});

/** The close code that says the same as a refused request. @param {string} error wire code @param {number} status */
export function codeOf(error, status) {
  return /** @type {Record<string, number>} */ (CODE_OF)[error] ?? (status < 500 ? 4400 : 4000);
}

/**
 * The verdict on any close code; those not in the table follow the rule 4400-4999: do not come back.
 * @param {number} code
 * @param {string} [reason] the server's own sentence, where it sent one
 * @returns {Verdict}
 */
export function verdict(code, reason = "") {
  const known = CLOSE_CODES[code];
  const again = known ? known.again : code < 4400 || code > 4999;
  return { again, sentence: reason || known?.sentence || "The connection was lost." };
}
