// @ts-check
/**
 * A signed-in browser: the access token, held in memory only, and the calls made with it.
 *
 * The refresh token is an HttpOnly cookie that changes at every use, so the tabs of one browser renew one at a time
 * and hand the new access token to each other.
 */

/**
 * @typedef {{access_token: string, expires_in: number}} Tokens
 * @typedef {{idempotencyKey?: string, signal?: AbortSignal, repeat?: boolean}} CallOptions `repeat: false` sends once, whatever happens
 * @typedef {{id: string, email: string, confirmed: boolean, store_id: string|null, has_template: boolean, can_mail: boolean, can_text: boolean, captures: boolean, template_name: string}} Account
 */

const CHANNEL = "nowserving_session";
const SIGNED_IN = "nowserving_signed_in";
const SIGNED_OUT = "nowserving_signed_out";
const ACCOUNT = "nowserving_account";
const EARLY_MS = 60_000;
const RETRY_AFTER_MS = [400, 1500];

/** An answer that says no, in words for a person. */
export class Problem extends Error {
  /** @param {{code?: string, detail?: string, title?: string, field?: string|null, fields?: {field: string, detail: string}[], retry?: boolean, status?: number}} body */
  constructor(body) {
    super(body.detail || body.title || "Something went wrong on our side. Please try again.");
    this.name = "Problem";
    this.code = body.code || "error";
    this.detail = this.message;
    this.field = body.field || null;
    this.fields = body.fields || [];
    this.retry = body.retry === true;
    this.status = body.status || 0;
  }
}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {Response} response */
async function problemOf(response) {
  try {
    return new Problem({ ...(await response.json()), status: response.status });
  } catch {
    return new Problem({ code: "unavailable", detail: "The server gave no proper answer. Please try again.", retry: true, status: response.status });
  }
}

/**
 * One request without a sign-in. Repeats by itself after a lost connection, if the key makes that safe.
 * @param {string} method @param {string} path @param {unknown} [body] @param {CallOptions & {token?: string}} [options]
 * @returns {Promise<Response>}
 */
export async function request(method, path, body, options = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (options.token) headers.Authorization = `Bearer ${options.token}`;
  if (options.idempotencyKey) headers["Idempotency-Key"] = options.idempotencyKey;
  const init = { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: options.signal, credentials: /** @type {const} */ ("same-origin") };
  const pauses = options.repeat !== false && (options.idempotencyKey || method === "GET") ? RETRY_AFTER_MS : [];
  for (let tried = 0; ; tried += 1) {
    try {
      const response = await fetch(path, init);
      if (!response.ok) throw await problemOf(response);
      return response;
    } catch (fault) {
      if (fault instanceof Problem || options.signal?.aborted) throw fault;
      if (tried >= pauses.length) {
        throw new Problem({ code: "offline", detail: "The server cannot be reached. Check the connection, then try again.", retry: true });
      }
      await pause(pauses[tried]);
    }
  }
}

/** @param {Response} response */
async function parsed(response) {
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/**
 * One request without a sign-in, its answer as JSON.
 * @param {string} method @param {string} path @param {unknown} [body] @param {CallOptions} [options]
 */
export async function call(method, path, body, options) {
  return parsed(await request(method, path, body, options));
}

/** @returns {boolean} Whether this browser was signed in when it was last here. Only a hint: it spares strangers a request. */
export function wasSignedIn() {
  return localStorage.getItem(SIGNED_IN) === "1";
}

/** A path of this site to go to after signing in. @param {string} fallback */
export function nextPath(fallback) {
  const next = new URLSearchParams(location.search).get("next") || "";
  return /^\/(?![/\\])[\w/-]*$/.test(next) ? next : fallback;
}

/** @returns {boolean} Whether this tab came here because its sign-in was over. Says so once. */
export function wasSignedOut() {
  const was = sessionStorage.getItem(SIGNED_OUT) === "1";
  sessionStorage.removeItem(SIGNED_OUT);
  return was;
}

/** Tells the other tabs of this browser that the account has changed. */
export function tellAccount() {
  if (!("BroadcastChannel" in window)) return;
  const channel = new BroadcastChannel(ACCOUNT);
  channel.postMessage("changed");
  channel.close();
}

/** Calls `changed` when another tab has changed the account. @param {() => void} changed */
export function onAccount(changed) {
  if ("BroadcastChannel" in window) new BroadcastChannel(ACCOUNT).addEventListener("message", changed);
}

/** @param {boolean} was whether this browser was signed in until now */
function toSignIn(was) {
  localStorage.removeItem(SIGNED_IN);
  if (was) sessionStorage.setItem(SIGNED_OUT, "1");
  location.replace(`/signin?next=${encodeURIComponent(location.pathname)}`);
}

/** @param {{onLost?: (was: boolean) => void}} [options] `onLost` is called when the sign-in is over; the default goes to the sign-in page. */
export function createSession({ onLost = toSignIn } = {}) {
  let token = "";
  let expiresMs = 0;
  let skewMs = 0;
  /** @type {Promise<void>|null} */
  let refreshing = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  let lost = false;
  const channel = "BroadcastChannel" in window ? new BroadcastChannel(CHANNEL) : null;

  /** @param {string} value @param {number} until */
  function keep(value, until) {
    token = value;
    expiresMs = until;
    if (token) lost = false;
    clearTimeout(timer);
    if (token) timer = setTimeout(() => refresh(value).catch(() => {}), Math.max(5_000, expiresMs - Date.now() - EARLY_MS));
  }

  /** Take tokens that an answer brought along. @param {Tokens} tokens */
  function adopt(tokens) {
    keep(tokens.access_token, Date.now() + tokens.expires_in * 1000);
    localStorage.setItem(SIGNED_IN, "1");
    channel?.postMessage({ token, expiresMs });
  }

  /** The sign-in is over. Said once, though the server and another tab may both tell of it. */
  function lose() {
    const was = token !== "" || wasSignedIn();
    keep("", 0);
    if (lost) return;
    lost = true;
    onLost(was);
  }

  const fresh = () => token !== "" && Date.now() < expiresMs - 5_000;

  /** @param {() => Promise<void>} work @returns {Promise<void>} */
  async function alone(work) {
    if (navigator.locks) await navigator.locks.request(CHANNEL, work);
    else await work();
  }

  /**
   * Renew the access token, unless it is another than `stale` by now.
   * @param {string} stale @returns {Promise<void>}
   */
  function refresh(stale) {
    if (refreshing) return refreshing;
    refreshing = alone(async () => {
      if (fresh() && token !== stale) return;
      if (lost) throw new Problem({ code: "not_signed_in", detail: "Please sign in.", status: 401 });
      adopt(await call("POST", "/v1/token"));
    }).finally(() => {
      refreshing = null;
    });
    return refreshing;
  }

  /** A token that is good now. @param {boolean} [refused] The last one was not accepted. @returns {Promise<string>} */
  async function currentToken(refused = false) {
    if (refused || !fresh()) await renew(token);
    return token;
  }

  /** @param {string} stale */
  async function renew(stale) {
    try {
      await refresh(stale);
    } catch (fault) {
      if (fault instanceof Problem && fault.status === 401) lose();
      throw fault;
    }
  }

  /** @param {string} method @param {string} path @param {unknown} [body] @param {CallOptions} [options] */
  async function send(method, path, body, options) {
    const used = await currentToken();
    let response;
    try {
      response = await request(method, path, body, { ...options, token: used });
    } catch (fault) {
      if (!(fault instanceof Problem) || fault.code !== "not_signed_in") throw fault;
      await renew(used);
      response = await request(method, path, body, { ...options, token });
    }
    const date = Date.parse(response.headers.get("Date") || "");
    if (date && Math.abs(date + 500 - Date.now() - skewMs) > 1000) skewMs = date + 500 - Date.now();
    return response;
  }

  channel?.addEventListener("message", ({ data }) => {
    if (data.signedOut) lose();
    else keep(data.token, data.expiresMs);
  });

  return {
    adopt,
    token: currentToken,
    /** Milliseconds UTC by the server's clock, as near as its answers told. */
    now: () => Date.now() + skewMs,
    /** Whether this browser is signed in. Throws only when the server cannot be asked. @returns {Promise<boolean>} */
    async start() {
      try {
        await refresh(token);
        return true;
      } catch (fault) {
        if (fault instanceof Problem && fault.status === 401) {
          localStorage.removeItem(SIGNED_IN);
          return false;
        }
        throw fault;
      }
    },
    /**
     * A call as the owner; a Problem is thrown for an answer that says no.
     * @param {string} method @param {string} path @param {unknown} [body] @param {CallOptions} [options]
     */
    api: async (method, path, body, options) => parsed(await send(method, path, body, options)),
    /** @param {string} path @returns {Promise<Blob>} */
    download: async (path) => (await send("GET", path)).blob(),
    async signOut() {
      // No tab renews meanwhile: the others would be told no, and complain, before they hear why.
      await alone(async () => {
        await request("POST", "/v1/logout", undefined, { token });
        localStorage.removeItem(SIGNED_IN);
        channel?.postMessage({ signedOut: true });
      });
      keep("", 0);
      location.assign("/");
    },
    /** @returns {boolean} */
    signedIn: () => token !== "",
  };
}

/** @typedef {ReturnType<typeof createSession>} Session */
