// @ts-check
// Offers to notify this phone while the ticket's page is closed. Nothing is asked, loaded or registered before somebody taps.

import { byId, say } from "./page.js";
import { faultPhrase, phrase } from "./phrases.js";
import { Problem, call } from "./session.js";

const STATE = "/v1/ticket/push";
const WORKER = "/sw.js";

/** @typedef {{key: string, subscriptions: string[]}} PushState `subscriptions`: ids of the browsers that are notified of this phone's tickets */

/** The name by which the server knows a subscription, which says nothing of its secret address. @param {string} endpoint */
async function idOf(endpoint) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(endpoint)));
  return btoa(String.fromCharCode(...digest)).replaceAll("+", "-").replaceAll("/", "_").slice(0, 22);
}

/** @returns {boolean} whether this browser can be notified, and has not been told never to */
function possible() {
  return isSecureContext && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window && Notification.permission !== "denied";
}

/** On an iPhone only a page on the Home Screen may notify (iOS 16.4 and later). */
function isPhoneOfApple() {
  const standalone = /** @type {{standalone?: boolean}} */ (navigator).standalone;
  return standalone === false && !("PushManager" in window);
}

/** @param {PushSubscription} subscription @param {string} key */
function isFor(subscription, key) {
  const own = subscription.options?.applicationServerKey;
  if (!own) return true;
  return btoa(String.fromCharCode(...new Uint8Array(own))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "") === key;
}

export class PushOffer {
  /** @param {PushState} state as the page came with it */
  constructor(state) {
    this.state = state;
    this.on = false;
    this.may = false;
    this.wanted = false;
    byId("push-ask").onclick = () => void this.attempt("push-ask", () => this.ask());
    byId("push-stop").onclick = () => void this.attempt("push-stop", () => this.stop());
    navigator.serviceWorker?.addEventListener("message", ({ data }) => data?.tapped && this.tapped(data.tapped));
    void this.look();
  }

  /** Called with the label of the ticket whose notification was tapped. @param {string} label */
  tapped(label) {
    if (label !== byId("label").textContent) location.reload();
  }

  /** What this browser has been told before. */
  async look() {
    this.may = this.state.key !== "" && possible();
    byId("push-apple").hidden = !(this.state.key && isPhoneOfApple());
    if (this.may && Notification.permission === "granted") {
      const held = await (await navigator.serviceWorker.getRegistration("/"))?.pushManager.getSubscription();
      this.on = !!held && isFor(held, this.state.key) && this.state.subscriptions.includes(await idOf(held.endpoint));
    }
    this.draw();
  }

  /** The offer stands while the party waits or is called. @param {boolean} wanted */
  want(wanted) {
    this.wanted = wanted;
    this.draw();
  }

  draw() {
    // What went wrong can be read also where nothing more is offered.
    byId("push").hidden = !this.wanted || !(this.may || !byId("push-apple").hidden || byId("push-fault").textContent);
    byId("push-ask").hidden = !this.may || this.on;
    byId("push-on").hidden = !this.may || !this.on;
  }

  /** @param {string} button @param {() => Promise<void>} act */
  async attempt(button, act) {
    const pressed = byId(button);
    if (pressed.getAttribute("aria-busy") === "true") return;
    pressed.setAttribute("aria-busy", "true");
    say(byId("push-fault"), "");
    try {
      await act();
    } catch (fault) {
      say(byId("push-fault"), fault instanceof Problem ? faultPhrase(fault) : phrase("push.failed"));
    } finally {
      pressed.removeAttribute("aria-busy");
    }
  }

  async ask() {
    if ((await Notification.requestPermission()) !== "granted") {
      this.may = possible();
      say(byId("push-fault"), phrase("push.refused"));
      return this.draw();
    }
    const registration = await navigator.serviceWorker.register(WORKER, { scope: "/", updateViaCache: "none" });
    await navigator.serviceWorker.ready;
    let held = await registration.pushManager.getSubscription();
    if (held && !isFor(held, this.state.key)) {
      await held.unsubscribe();
      held = null;
    }
    held ??= await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: this.state.key });
    this.state = await call("PUT", STATE, held.toJSON());
    this.turn(true);
  }

  async stop() {
    const held = await (await navigator.serviceWorker.getRegistration("/"))?.pushManager.getSubscription();
    const id = held ? await idOf(held.endpoint) : "";
    await call("DELETE", `${STATE}${id ? `?id=${id}` : ""}`);
    this.state = { ...this.state, subscriptions: this.state.subscriptions.filter((each) => id && each !== id) };
    this.turn(false);
  }

  /** @param {boolean} on */
  turn(on) {
    this.on = on;
    this.draw();
    byId(on ? "push-stop" : "push-ask").focus();
    say(byId("spoken"), phrase(on ? "push.started" : "push.stopped"));
  }
}
