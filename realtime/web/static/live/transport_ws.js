// @ts-check
// Messages over a WebSocket.

import { BROKEN } from "./codes.js";

const SUBPROTOCOL = "nowserving.v1";
const PATIENCE_MS = 10_000;
const MOST_LINES = 16;
/** The server takes 4 KiB, and a character may take three bytes. */
const MOST_CHARACTERS = 1300;
const OPEN = 1;

/** @implements {Transport} */
export class WebSocketTransport {
  /** @param {Heard} heard */
  constructor(heard) {
    this.heard = heard;
    /** @type {WebSocket | null} */ this.socket = null;
    /** @type {string[]} */ this.unsent = [];
  }

  open() {
    const socket = made();
    if (!socket) {
      queueMicrotask(() => this.heard.onClose(BROKEN, ""));
      return;
    }
    this.socket = socket;
    socket.onopen = () => this.socket && this.heard.onOpen();
    socket.onmessage = ({ data }) => {
      for (const line of String(data).split("\n")) if (this.socket) this.heard.onMessage(JSON.parse(line));
    };
    socket.onclose = (event) => this.socket && this.heard.onClose(event.code, event.reason);
  }

  /** What is said in one turn goes as one text. @param {Record<string, any>} message */
  send(message) {
    if (this.socket?.readyState !== OPEN) return false;
    if (!this.unsent.length) queueMicrotask(() => this.flush());
    this.unsent.push(JSON.stringify(message));
    return true;
  }

  flush() {
    while (this.unsent.length) {
      let [text] = this.unsent.splice(0, 1);
      for (let lines = 1; lines < MOST_LINES && this.unsent.length && text.length + this.unsent[0].length < MOST_CHARACTERS; lines++) text += `\n${this.unsent.shift()}`;
      if (this.socket?.readyState === OPEN) this.socket.send(text);
    }
  }

  close() {
    this.flush();
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
  }
}

/** Whether a socket can be opened now. @returns {Promise<boolean>} */
export function opens() {
  return new Promise((resolve) => {
    const socket = made();
    if (!socket) {
      resolve(false);
      return;
    }
    const timer = setTimeout(() => socket.close(), PATIENCE_MS);
    socket.onopen = () => {
      resolve(true);
      socket.close(1000);
    };
    socket.onclose = () => {
      clearTimeout(timer);
      resolve(false);
    };
  });
}

/** A socket, or null where the browser has none, or a rule of the page or of a blocker forbids it. */
function made() {
  try {
    return new WebSocket(liveUrl(), SUBPROTOCOL);
  } catch {
    return null;
  }
}

function liveUrl() {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`;
}

/** @typedef {import("./transports.js").Transport} Transport */
/** @typedef {import("./transports.js").Heard} Heard */
