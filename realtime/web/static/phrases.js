// @ts-check
// What the page says, in its language: the phrases that came along with it.

/** @typedef {string | Record<string, string>} Phrase a sentence with gaps in braces, or one for each plural form */

/** @type {Record<string, Phrase>} */
const phrases = JSON.parse(document.getElementById("phrases")?.textContent || "{}");
const plural = new Intl.PluralRules(document.documentElement.lang);

/** The language in which times are written. */
export const locale = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;

/**
 * A phrase, its gaps filled in. What stands in the gap `count` chooses the plural form as well.
 * @param {string} key @param {Record<string, string | number>} [gaps]
 * @returns {string}
 */
export function phrase(key, gaps = {}) {
  return pieces(key, Number(gaps.count ?? 0), gaps).join("");
}

/**
 * The same, where an element may stand in a gap.
 * @template {string | number | Node} T
 * @param {string} key @param {number} count @param {Record<string, T>} gaps
 * @returns {(string | T)[]}
 */
export function pieces(key, count, gaps) {
  const found = phrases[key];
  if (found === undefined) throw new Error(`There is no phrase "${key}" on this page.`);
  const text = typeof found === "string" ? found : (found[plural.select(count)] ?? found.other);
  return text.split(/\{(\w+)\}/).map((piece, at) => (at % 2 ? gaps[piece] : piece));
}

/**
 * What went wrong, by its code; as the server says it where the page has no words for that. In English the server's are always better.
 * @param {{code: string, message: string}} fault
 * @returns {string}
 */
export function faultPhrase({ code, message }) {
  const found = phrases[`fault.${code}`];
  return typeof found === "string" ? found : message;
}
