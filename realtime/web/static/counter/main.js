// @ts-check
/** The counter: signs in, connects, and joins the parts of the page to one state. */

import { ticking } from "../live/clock.js";
import { connect } from "../live/socket.js";
import { byId, setAccent } from "../page.js";
import { createSession, onAccount } from "../session.js";
import { createBanner } from "./banner.js";
import { openClose } from "./close.js";
import { createClosing } from "./closing.js";
import { createCodePanel, openHoldUp } from "./code.js";
import { createCommands } from "./commands.js";
import { openDesk, rememberedDesk } from "./desk.js";
import { h } from "./dom.js";
import { openEdit } from "./edit.js";
import { createWelcome } from "./welcome.js";
import { createHeader, watchMenus } from "./header.js";
import { listenToKeys } from "./keys.js";
import { createQueues } from "./queues.js";
import { createAnnouncer } from "./reached.js";
import { openSheet } from "./sheet.js";
import { createStore, firstState } from "./state.js";
import { keepTime } from "./times.js";
import { createToast } from "./toast.js";
import { openWalkIn } from "./walkin.js";

/** @typedef {import("../session.js").Account} Account */

const CODE_SHOWN = "nowserving_code_shown";
const TRY_AGAIN_MS = 3_000;
const ACCOUNT_MS = 60_000;
const SIGN_IN = new Set([4400, 4401, 4403]);
const root = byId("counter", HTMLElement);
const session = createSession();

async function start() {
  try {
    const account = /** @type {Account} */ (await session.api("GET", "/v1/account"));
    if (account.store_id) run(account, account.store_id);
    else location.replace("/open");
  } catch (fault) {
    const problem = /** @type {import("../session.js").Problem} */ (fault);
    if (problem.status === 401) return;
    byId("loading", HTMLElement).textContent = `${problem.message} Trying again by itself.`;
    setTimeout(start, TRY_AGAIN_MS);
  }
}

/** @param {Account} account @param {string} storeId */
function run(account, storeId) {
  const store = createStore(firstState(account, rememberedDesk(), localStorage.getItem(CODE_SHOWN) !== "0"));
  const toast = createToast(document.body);
  const commands = createCommands(session, store, toast, storeId);
  const now = session.now;
  const holdUp = () => openHoldUp(store);
  const beside = matchMedia("(min-width: 1100px)");
  const banner = createBanner({ session, store, commands, toast });
  const closing = createClosing({ session, store, commands, toast, storeId });
  const welcome = createWelcome({ holdUp, addGuest: () => openWalkIn(store.get().queue, store, commands) });
  const announcer = createAnnouncer();
  const panel = createCodePanel({ holdUp, hide: () => showCode(false) });
  const header = createHeader({
    toggleCode: () => (beside.matches ? showCode(!store.get().codeShown) : holdUp()),
    holdUp,
    chooseDesk: () => openDesk(store),
    edit: () => openEdit(store, commands, toast),
    closeStore: () => openClose(store.get(), closeStore),
    signOut: () => void session.signOut().catch(commands.complain),
    now,
  });
  const queues = createQueues({
    commands,
    store,
    now,
    openTicket: (id) => openSheet(id, store, commands, now),
    addGuest: (queue) => openWalkIn(queue, store, commands),
    editQueue: (queue) => openEdit(store, commands, toast, queue),
  });
  const work = h("main", { class: "counter-work" }, welcome.node, queues.node, panel.node);

  /** @param {boolean} shown */
  function showCode(shown) {
    localStorage.setItem(CODE_SHOWN, shown ? "1" : "0");
    store.dispatch({ type: "code_shown", shown });
  }

  async function closeStore() {
    const view = await session.api("DELETE", `/v1/stores/${encodeURIComponent(storeId)}`);
    store.dispatch({ type: "closing", closing: view });
  }

  let accent = "";
  let wasClosed = false;

  /** @param {import("./state.js").Counter} state */
  function draw(state) {
    const shop = state.live.store;
    if (!shop && !state.closing) return;
    if (shop && shop.accent !== accent) setAccent((accent = shop.accent));
    const closed = shop?.state !== "open" || state.closing !== null;
    const fresh = state.live.tickets.size === 0;
    document.title = titleOf(state);
    document.body.classList.toggle("closed", closed);
    header.node.hidden = work.hidden = closed;
    if (closed && !wasClosed) toast.hide();
    wasClosed = closed;
    closing.render(state);
    if (closed) {
      banner.node.hidden = true;
      return;
    }
    banner.render(state);
    announcer.render(state.live);
    const codeShown = state.codeShown && beside.matches;
    // Beside the words of welcome the code always stands; where it is small, the button shows it large.
    header.render({ ...state, codeShown }, !(fresh && beside.matches));
    welcome.node.hidden = !fresh;
    queues.node.hidden = fresh;
    panel.node.hidden = fresh || !codeShown;
    if (fresh) return welcome.render(state);
    queues.render(state);
    panel.render(state);
  }
  store.watch(draw);
  beside.addEventListener("change", () => draw(store.get()));

  root.replaceChildren(header.node, banner.node, work, closing.node, announcer.node);
  watchMenus();
  keepTime(document.body, now);
  listenToKeys({
    callNext: () => void commands.callNext(store.get().queue),
    undo: () => void toast.undo(),
  });
  const live = connect({
    token: session.token,
    topics: [`store/${storeId}/owner`],
    onSnapshot: (_topic, snapshot, seq) => store.dispatch({ type: "snapshot", snapshot, seq }),
    onPush: (push) => {
      store.dispatch({ type: "push", push });
      if (push.store) closing.poll();
    },
    onState: (connection, sinceMs) => {
      store.dispatch({ type: "connection", connection, sinceMs });
      if (connection === "live") void askAccount();
    },
    onPresence: (presence) => store.dispatch({ type: "presence", presence }),
    // Who only asks now and then is not told who looks.
    onSignedIn: () => live?.via === "polling" && store.dispatch({ type: "presence", presence: null }),
    onFinal: (final) => void (SIGN_IN.has(final.code) ? toast.show({ say: final.message, fault: true }) : lookAgain()),
  });
  ticking(ACCOUNT_MS, () => document.hidden || void askAccount());
  onAccount(() => void askAccount());
  addEventListener("focus", () => void askAccount());

  /** The address may be confirmed on another device at any time. */
  async function askAccount() {
    if (store.get().account.confirmed) return;
    try {
      store.dispatch({ type: "account", account: await session.api("GET", "/v1/account") });
    } catch {
      // Only the banner depends on it; the next look asks again.
    }
  }

  /** The socket is over: the store is closed or gone, so show how far its closing is. */
  async function lookAgain() {
    try {
      const view = await session.api("GET", `/v1/stores/${encodeURIComponent(storeId)}/closing`);
      store.dispatch({ type: "closing", closing: view });
    } catch (fault) {
      if (/** @type {import("../session.js").Problem} */ (fault).status === 404) location.replace("/open");
      else setTimeout(lookAgain, TRY_AGAIN_MS);
    }
  }
}

/** The number of those waiting, so that a tab in the background tells it. @param {import("./state.js").Counter} state */
function titleOf({ live }) {
  let waiting = 0;
  for (const ticket of live.tickets.values()) if (ticket.state === "waiting") waiting += 1;
  const name = live.store?.name ?? "Counter";
  return waiting ? `(${waiting}) ${name}` : name;
}

void start();
