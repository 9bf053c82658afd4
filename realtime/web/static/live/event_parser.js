// @ts-check
// Text of an event stream in, its events out (HTML standard, section 9.2.6). Pure. A comment is an event named "comment".

export class EventParser {
  constructor() {
    this.rest = "";
    this.name = "";
    /** @type {string[]} */ this.data = [];
  }

  /** @param {string} text as it came, cut anywhere @returns {{name: string, data: string}[]} */
  feed(text) {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = /** @type {string} */ (lines.pop());
    return lines.flatMap((line) => this.line(line));
  }

  /** @param {string} line */
  line(line) {
    if (line === "") return this.dispatch();
    if (line.startsWith(":")) return [{ name: "comment", data: line.slice(1) }];
    const [, field, value] = /** @type {RegExpExecArray} */ (/^([^:]*)(?:: ?(.*))?$/s.exec(line));
    if (field === "event") this.name = value ?? "";
    else if (field === "data") this.data.push(value ?? "");
    return [];
  }

  dispatch() {
    const events = this.data.length ? [{ name: this.name || "message", data: this.data.join("\n") }] : [];
    this.name = "";
    this.data = [];
    return events;
  }
}
