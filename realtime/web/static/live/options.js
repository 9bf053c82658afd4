// @ts-check
// What a page gives to `connect` and what it hears back: the whole interface of the live client.

/** @typedef {import("./reducer.js").Push} Push */
/** @typedef {import("./reducer.js").Snapshot} Snapshot */
/** @typedef {import("./freshness.js").LiveState} LiveState */
/** @typedef {{topic: string, public: number, boards: number, owners: number, open: number[], all: boolean}} Presence who looks at a store;
 *   `open`: the tickets whose pages are open, unless `all` only some of them */
/** @typedef {{code: number, error: string, message: string}} Final why it is over: close code (0: none), wire code, sentence */

/**
 * @typedef {object} LiveOptions
 * @property {(renew: boolean) => string | Promise<string>} token asked for at each connect; `renew`: a fresh one is needed.
 *   An error with a 4xx `status` and no `retry` (as session.js throws) ends the connection; any other is tried again.
 * @property {string[]} [topics] default: those that the server names each time it accepts the token
 * @property {boolean} [resume] default true; false: every connection begins with whole snapshots
 * @property {(push: Push) => void} onPush in order; may be repeated after a break, so apply it as an upsert
 * @property {(topic: string, snapshot: Snapshot, seq: number) => void} onSnapshot replaces all that is known of the topic
 * @property {(presence: Presence) => void} [onPresence] on owner topics, now and then; not while polling
 * @property {(state: LiveState, sinceMs: number) => void} [onState] `sinceMs`: when the server was last heard
 * @property {(final: Final) => void} [onFinal] it is over and does not come back
 * @property {(ok: any) => void} [onSignedIn] the server's reply to the token
 * @property {number} [pingMs] the server's longest pause between two pings
 */

export {};
