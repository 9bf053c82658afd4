// @ts-check
// What the ticket's page says in each state. Pure; the template says the same without JavaScript.

/** @typedef {{state: string, label: string, desk: string, store: {state: string}, queue: {waiting_text: string, end_text: string}}} Own */
/** @typedef {{face: string, sentence: string, detail: string, text: string, title: string, may_leave: boolean}} Words `face`: the ticket's state, or "closed" */

/** @param {number} count @returns {string} */
export function aheadText(count) {
  if (count === 0) return "You are next.";
  return count === 1 ? "1 party ahead of you." : `${count} parties ahead of you.`;
}

/** @param {number[]} range [from, to] in minutes, empty while unknown @returns {string} */
export function minutesText(range) {
  if (range.length < 2) return "";
  return range[0] === 0 ? `up to ${range[1]} min` : `about ${range[0]}–${range[1]} min`;
}

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
  const short = own.state === "waiting" && !over ? (ahead === 0 ? "next" : `${ahead} ahead`) : said.sentence;
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
  waiting: (own, ahead, range, asOf) => ({ sentence: aheadText(ahead), detail: [minutesText(range), asOf && `as of ${asOf}`].filter(Boolean).join(", "), text: own.queue.waiting_text }),
  called: (own) => ({ sentence: "It’s your turn.", detail: own.desk ? `${own.desk}.` : "Please come to the staff." }),
  serving: (own) => ({ sentence: "You are being served.", detail: own.desk ? `${own.desk}.` : "" }),
  done: (own) => ({ sentence: "Thank you for coming.", detail: "", text: own.queue.end_text }),
  no_show: () => ({ sentence: "We called you and missed you. Talk to the staff.", detail: "They can put you back in line." }),
  left: () => ({ sentence: "You left the line.", detail: "Scan the code on the screen to join again." }),
  removed: () => ({ sentence: "The staff took you out of the line.", detail: "Talk to them if that is a mistake." }),
};

function closed() {
  return { sentence: "This store has closed. Thank you for coming.", detail: "" };
}
