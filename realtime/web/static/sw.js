// @ts-check
/// <reference lib="webworker" />
// The service worker: shows what is pushed, brings the ticket's page up when that is tapped, and keeps the subscription alive.
// It answers no page's requests, so pages are always the server's own.

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const STATE = "/v1/ticket/push";
const ALARM = [300, 150, 300, 150, 600];

/** @typedef {{id: string, tag: string, moment: string, label: string, title: string, body: string, url: string, lang: string}} Message */

/** @param {PushMessageData | null} data @returns {Message} */
function read(data) {
  const plain = { id: "", tag: "nowserving", moment: "", label: "", title: "Your place in line has changed", body: "", url: "/ticket", lang: "" };
  try {
    return { ...plain, ...data?.json() };
  } catch {
    return plain;
  }
}

/** Every push is shown, also while the page is open: browsers take the permission away from those that stay silent. @param {Message} message */
async function show(message) {
  const shown = await worker.registration.getNotifications({ tag: message.tag });
  const called = message.moment === "called";
  const again = shown.some((each) => each.data?.id === message.id);
  /** @type {NotificationOptions & {renotify: boolean, vibrate?: number[]}} */
  const options = {
    body: message.body,
    tag: message.tag,
    // What was delivered twice is shown once; what is new rings again, though it takes the place of the last one.
    renotify: !again,
    silent: again,
    icon: "/static/icon-180.png",
    requireInteraction: called,
    data: message,
    lang: message.lang,
  };
  if (called && !again) options.vibrate = ALARM;
  await worker.registration.showNotification(message.title, options);
}

/** @param {Message} message */
async function open(message) {
  const asked = new URL(message.url, worker.location.origin);
  const target = asked.origin === worker.location.origin ? asked.pathname : "/ticket";
  // A phone may hold several tickets: from now on it shows this one. Without an answer it shows what it showed.
  if (message.label) await send("POST", "/v1/ticket/trade", { label: message.label }).catch(() => null);
  const pages = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find((each) => new URL(each.url).pathname === target);
  if (!page) return void (await worker.clients.openWindow(target));
  page.postMessage({ tapped: message.label });
  await page.focus();
}

/**
 * The browser gave its subscription up, or made another one. The server forgets the old one when its push service says that it is gone.
 * @param {{newSubscription?: PushSubscription | null}} event
 */
async function renew(event) {
  const answer = await send("GET", STATE);
  const state = answer.ok ? await answer.json() : null;
  if (!state?.key || !state.subscriptions.length) return;
  const made = event.newSubscription ?? (await worker.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: state.key }));
  await send("PUT", STATE, made.toJSON());
}

/** @param {string} method @param {string} path @param {unknown} [body] */
function send(method, path, body) {
  const headers = body === undefined ? undefined : { "Content-Type": "application/json" };
  return fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin" });
}

worker.addEventListener("install", () => void worker.skipWaiting());
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("push", (event) => event.waitUntil(show(read(event.data))));
worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data));
});
worker.addEventListener("pushsubscriptionchange", (/** @type {any} */ event) => event.waitUntil(renew(event)));
