// @ts-check
// What the ticket's page says in each state. Pure; the template says the same without JavaScript.

import { aheadText, minutesText } from "./line_words.js";
import { phrase } from "./phrases.js";

/** @typedef {{state: string, label: string, desk: string, store: {state: string}, queue: {waiting_text: string, end_text: string}}} Own */
/** @typedef {{face: string, sentence: string, detail: string, text: string, title: string, may_leave: boolean}} Words `face`: the ticket's state, or "closed" */

/**
 * @param {Own} own
 * @param {number} ahead
 * @param {number[]} range
 * @param {string} [asOf] the time of day that the place and its minutes are of, where they may be old
 * @returns {Words}
 */
export function words(own, ahead, range, asOf = "") {
  const over = own.store.state !== "open" && own.state === "waiting";
  const said = over ? closed() : (SENTENCES[own.state] ?? SENTENCES.removed)(own, ahead, range, asOf);
  const short = own.state === "waiting" && !over ? (ahead === 0 ? phrase("ticket.title_next") : phrase("ticket.title_ahead", { count: ahead })) : said.sentence;
  return {
    face: over ? "closed" : own.state,
    text: "",
    ...said,
    title: `${own.label} · ${short}`,
    may_leave: !over && (own.state === "waiting" || own.state === "called"),
  };
}

/** @type {Record<string, (own: Own, ahead: number, range: number[], asOf: string) => {sentence: string, detail: string, text?: string}>} */
const SENTENCES = {
  waiting: (own, ahead, range, asOf) => ({ sentence: aheadText(ahead), detail: [minutesText(range), asOf && phrase("line.as_of", { time: asOf })].filter(Boolean).join(", "), text: own.queue.waiting_text }),
  called: (own) => ({ sentence: phrase("ticket.called"), detail: own.desk ? `${own.desk}.` : phrase("ticket.come") }),
  serving: (own) => ({ sentence: phrase("ticket.serving"), detail: own.desk ? `${own.desk}.` : "" }),
  done: (own) => ({ sentence: phrase("ticket.done"), detail: "", text: own.queue.end_text }),
  no_show: () => ({ sentence: phrase("ticket.no_show"), detail: phrase("ticket.no_show_more") }),
  left: () => ({ sentence: phrase("ticket.left"), detail: phrase("ticket.left_more") }),
  removed: () => ({ sentence: phrase("ticket.removed"), detail: phrase("ticket.removed_more") }),
};

function closed() {
  return { sentence: phrase("ticket.closed"), detail: "" };
}
