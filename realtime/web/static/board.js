// @ts-check
// The screen in the room: connects with the token in its address, shows what is called now, and waits for the next store when one closes.

import { BoardView } from "./board_view.js";
import { finalText, freshText, timeOfDay } from "./line_words.js";
import { ticking } from "./live/clock.js";
import { applyPush, emptyState, fromSnapshot } from "./live/reducer.js";
import { connect } from "./live/socket.js";
import { showStatus } from "./live/status.js";
import { byId, say, setAccent } from "./page.js";
import { phrase } from "./phrases.js";
import { Chime, WakeLock } from "./ring.js";

const THEME = "nowserving:board-theme";
const RESTING_MS = 4_000;
const LOOK_AGAIN_MS = 60_000;
const SIGN_IN_AGAIN = 4401;

const board = byId("board");
const view = new BoardView();
const chime = new Chime();
let state = emptyState();
let storeId = "";
/** When to look for the next store. */
let lookAt = Infinity;

function draw() {
  view.draw(state);
  board.removeAttribute("aria-busy");
  tellTime();
}

function tellTime() {
  say(byId("clock"), timeOfDay(Date.now(), state.store?.timezone));
}

/** @param {import("./live/reducer.js").Push} push */
function onPush(push) {
  const before = state;
  state = applyPush(state, push);
  if (state === before) return;
  if (push.store) setAccent(state.store?.accent ?? "");
  draw();
  if (push.ticket && (push.change === "called" || push.change === "recalled")) {
    view.flash(push.ticket);
    chime.ring();
  }
}

/** @param {string} _topic @param {import("./live/reducer.js").Snapshot} snapshot @param {number} seq */
function onSnapshot(_topic, snapshot, seq) {
  state = fromSnapshot(snapshot, seq);
  setAccent(state.store?.accent ?? "");
  showOver(false);
  draw();
}

/** The link is the owner's, so it may lead to another store than before. @param {{store_id: string}} ok */
function onSignedIn(ok) {
  if (ok.store_id !== storeId) forget();
  storeId = ok.store_id;
}

/** Nothing of a store that is gone stays. */
function forget() {
  state = emptyState();
  view.forget();
}

/** @param {boolean} over @param {string} [sentence] @param {boolean} [waits] for the next store */
function showOver(over, sentence = "", waits = false) {
  byId("main").hidden = byId("status").hidden = over;
  byId("over").hidden = byId("over-more").hidden = !over;
  if (!over) return;
  say(byId("over-sentence"), sentence);
  byId("over-more").hidden = !waits;
  board.removeAttribute("aria-busy");
}

/** @param {import("./live/socket.js").Final} final */
function onFinal(final) {
  const refused = final.code === SIGN_IN_AGAIN;
  forget();
  showOver(true, refused ? phrase("board.dead_link") : finalText(final), !refused);
  if (!refused) lookAt = Date.now() + LOOK_AGAIN_MS * (0.75 + Math.random() / 2);
}

/** The token behind the #; empty where there is none. */
function token() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

/** Connects anew. Boards are few and a code may come and go while they are away, so they never resume. */
function look() {
  lookAt = Infinity;
  connect({ token, resume: false, onSignedIn, onPush, onSnapshot, onFinal, onState: (live, sinceMs) => {
    board.dataset.live = live;
    showStatus(byId("status"), freshText)(live, sinceMs);
  } });
}

function tick() {
  tellTime();
  if (Date.now() >= lookAt) look();
}

async function toggleSound() {
  const on = byId("sound").getAttribute("aria-pressed") !== "true";
  if (on) {
    await chime.allow();
    chime.ring();
  } else {
    chime.audio = null;
  }
  byId("sound").setAttribute("aria-pressed", String(on));
}

/** @param {string | null} theme */
function setTheme(theme) {
  if (theme !== "dark" && theme !== "light") return;
  document.documentElement.dataset.theme = theme;
  localStorage.setItem(THEME, theme);
}

function toggleTheme() {
  const now = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  setTheme(now === "dark" ? "light" : "dark");
}

async function toggleFull() {
  await (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
}

/** The buttons and the pointer rest while nobody touches the screen. */
function wakeControls() {
  let timer = 0;
  const wake = () => {
    board.removeAttribute("data-resting");
    clearTimeout(timer);
    timer = window.setTimeout(() => board.setAttribute("data-resting", ""), RESTING_MS);
  };
  for (const type of ["pointermove", "pointerdown", "keydown", "focusin"]) addEventListener(type, wake);
  wake();
}

byId("sound").onclick = () => void toggleSound();
byId("theme").onclick = toggleTheme;
byId("full").hidden = !document.fullscreenEnabled;
byId("full").onclick = () => void toggleFull();
setTheme(localStorage.getItem(THEME));
wakeControls();
new WakeLock().want(true);
ticking(1000, tick);
tellTime();
addEventListener("hashchange", () => location.reload());
if (token()) look();
else showOver(true, phrase("board.no_link"));
