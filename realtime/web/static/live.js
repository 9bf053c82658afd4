// @ts-check
// The live client for pages of this site: the one module to import. docs/client.md says how; live.d.ts beside it has the types.

export { CLOSE_CODES, verdict } from "./live/codes.js";
export { ahead, applyPush, counts, emptyState, fromSnapshot, lastCalled, minutes, nowServing, waiting } from "./live/reducer.js";
export { Live, LiveError, connect } from "./live/socket.js";
export { showStatus, statusText } from "./live/status.js";
