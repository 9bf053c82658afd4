// @ts-check
// The ways to the server, best first, and what each of them can do.

import { PollTransport } from "./transport_poll.js";
import { SseTransport } from "./transport_sse.js";
import { WebSocketTransport } from "./transport_ws.js";

/** @typedef {"websocket" | "sse" | "polling"} Via */

/**
 * Messages are those of docs/protocol.md, whatever carries them.
 * @typedef {object} Transport
 * @property {() => void} open
 * @property {(message: Record<string, any>) => boolean} send false: there is no connection to send it on
 * @property {() => void} close nothing is told any more
 */

/**
 * @typedef {object} Heard what a transport tells
 * @property {() => void} onOpen the first message may be sent
 * @property {(message: Record<string, any>) => void} onMessage
 * @property {(code: number, reason: string, error?: string) => void} onClose a close code; 1006: it broke without a word of the server's
 */

/** @type {Readonly<Record<Via, new (heard: Heard) => Transport>>} */
export const TRANSPORTS = Object.freeze({ websocket: WebSocketTransport, sse: SseTransport, polling: PollTransport });
