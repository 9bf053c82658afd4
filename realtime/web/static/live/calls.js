// @ts-check
// Commands on their way and the replies that belong to them, by id.

const REPLY_MS = 10_000;

/** A command that was refused (the server's code and sentence), or got no answer (`dropped`: try again). */
export class LiveError extends Error {
  /** @param {{code: string, message: string, retry?: boolean, field?: string | null}} error */
  constructor({ code, message, retry = false, field = null }) {
    super(message);
    this.name = "LiveError";
    this.code = code;
    this.retry = retry;
    this.field = field;
  }
}

/** @returns {LiveError} */
export function dropped() {
  return new LiveError({ code: "dropped", message: "The connection was lost. Try again in a moment.", retry: true });
}

export class Calls {
  constructor() {
    /** @type {Map<number, {resolve: (ok: any) => void, reject: (error: LiveError) => void, deadline: number}>} */
    this.open = new Map();
    this.lastId = 0;
  }

  /**
   * @param {import("./transports.js").Transport | null} transport
   * @param {Record<string, any>} command
   * @returns {Promise<any>} the reply's `ok`; rejects with a LiveError
   */
  ask(transport, command) {
    const id = ++this.lastId;
    if (!transport?.send({ id, ...command })) return Promise.reject(dropped());
    return new Promise((resolve, reject) => this.open.set(id, { resolve, reject, deadline: Date.now() + REPLY_MS }));
  }

  /** @param {{id: number, ok?: any, error?: any}} reply */
  answer(reply) {
    const call = this.open.get(reply.id);
    this.open.delete(reply.id);
    if (reply.error) call?.reject(new LiveError(reply.error));
    else call?.resolve(reply.ok);
  }

  /** Gives up those that waited too long; all of them without an argument. @param {number} [now] */
  giveUp(now = Infinity) {
    for (const [id, call] of this.open) {
      if (now < call.deadline) continue;
      this.open.delete(id);
      call.reject(dropped());
    }
  }
}

/**
 * The same promise, but never silent for longer than a reply may take.
 * @template T
 * @param {T | Promise<T>} answer
 * @returns {Promise<T>}
 */
export function inTime(answer) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(dropped()), REPLY_MS);
    Promise.resolve(answer).then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
