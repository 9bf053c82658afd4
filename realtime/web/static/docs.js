// @ts-check
/** The HTTP interface as a page, drawn from /openapi.json: endpoints in groups, what goes in, what comes out, and what can go wrong. */

import { fill, h, icon } from "./counter/dom.js";
import { byId, say } from "./page.js";
import { example, schemaView } from "./docs_schema.js";
import { call } from "./session.js";

/** @typedef {import("./docs_schema.js").Schema} Schema */
/**
 * @typedef {{name: string, in: string, required?: boolean, description?: string, schema?: Schema}} Parameter
 * @typedef {Record<string, {schema?: Schema, example?: unknown}>} Content
 * @typedef {{summary?: string, description?: string, tags?: string[], operationId?: string, parameters?: Parameter[], security?: Record<string, unknown>[],
 *   requestBody?: {description?: string, required?: boolean, content?: Content},
 *   responses?: Record<string, {description?: string, content?: Content, $ref?: string}>}} Operation
 * @typedef {{method: string, path: string, id: string, operation: Operation}} Endpoint
 */

/** Where the index stands beside the text; else it is one line above it, to be opened. */
const WIDE = matchMedia("(min-width: 56.26rem)");
const METHODS = ["get", "post", "put", "patch", "delete"];

/** @param {any} document_ @returns {Map<string, Endpoint[]>} */
function grouped(document_) {
  /** @type {Map<string, Endpoint[]>} */
  const groups = new Map((document_.tags ?? []).map((/** @type {{name: string}} */ tag) => [tag.name, []]));
  for (const [path, item] of Object.entries(document_.paths ?? {})) {
    for (const method of METHODS) {
      const operation = /** @type {any} */ (item)[method];
      if (!operation) continue;
      const group = operation.tags?.[0] ?? nounOf(path);
      const id = `${method}-${path.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "")}`;
      const parameters = [.../** @type {any} */ (item).parameters ?? [], ...(operation.parameters ?? [])];
      groups.set(group, [...(groups.get(group) ?? []), { method, path, id, operation: { ...operation, parameters } }]);
    }
  }
  for (const [name, endpoints] of groups) if (!endpoints.length) groups.delete(name);
  return groups;
}

/** "/v1/stores/{id}" is about stores. @param {string} path */
function nounOf(path) {
  const words = path.split("/").filter((word) => word && word !== "v1");
  return words[0] ?? "root";
}

/** A path whose parameters stand out. @param {string} path */
const pathView = (path) => h("code", { class: "docs-path" }, ...path.split(/(\{[^}]+\})/).flatMap((part) => (part.startsWith("{") ? h("em", {}, part) : part.split(/(?<=\/)/).flatMap((piece) => [piece, h("wbr")]))));

/** @param {string} method */
const methodView = (method) => h("span", { class: "docs-method", "data-method": method }, method.toUpperCase());

/** @param {Endpoint} endpoint @param {any} api */
function endpointView({ method, path, id, operation }, api) {
  const body = operation.requestBody?.content;
  return h("details", { class: "docs-endpoint", id },
    h("summary", {}, methodView(method), pathView(path), h("span", { class: "docs-summary" }, operation.summary ?? ""), icon("down")),
    h("div", { class: "docs-inside stack" },
      operation.description ? h("p", { class: "prose" }, operation.description) : null,
      signIn(operation, api),
      operation.parameters?.length ? [h("h3", {}, "Parameters"), parametersView(operation.parameters, api)] : null,
      body ? [h("h3", {}, "Request body"), ...contentView(body, api)] : null,
      h("h3", {}, "Answers"),
      ...Object.entries(operation.responses ?? {}).map(([status, response]) => responseView(status, response, api))));
}

/** @param {Operation} operation @param {any} api */
function signIn(operation, api) {
  const ways = /** @type {Record<string, unknown>[]} */ (operation.security ?? api.security ?? []);
  const names = ways.flatMap((one) => Object.keys(one));
  if (!names.length) return null;
  const schemes = api.components?.securitySchemes ?? {};
  const words = names.map((/** @type {string} */ name) => schemes[name]?.description || name);
  return h("p", { class: "small muted" }, `${names.length < ways.length ? "Takes, if you are signed in" : "Needs"}: ${words.join(" Or: ")}`);
}

/** @param {Parameter[]} parameters @param {any} api */
function parametersView(parameters, api) {
  return h("ul", { class: "docs-fields" }, ...parameters.map((given) => {
    const one = /** @type {Parameter} */ (resolve(given, api));
    return h("li", {}, h("div", { class: "docs-field" }, h("code", { class: "docs-name" }, one.name), h("span", { class: "small muted" }, `in ${one.in}${one.required ? ", required" : ""}`)),
      one.description ? h("p", { class: "small" }, one.description) : null,
      one.schema ? schemaView(one.schema, api) : null);
  }));
}

/** @param {any} value @param {any} api @returns {any} */
function resolve(value, api) {
  if (!value?.$ref) return value;
  return value.$ref.slice(2).split("/").reduce((/** @type {any} */ at, /** @type {string} */ key) => at?.[key], api);
}

/** @param {Content} content @param {any} api @returns {Node[]} */
function contentView(content, api) {
  return Object.entries(content).flatMap(([type, { schema, example: given }]) => {
    const sample = given ?? (schema && type.includes("json") ? example(schema, api) : undefined);
    return [
      type === "application/json" ? "" : h("p", { class: "small muted" }, type),
      schema ? schemaView(schema, api) : "",
      sample === undefined ? "" : h("pre", { class: "docs-example", tabIndex: 0, role: "group", "aria-label": "Example" }, h("code", {}, JSON.stringify(sample, null, 2))),
    ].filter((node) => node instanceof Node);
  });
}

/** @param {string} status @param {any} given @param {any} api */
function responseView(status, given, api) {
  const response = resolve(given, api) ?? {};
  const good = !/^[45]/.test(status);
  const inside = response.content && good ? contentView(response.content, api) : [];
  const head = [h("span", { class: "docs-status", "data-kind": status[0] }, status), h("span", {}, ...(good ? prose(response.description ?? "") : errorLinks(response)))];
  if (!inside.length) return h("p", { class: "docs-answer" }, ...head);
  return h("details", { class: "docs-answer", open: status.startsWith("2") }, h("summary", {}, ...head, icon("down")), h("div", { class: "stack" }, ...inside));
}

/** The codes an answer may carry, each leading to its sentence. @param {any} response @returns {(string|Node)[]} */
function errorLinks(response) {
  const codes = Object.keys(response.content?.["application/problem+json"]?.examples ?? {});
  if (!codes.length) return prose(response.description ?? "");
  return codes.flatMap((code, at) => [at ? ", " : "", h("a", { href: `#${code}` }, h("code", {}, code))]);
}

/** Plain text, in which `code` stands out. @param {string} text @returns {(string|Node)[]} */
const prose = (text) => text.split("`").map((part, at) => (at % 2 ? h("code", {}, part) : part));

/** @param {Map<string, Endpoint[]>} groups */
function navView(groups) {
  return [...groups].map(([name, endpoints]) =>
    h("details", { open: WIDE.matches },
      h("summary", {}, titled(name), icon("down")),
      h("ul", { class: "docs-links" }, ...endpoints.map(({ method, path, id }) => h("li", {}, h("a", { href: `#${id}` }, methodView(method), pathView(path.replace(/^\/v1/, ""))))))));
}

/** @param {string} word */
const titled = (word) => word.charAt(0).toUpperCase() + word.slice(1).replaceAll("_", " ");

/** What the address points to is opened and shown; the errors' own addresses lead here too. */
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target instanceof HTMLDetailsElement) target.open = true;
  target.scrollIntoView();
  (target.querySelector("summary") ?? target).focus({ preventScroll: true });
}

/** Every error code with its status and sentence, from the examples of all answers. @param {Map<string, Endpoint[]>} groups @returns {[string, any][]} */
function errorsOf(groups) {
  const found = new Map();
  for (const { operation } of [...groups.values()].flat()) {
    for (const response of Object.values(operation.responses ?? {})) {
      const examples = /** @type {any} */ (response).content?.["application/problem+json"]?.examples ?? {};
      for (const [code, { value }] of Object.entries(/** @type {Record<string, any>} */ (examples))) found.set(code, value);
    }
  }
  return [...found].sort(([a, one], [b, other]) => one.status - other.status || a.localeCompare(b));
}

/** The one shape of all errors, said once, and each of them. @param {any} api @param {Map<string, Endpoint[]>} groups */
function errorsView(api, groups) {
  const problem = api.components?.schemas?.Problem;
  if (!problem) return [];
  return [h("section", { class: "stack docs-group", id: "errors" }, h("h2", {}, "Errors"),
    h("p", {}, "Every answer of 400 and above is a problem document (RFC 9457). ", h("code", {}, "detail"), " is a sentence for people, ", h("code", {}, "code"), " is for programs and stays the same, ", h("code", {}, "retry"), " says whether the same request may work later."),
    schemaView(problem, api),
    h("h3", {}, "Codes"),
    h("ul", { class: "docs-fields" }, ...errorsOf(groups).map(([code, { status, detail, retry }]) =>
      h("li", { id: code, tabIndex: -1 },
        h("div", { class: "docs-field" }, h("span", { class: "docs-status" }, status), h("code", { class: "docs-name" }, code), retry ? h("span", { class: "docs-needed small" }, "retry") : null),
        h("p", { class: "small" }, detail)))))];
}

/** Open beside the text, closed above it, and closed again once something was chosen there. */
function fitIndex() {
  const index = byId("docs-index", HTMLDetailsElement);
  const fit = () => (index.open = WIDE.matches);
  fit();
  index.querySelector("summary")?.append(icon("down"));
  WIDE.addEventListener("change", fit);
  index.addEventListener("click", ({ target }) => {
    if (!WIDE.matches && /** @type {Element} */ (target).closest("a")) index.open = false;
  });
}

async function start() {
  const words = byId("docs-words");
  fitIndex();
  try {
    const api = await call("GET", "/openapi.json");
    const groups = grouped(api);
    say(words, [api.info?.title, api.info?.version].filter(Boolean).join(" "));
    fill(byId("docs-links"), ...navView(groups), h("p", {}, h("a", { class: "docs-errors-link", href: "#errors" }, "Errors")));
    byId("docs").append(
      ...(api.info?.description ? [h("p", {}, ...prose(api.info.description))] : []),
      ...[...groups].map(([name, endpoints]) => h("section", { class: "docs-group stack" }, h("h2", {}, titled(name)), ...endpoints.map((endpoint) => endpointView(endpoint, api)))),
      ...errorsView(api, groups),
    );
    openTarget();
    addEventListener("hashchange", openTarget);
  } catch (fault) {
    say(words, fault instanceof Error ? fault.message : String(fault));
  }
}

void start();
