// @ts-check
/** The operator's page: every queue in figures, the jobs behind a figure, and what may be done about them. Looks again every few seconds. */

import { fill, h } from "./counter/dom.js";
import { fault, faultLine, field, onSend } from "./counter/forms.js";
import { byId, say } from "./page.js";

/** @typedef {{queue: string, ready: number, deferred: number, behind: number, held: number, in_flight: number, dead: number, oldest_ready_seconds: number, blocked_lanes: number, paused_ms: number}} Queue */
/** @typedef {{owner: string, id: string, queue: string, lane: string, state: string, ended: string, attempts: number, due_ms: number, outcome: string, created_ms: number, ended_ms: number, notifier: string, recipient: string, moment: string, report: boolean}} Job */
/** @typedef {{number: number, worker: string, started_ms: number, ended_ms: number, outcome: string, detail: string}} Attempt */
/** @typedef {{notifier: string, state: "closed" | "open" | "half_open", in_flight: number, failures: number, reason: string, since_ms: number, until_ms: number}} Provider */
/** @typedef {{at_ms: number, queues: Queue[], plugins: {name: string, version: string, status: string, failures: number}[], providers: Provider[], alarms: {name: string, text: string, since_ms: number}[]}} Overview */

const KEPT = "nowserving operator";
const LOOK_MS = 3000;
const FIGURES = /** @type {const} */ ({ ready: "ready", in_flight: "in flight", deferred: "later", behind: "behind", held: "held", dead: "dead" });
const KNOWN = { deliveries: "Notifications", webhooks: "Webhooks", service: "Job service" };
const clock = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const time = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

let token = sessionStorage.getItem(KEPT) ?? "";
/** @type {{queue: string, state: string} | null} */
let chosen = null;
let timer = 0;

const alarms = h("div", { class: "stack", role: "status" });
const cards = h("div", { class: "queue-cards" });
const jobs = h("section", { class: "card stack", hidden: true });
const plugins = h("ul", { class: "plugin-list" });

/** @param {string} method @param {string} path @param {unknown} [body] */
async function api(method, path, body) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const answer = await fetch(path, { method, ...sent, headers: { ...sent.headers, Authorization: `Bearer ${token}` } });
  const said = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(said.detail), { status: answer.status });
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
  fill(byId("parts"), alarms,
    h("section", { class: "stack" }, h("h2", {}, "Queues"), cards), jobs,
    h("section", { class: "stack" }, h("h2", {}, "Plugins"), plugins));
  void look();
}

// ---- looking

async function look() {
  clearTimeout(timer);
  try {
    if (!document.hidden) show(await api("GET", "/v1/operator"));
    trouble(null);
  } catch (problem) {
    if (/** @type {{status?: number}} */ (problem).status === 401) return door();
    trouble(problem);
  }
  timer = window.setTimeout(look, LOOK_MS);
}

/** @param {Overview} overview */
function show(overview) {
  fill(alarms,
    ...overview.alarms.map((alarm) => h("p", { class: "notice", "data-tone": "error" }, `${alarm.text} Since ${clock.format(alarm.since_ms)}.`)),
    ...overview.providers.filter((provider) => provider.state !== "closed").map((provider) => h("p", { class: "notice", "data-tone": "warn" },
      h("b", {}, provider.notifier), ` has been down since ${clock.format(provider.since_ms)}. ${provider.reason} What it owes waits; `,
      provider.until_ms ? `it is tried again at ${time.format(provider.until_ms)}.` : "it is being tried now.")));
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
    const all = state !== "dead" || !found.length ? null : h("div", { class: "row" },
      sure("Put all back", `Put all of ${named(queue)} back now`, () => act("POST", "/v1/operator/redrive", { queue, limit: 1000 })),
      sure("Delete all", `Delete all of ${named(queue)} now`, () => act("POST", "/v1/operator/purge", { queue, limit: 1000 }), "danger"));
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

function close() {
  chosen = null;
  jobs.hidden = true;
  void look();
}

/** @param {Job} job */
function row(job) {
  const attempts = h("div", { class: "job-attempts", hidden: true });
  const about = [job.moment, job.recipient, job.notifier && `by ${job.notifier}`, job.lane && !job.recipient && `lane ${job.lane}`].filter(Boolean).join(", ");
  const when = job.ended_ms ? `ended ${clock.format(job.ended_ms)}` : job.due_ms > Date.now() ? `due ${clock.format(job.due_ms)}` : `since ${clock.format(job.created_ms)}`;
  const path = `/v1/operator/jobs/${encodeURIComponent(job.owner)}/${encodeURIComponent(job.id)}`;
  const open = job.state !== "in_flight" && job.state !== "held";
  async function tries() {
    attempts.hidden = !attempts.hidden;
    if (attempts.hidden) return;
    try {
      const { attempts: all } = await api("GET", path);
      fill(attempts, h("ol", { class: "attempts" }, ...all.map((/** @type {Attempt} */ each) => h("li", {}, `${each.number}. ${clock.format(each.started_ms)}: ${each.outcome || "under way"}${each.detail ? `, ${each.detail}` : ""}`))));
    } catch (problem) {
      trouble(problem);
    }
  }
  return h("li", {},
    h("div", { class: "job-about" }, h("span", { class: "job-id" }, job.id), about ? h("span", {}, about) : null,
      h("span", { class: "small muted" }, [job.attempts === 1 ? "1 attempt" : `${job.attempts} attempts`, when, job.outcome].filter(Boolean).join(" · "))),
    h("div", { class: "row" },
      job.attempts ? h("button", { type: "button", class: "button small-button", onclick: () => void tries() }, "Attempts") : null,
      open ? h("button", { type: "button", class: "button small-button", onclick: () => void act("POST", `${path}/retry`) }, job.state === "dead" ? "Put back" : "Try now") : null,
      open && !job.report ? sure(job.state === "dead" ? "Delete" : "Cancel", job.state === "dead" ? "Delete it now" : "Cancel it now", () => act("POST", `${path}/cancel`), "danger") : null),
    attempts);
}

/** A button that is pressed twice. @param {string} text @param {string} again @param {() => Promise<void>} run @param {string} [tone] */
function sure(text, again, run, tone = "") {
  const button = h("button", { type: "button", class: `button small-button ${tone}`, onclick: () => {
    if (button.textContent === again) return void run();
    button.textContent = again;
    window.setTimeout(() => { button.textContent = text; }, 4000);
  } }, text);
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
  await list();
  await look();
}

byId("leave").addEventListener("click", door);
document.addEventListener("visibilitychange", () => { if (!document.hidden && token && timer) void look(); });
if (token) enter();
else door();
