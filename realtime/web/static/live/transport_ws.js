// @ts-check
// Messages over a WebSocket.

const SUBPROTOCOL = "nowserving.v1";
const PATIENCE_MS = 10_000;

/** @implements {Transport} */
export class WebSocketTransport {
  /** @param {Heard} heard */
  constructor(heard) {
    this.heard = heard;
    /** @type {WebSocket | null} */ this.socket = null;
  }

  open() {
    const socket = new WebSocket(liveUrl(), SUBPROTOCOL);
    this.socket = socket;
    socket.onopen = () => this.socket && this.heard.onOpen();
    socket.onmessage = (event) => this.socket && this.heard.onMessage(JSON.parse(String(event.data)));
    socket.onclose = (event) => this.socket && this.heard.onClose(event.code, event.reason);
  }

  /** @param {Record<string, any>} message */
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  close() {
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
  }
}

/** Whether a socket can be opened now. @returns {Promise<boolean>} */
export function opens() {
  return new Promise((resolve) => {
    const socket = new WebSocket(liveUrl(), SUBPROTOCOL);
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

function liveUrl() {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`;
}

/** @typedef {import("./transports.js").Transport} Transport */
/** @typedef {import("./transports.js").Heard} Heard */
