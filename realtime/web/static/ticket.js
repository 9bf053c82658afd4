// @ts-check
// The customer's own page: follows the line and the ticket, and says so.

import { finalText, freshText, timeOfDay } from "./line_words.js";
import { ahead, applyPush, emptyState, fromSnapshot, minutes } from "./live/reducer.js";
import { LiveError, connect } from "./live/socket.js";
import { showStatus } from "./live/status.js";
import { byId, pageData, say, setAccent } from "./page.js";
import { faultPhrase, phrase } from "./phrases.js";
import { PushOffer } from "./push.js";
import { Chime, WakeLock, vibrate } from "./ring.js";
import { acknowledge } from "./seen.js";
import { Problem, call } from "./session.js";
import { words } from "./ticket_words.js";

/** @typedef {import("./live/reducer.js").Push} Push */

const MOST_STEPS = 12;
const SPEAK_EVERY_MS = 15_000;

const page = byId("ticket");
const chime = new Chime();
const screen = new WakeLock();
const push = pageData().push ? new PushOffer(pageData().push) : null;
let own = pageData();
let ownSeq = 0;
let line = emptyState();
let shownFace = "";
let spokenAt = 0;
/** The time of day that the line on show is of, while there is no connection. */
let asOf = "";
let firstToken = own.live_token;
const shows = acknowledge(tellSeen);
const showFresh = showStatus(byId("status"), freshText);

/** The way through the line since this page first saw it. @param {number} now */
function startedAt(now) {
  const key = `nowserving:ahead:${own.store.id}:${own.id}`;
  const most = Math.max(now, Number(sessionStorage.getItem(key) ?? 0));
  sessionStorage.setItem(key, String(most));
  return most;
}

/** @param {number} now parties ahead @param {string} face */
function drawProgress(now, face) {
  const bar = byId("progress");
  bar.hidden = face !== "waiting";
  const total = startedAt(now);
  const steps = Math.min(total, MOST_STEPS - 1);
  const gone = total === 0 ? 0 : Math.round((steps * (total - now)) / total);
  while (bar.childElementCount < steps + 1) bar.append(document.createElement("i"));
  while (bar.childElementCount > steps + 1) bar.lastElementChild?.remove();
  [...bar.children].forEach((step, at) => (step.className = at === steps ? "own" : at < gone ? "gone" : ""));
}

function draw() {
  const known = line.tickets.get(own.id)?.state === "waiting";
  const before = known ? ahead(line, own.id) : own.ahead;
  const pace = line.queues.get(own.queue.id)?.pace_ms ?? own.queue.pace_ms;
  const said = words(own, before, known ? minutes(pace, before) : own.minutes, asOf);
  page.dataset.state = said.face;
  page.toggleAttribute("data-next", said.face === "waiting" && before === 0);
  say(byId("label"), own.label);
  byId("label").toggleAttribute("data-long", own.label.length > 4);
  say(byId("queue"), own.queue.name);
  say(byId("sentence"), said.sentence);
  say(byId("detail"), said.detail);
  say(byId("text"), said.text);
  drawLogo(own.queue.logo);
  byId("text-card").hidden = !said.text && !(own.queue.logo && said.face === "waiting");
  byId("reassure").hidden = said.face !== "waiting";
  byId("actions").hidden = !said.may_leave;
  byId("ring").hidden = said.face !== "waiting";
  push?.want(said.face === "waiting");
  document.title = said.title;
  drawProgress(before, said.face);
  // Nothing changes any more once the store is closed, so nothing is said of how fresh it is.
  if (own.store.state !== "open") byId("status").hidden = true;
  if (said.face !== shownFace) changed(said.face);
  shows(said.face === "called" ? own.called_ms : 0);
  speak(`${own.label}. ${said.sentence} ${said.detail}`);
}

/** @param {string} path */
function drawLogo(path) {
  let logo = /** @type {HTMLImageElement | null} */ (document.getElementById("logo"));
  if (!path) return logo?.remove();
  if (!logo) {
    logo = Object.assign(document.createElement("img"), { id: "logo", className: "logo", alt: "" });
    byId("text-card").prepend(logo);
  }
  if (logo.getAttribute("src") !== path) logo.src = path;
}

/** @param {string} face */
function changed(face) {
  const first = shownFace === "";
  shownFace = face;
  spokenAt = 0;
  askToLeave(false);
  screen.want(face === "called");
  const icon = /** @type {HTMLLinkElement} */ (document.querySelector('link[rel="icon"]'));
  icon.href = face === "called" ? "/static/favicon-called.svg" : "/static/favicon.svg";
  if (face === "called" && !first) callOut();
}

/** It is this party's turn, now. */
function callOut() {
  page.removeAttribute("data-arrived");
  void page.offsetWidth; // restarts the animation when called again
  page.setAttribute("data-arrived", "");
  scrollTo(0, 0);
  vibrate();
  chime.ring(3);
}

/** The socket first; where there is none, or no answer, a request. @param {number} calledMs */
async function tellSeen(calledMs) {
  const seen = { called_ms: calledMs };
  try {
    await live.send({ seen });
  } catch (fault) {
    if (!(fault instanceof LiveError && fault.retry)) throw fault;
    await call("POST", "/v1/ticket/seen", seen);
  }
}

/** Reads the news out, at once when the state changed and seldom while the line only moves. @param {string} text */
function speak(text) {
  if (Date.now() - spokenAt < SPEAK_EVERY_MS) return;
  spokenAt = Date.now();
  say(byId("spoken"), text);
}

/** @param {Record<string, any>} news @param {number} seq */
function learn(news, seq) {
  if (seq < ownSeq) return;
  const again = own.state === "called" && news.state === "called" && news.called_ms > own.called_ms;
  ownSeq = seq;
  own = { ...own, ...news, others: own.others };
  if (again) callOut();
}

/** @param {Push} push */
function onPush(push) {
  if (push.own) {
    learn(push.own, push.seq);
  } else {
    line = applyPush(line, push);
    if (push.ticket?.id === own.id) learnFromLine(push.seq);
    if (push.store) setStore();
    if (push.queue?.id === own.queue.id) own = { ...own, queue: { ...own.queue, ...push.queue } };
  }
  draw();
}

/** @param {number} seq */
function learnFromLine(seq) {
  const ticket = line.tickets.get(own.id);
  if (ticket) learn({ state: ticket.state, desk: ticket.desk, called_ms: ticket.called_ms }, seq);
}

function setStore() {
  own = { ...own, store: { ...own.store, ...line.store } };
  setAccent(own.store.accent);
  for (const name of document.querySelectorAll(".store-name")) say(/** @type {HTMLElement} */ (name), own.store.name);
}

/** @param {string} topic @param {any} snapshot @param {number} seq */
function onSnapshot(topic, snapshot, seq) {
  if (topic.startsWith("ticket/")) {
    learn(snapshot.own ?? snapshot, seq);
  } else {
    line = fromSnapshot(snapshot, seq);
    learnFromLine(seq);
    setStore();
    own = { ...own, queue: { ...own.queue, ...line.queues.get(own.queue.id) } };
  }
  draw();
}

/** The token that came with the page opens the first socket; later ones are asked for. @param {boolean} renew */
async function token(renew) {
  const first = firstToken;
  firstToken = "";
  if (first && !renew) return first;
  const fresh = await call("GET", "/v1/ticket");
  own = { ...own, ...fresh };
  drawOthers();
  draw();
  return fresh.live_token;
}

/** @param {import("./live/freshness.js").LiveState} state @param {number} sinceMs */
function onState(state, sinceMs) {
  showFresh(state, sinceMs);
  const old = state === "stale" ? timeOfDay(sinceMs) : "";
  if (old === asOf) return;
  asOf = old;
  draw();
}

/** @param {import("./live/socket.js").Final} final */
function onFinal(final) {
  const status = byId("status");
  status.hidden = true;
  if (own.state === "waiting" || own.state === "called") {
    page.dataset.state = "closed";
    const sentence = finalText(final);
    say(byId("sentence"), sentence);
    say(byId("detail"), "");
    for (const id of ["actions", "progress", "reassure", "text-card"]) byId(id).hidden = true;
    say(byId("spoken"), sentence);
    screen.want(false);
  }
}

/** @param {boolean} sure */
function askToLeave(sure) {
  const asked = !byId("leave-sure").hidden;
  byId("leave-sure").hidden = !sure;
  byId("leave").hidden = sure;
  if (sure) byId("leave-no").focus();
  else if (asked && !byId("actions").hidden) byId("leave").focus();
}

async function leave() {
  const button = byId("leave-yes");
  button.setAttribute("aria-busy", "true");
  say(byId("fault"), "");
  try {
    await call("DELETE", "/v1/ticket");
    learn({ state: "left" }, ownSeq);
    draw();
  } catch (fault) {
    say(byId("fault"), fault instanceof Problem ? faultPhrase(fault) : phrase("page.failed"));
  } finally {
    button.removeAttribute("aria-busy");
  }
}

async function toggleRing() {
  const on = byId("ring").getAttribute("aria-pressed") !== "true";
  if (on) {
    await chime.allow();
    chime.ring();
  } else {
    chime.audio = null;
  }
  byId("ring").setAttribute("aria-pressed", String(on));
  say(byId("ring-text"), phrase(on ? "ticket.rings" : "ticket.ring"));
}

/** This phone's tickets in this store, each with a button. The server knows them; a push about this one does not name them. */
function drawOthers() {
  const list = byId("others");
  list.hidden = own.others.length === 0;
  const labels = [own.label, ...own.others].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const buttons = labels.map((label) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: label });
    if (label === own.label) button.setAttribute("aria-current", "page");
    else button.onclick = () => void showParty(label);
    return button;
  });
  list.replaceChildren(...buttons);
  const at = buttons[labels.indexOf(own.label)];
  list.scrollLeft = at.offsetLeft - (list.clientWidth - at.offsetWidth) / 2;
}

/** @param {string} label */
async function showParty(label) {
  say(byId("others-fault"), "");
  try {
    await call("POST", "/v1/ticket/trade", { label });
    location.reload();
  } catch (fault) {
    say(byId("others-fault"), fault instanceof Problem ? faultPhrase(fault) : phrase("page.failed"));
  }
}

byId("status").hidden = false;
byId("leave").onclick = () => askToLeave(true);
byId("leave-no").onclick = () => askToLeave(false);
byId("leave-yes").onclick = () => void leave();
byId("ring").onclick = () => void toggleRing();
drawOthers();
draw();
const live = connect({ token, topics: own.topics, onPush, onSnapshot, onState, onFinal });
