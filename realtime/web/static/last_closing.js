// @ts-check
/** The closing that has just ended, for pages that its owner comes to afterwards. */

const DAY_MS = 24 * 3600_000;

/**
 * The newest receipt if it is of the last 24 hours; null without one, or where the server cannot be asked.
 * @param {import("./session.js").Session} session
 * @returns {Promise<import("./counter/state.js").SignedReceipt["receipt"]|null>}
 */
export async function lastClosing(session) {
  try {
    const [last] = /** @type {import("./counter/state.js").SignedReceipt[]} */ (await session.api("GET", "/v1/receipts"));
    return last && session.now() - last.receipt.deleted_ms < DAY_MS ? last.receipt : null;
  } catch {
    return null;
  }
}
