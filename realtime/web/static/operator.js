// @ts-check
/** The operator's page: every queue in figures, the jobs behind a figure, and what may be done about them. Looks again every few seconds. */

import { fill, h } from "./counter/dom.js";
import { fault, faultLine, field, onSend } from "./counter/forms.js";
import { checkUp } from "./operator_checkup.js";
import { whenForm } from "./operator_when.js";
import { byId, say } from "./page.js";

/** @typedef {{queue: string, ready: number, deferred: number, behind: number, held: number, in_flight: number, dead: number, oldest_ready_seconds: number, blocked_lanes: number, paused_ms: number}} Queue */
/** @typedef {{owner: string, id: string, queue: string, lane: string, state: string, ended: string, attempts: number, due_ms: number, outcome: string, created_ms: number, ended_ms: number, notifier: string, recipient: string, moment: string, report: boolean}} Job */
/** @typedef {{number: number, worker: string, started_ms: number, ended_ms: number, outcome: string, detail: string, counted: boolean}} Attempt */
/** @typedef {{at_ms: number, queues: Queue[], plugins: {name: string, version: string, status: string, failures: number}[]}} Overview */

const KEPT = "nowserving operator";
const LOOK_MS = 3000;
const CHECK_MS = 15000;
const FIGURES = /** @type {const} */ ({ ready: "ready", in_flight: "in flight", deferred: "later", behind: "behind", held: "held", dead: "dead" });
const WAITING = new Set(["ready", "deferred", "behind"]);
const KNOWN = { deliveries: "Notifications", webhooks: "Webhooks", service: "Job service" };
const clock = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

let token = sessionStorage.getItem(KEPT) ?? "";
/** @type {{queue: string, state: string} | null} */
let chosen = null;
let timer = 0;
let checkedMs = 0;

const needs = h("section", { class: "stack", "aria-label": "Check-up" });
const cards = h("div", { class: "queue-cards" });
const jobs = h("section", { class: "card stack", hidden: true });
const plugins = h("ul", { class: "plugin-list" });

/** @param {string} method @param {string} path @param {unknown} [body] */
async function api(method, path, body) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const answer = await fetch(path, { method, ...sent, headers: { ...sent.headers, Authorization: `Bearer ${token}` } });
  const said = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(said.detail), { status: answer.status, field: said.field });
  return said;
}

/** @param {unknown} problem */
function trouble(problem) {
  const line = byId("trouble");
  line.hidden = !problem;
  say(line, problem instanceof TypeError ? "The server cannot be reached. Looking again soon." : problem instanceof Error ? problem.message : "");
  const status = byId("status");
  status.dataset.live = problem ? "stale" : "live";
  say(status, problem ? "Not up to date" : "Live");
}

// ---- the door

function door() {
  clearTimeout(timer);
  sessionStorage.removeItem(KEPT);
  const input = h("input", { name: "token", type: "password", autocomplete: "off", maxLength: 200 });
  const form = h("form", { class: "card stack operator-door" },
    h("p", { class: "muted" }, "For whoever runs this installation."),
    field("Operator's token", input, { hint: "What the setting operator_token says." }), faultLine(), h("button", { type: "submit", class: "button primary" }, "Enter"));
  onSend(form, async () => {
    token = input.value.trim();
    if (!token) throw fault("token", "Type the operator's token.");
    await api("GET", "/v1/operator").catch((problem) => {
      throw problem.status === 401 ? fault("token", problem.message) : problem;
    });
    sessionStorage.setItem(KEPT, token);
    enter();
  });
  byId("status").hidden = byId("leave").hidden = true;
  byId("trouble").hidden = true;
  fill(byId("parts"), form);
  input.focus();
}

function enter() {
  byId("status").hidden = byId("leave").hidden = false;
  checkedMs = 0;
  fill(byId("parts"), needs,
    h("section", { class: "stack" }, h("h2", {}, "Queues"), cards), jobs,
    h("section", { class: "stack" }, h("h2", {}, "Plugins"), plugins));
  void look();
}

// ---- looking

async function look() {
  clearTimeout(timer);
  try {
    if (!document.hidden) {
      show(await api("GET", "/v1/operator"));
      if (Date.now() - checkedMs > CHECK_MS) {
        checkUp(needs, await api("GET", "/v1/operator/doctor"), { choose, resume: (queue) => act("POST", "/v1/operator/resume", { queue }) });
        checkedMs = Date.now();
      }
    }
    trouble(null);
  } catch (problem) {
    if (/** @type {{status?: number}} */ (problem).status === 401) return door();
    trouble(problem);
  }
  timer = window.setTimeout(look, LOOK_MS);
}

/** @param {Overview} overview */
function show(overview) {
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.key : undefined;
  fill(cards, ...overview.queues.map(card));
  if (!overview.queues.length) fill(cards, h("p", { class: "muted" }, "Nothing waits, nothing is dead."));
  if (focused) /** @type {HTMLElement | null} */ (cards.querySelector(`[data-key="${CSS.escape(focused)}"]`))?.focus();
  fill(plugins, ...overview.plugins.map((plugin) => h("li", {}, h("span", {}, h("b", {}, plugin.name), " ", h("span", { class: "small muted" }, plugin.version)), h("span", { class: plugin.status === "active" ? "small muted" : "small" }, plugin.status))));
}

/** @param {Queue} queue */
function card(queue) {
  const paused = queue.paused_ms > 0;
  const toggle = h("button", { type: "button", class: "button small-button", "data-key": `pause ${queue.queue}`, onclick: () => void act("POST", `/v1/operator/${paused ? "resume" : "pause"}`, { queue: queue.queue }) }, paused ? "Resume" : "Pause");
  const age = queue.ready ? `Oldest ready for ${long(queue.oldest_ready_seconds)}` : "Nothing is waiting to be taken";
  const lanes = `${queue.blocked_lanes} ${queue.blocked_lanes === 1 ? "lane waits" : "lanes wait"} for a decision`;
  const foot = queue.blocked_lanes ? h("button", { type: "button", class: "button plain small-button", "data-key": `blocking ${queue.queue}`, onclick: () => void choose(queue.queue, "blocking") }, lanes) : h("span", { class: "small muted" }, paused ? `Paused since ${clock.format(queue.paused_ms)}` : age);
  return h("section", { class: "card queue-card", "data-paused": paused ? "" : null },
    h("div", {}, h("h3", { class: "queue-name", title: queue.queue }, name(queue.queue)), whose(queue.queue)),
    h("div", { class: "figures" }, ...Object.entries(FIGURES).map(([state, word]) => figure(queue, /** @type {keyof typeof FIGURES} */ (state), word))),
    h("div", { class: "queue-line" }, foot, toggle));
}

/** @param {Queue} queue @param {keyof typeof FIGURES} state @param {string} word */
function figure(queue, state, word) {
  const count = queue[state];
  const mine = chosen?.queue === queue.queue && chosen.state === state;
  return h("button", { type: "button", class: "figure", "aria-pressed": String(mine), "data-key": `${queue.queue} ${state}`, "data-none": count ? null : "", "data-alarm": state === "dead" && count ? "" : null, onclick: () => void choose(queue.queue, state) },
    h("b", {}, String(count)), h("span", {}, word));
}

/** @param {string} queue */
function name(queue) {
  if (queue.startsWith("messages/")) return `Messages: ${queue.split("/").slice(2).join("/")}`;
  return KNOWN[/** @type {keyof typeof KNOWN} */ (queue)] ?? queue;
}

/** Whose message queue it is, as `nowserving jobs` says it; null for every other queue. @param {string} queue */
function account(queue) {
  return queue.startsWith("messages/") ? queue.split("/")[1] : null;
}

/** @param {string} queue */
function whose(queue) {
  const id = account(queue);
  return id === null ? null : h("p", { class: "small muted queue-account" }, `Account ${id}`);
}

/** What a button asks about before it does it to all of a queue. @param {string} queue */
function named(queue) {
  const id = account(queue);
  return id === null ? name(queue) : `${name(queue)}, account ${id},`;
}

/** @param {number} seconds */
function long(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

// ---- the jobs behind a figure

/** @param {string} queue @param {string} state */
async function choose(queue, state) {
  chosen = { queue, state };
  await list();
  await look();
  jobs.scrollIntoView({ block: "nearest" });
}

async function list() {
  if (!chosen) return;
  const { queue, state } = chosen;
  try {
    const { jobs: found, more } = await api("GET", `/v1/operator/jobs?${new URLSearchParams({ queue, state })}`);
    const all = state !== "dead" || !found.length ? null : h("div", { class: "row" }, many(queue, "redrive", "Put all back", "Put", "back"), many(queue, "purge", "Delete all", "Delete", "", "danger"));
    fill(jobs,
      h("div", { class: "spread" }, h("h2", {}, `${name(queue)}, ${state === "blocking" ? "dead letters for which lanes wait" : FIGURES[/** @type {keyof typeof FIGURES} */ (state)]}`), h("button", { type: "button", class: "button small-button", onclick: close }, "Close")),
      whose(queue),
      all,
      found.length ? h("ul", { class: "job-list" }, ...found.map(row)) : h("p", { class: "muted" }, "There is none."),
      more ? h("p", { class: "small muted" }, "These are the first 50.") : null);
    jobs.hidden = false;
  } catch (problem) {
    trouble(problem);
  }
}

/** Something done to all dead letters of a queue: a first press asks how many that is. @param {string} queue @param {"redrive" | "purge"} action @param {string} text @param {string} verb @param {string} after @param {string} [tone] */
function many(queue, action, text, verb, after, tone) {
  const path = `/v1/operator/${action}`;
  let count = 0;
  async function words() {
    count = (await api("POST", path, { queue, limit: 1000, dry_run: true })).count;
    return count ? [verb, count, "of", named(queue), after, "now"].filter(Boolean).join(" ") : "";
  }
  return sure(text, words, () => act("POST", path, { queue, limit: count }), tone);
}

function close() {
  chosen = null;
  jobs.hidden = true;
  void look();
}

/** @param {Job} job */
function row(job) {
  const attempts = h("div", { class: "job-more", hidden: true });
  const asking = h("div", { class: "job-more", hidden: true });
  const about = [job.moment, job.recipient, job.notifier && `by ${job.notifier}`, job.lane && !job.recipient && `lane ${job.lane}`].filter(Boolean).join(", ");
  const when = job.ended_ms ? `ended ${clock.format(job.ended_ms)}` : job.due_ms > Date.now() ? `due ${clock.format(job.due_ms)}` : `since ${clock.format(job.created_ms)}`;
  const path = `/v1/operator/jobs/${encodeURIComponent(job.owner)}/${encodeURIComponent(job.id)}`;
  const open = job.state !== "in_flight" && job.state !== "held";
  async function tries() {
    attempts.hidden = !attempts.hidden;
    if (attempts.hidden) return;
    try {
      const { attempts: all } = await api("GET", path);
      fill(attempts, all.length ? h("ol", { class: "attempts" }, ...all.map(attempt)) : h("p", { class: "attempts" }, "Nobody has tried it yet."));
    } catch (problem) {
      trouble(problem);
    }
  }
  function reschedule() {
    asking.hidden = !asking.hidden;
    if (asking.hidden) return;
    const form = whenForm(job.due_ms, async (due_ms) => {
      await api("POST", `${path}/reschedule`, { due_ms });
      await again();
    });
    fill(asking, form);
    form.querySelector("input")?.focus();
  }
  return h("li", {},
    h("div", { class: "job-about" }, h("span", { class: "job-id" }, job.id), about ? h("span", {}, about) : null,
      h("span", { class: "small muted" }, [job.attempts === 1 ? "1 attempt" : `${job.attempts} attempts`, when, job.outcome].filter(Boolean).join(" · "))),
    h("div", { class: "row" },
      h("button", { type: "button", class: "button small-button", onclick: () => void tries() }, "Attempts"),
      WAITING.has(job.state) ? h("button", { type: "button", class: "button small-button", onclick: reschedule }, "Set time") : null,
      open ? h("button", { type: "button", class: "button small-button", onclick: () => void act("POST", `${path}/retry`) }, job.state === "dead" ? "Put back" : "Try now") : null,
      open && !job.report ? sure(job.state === "dead" ? "Delete" : "Cancel", () => (job.state === "dead" ? "Delete it now" : "Cancel it now"), () => act("POST", `${path}/cancel`), "danger") : null),
    asking, attempts);
}

/** @param {Attempt} each */
function attempt(each) {
  const said = `${each.number}. ${clock.format(each.started_ms)}: ${each.outcome || "under way"}${each.detail ? `, ${each.detail}` : ""}`;
  return h("li", {}, said, each.counted ? null : h("span", { class: "muted" }, " (does not count)"));
}

/** A button that is pressed twice. What it says before the second time may have to be asked for; nothing: there is nothing to do. @param {string} text @param {() => string | Promise<string>} again @param {() => Promise<void>} run @param {string} [tone] */
function sure(text, again, run, tone = "") {
  let ready = false;
  async function press() {
    if (ready) return run();
    try {
      const said = await again();
      ready = said !== "";
      button.textContent = said || "There is none";
      window.setTimeout(() => { ready = false; button.textContent = text; }, 4000);
    } catch (problem) {
      trouble(problem);
    }
  }
  const button = h("button", { type: "button", class: `button small-button ${tone}`, onclick: () => void press() }, text);
  return button;
}

/** @param {string} method @param {string} path @param {unknown} [body] */
async function act(method, path, body) {
  try {
    await api(method, path, body);
    trouble(null);
  } catch (problem) {
    trouble(problem);
    return;
  }
  await again();
}

/** Something was changed: look at everything. */
async function again() {
  checkedMs = 0;
  await list();
  await look();
}

byId("leave").addEventListener("click", door);
document.addEventListener("visibilitychange", () => { if (!document.hidden && token && timer) void look(); });
if (token) enter();
else door();
