// @ts-check
/** A JSON schema as a readable list of fields, and an example that fits it. */

import { h } from "./counter/dom.js";

/**
 * @typedef {{$ref?: string, type?: string|string[], title?: string, description?: string, properties?: Record<string, Schema>, required?: string[],
 *   items?: Schema, enum?: unknown[], const?: unknown, anyOf?: Schema[], oneOf?: Schema[], allOf?: Schema[], default?: unknown, examples?: unknown[], example?: unknown,
 *   minLength?: number, maxLength?: number, minimum?: number, maximum?: number, minItems?: number, maxItems?: number, pattern?: string, format?: string,
 *   additionalProperties?: boolean|Schema}} Schema
 */

const DEEPEST = 6;

/** @param {Schema} schema @param {any} api @returns {Schema} */
function followed(schema, api) {
  if (schema.allOf?.length === 1) return { ...followed(schema.allOf[0], api), ...schema, allOf: undefined };
  if (!schema.$ref) return schema;
  const found = schema.$ref.slice(2).split("/").reduce((/** @type {any} */ at, key) => at?.[key.replaceAll("~1", "/")], api);
  return found ? { ...followed(found, api), ...(schema.description ? { description: schema.description } : {}) } : {};
}

/** @param {Schema} schema @returns {Schema[]} */
const choices = (schema) => schema.anyOf ?? schema.oneOf ?? [];

/** "list of string, or null" @param {Schema} given @param {any} api @returns {string} */
function typeWords(given, api) {
  const schema = followed(given, api);
  const name = given.$ref?.split("/").pop();
  if (choices(schema).length) return choices(schema).map((one) => typeWords(one, api)).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${schema.items ? typeWords(schema.items, api) : "anything"}`;
  if (name && schema.properties) return name;
  if (Array.isArray(schema.type)) return schema.type.join(" or ");
  return schema.type ?? (schema.properties ? "object" : "anything");
}

/** What a value must keep to, in words. @param {Schema} schema */
function limits(schema) {
  const { minLength, maxLength, minimum, maximum, minItems, maxItems, pattern } = schema;
  return [
    schema.default !== undefined ? `default ${JSON.stringify(schema.default)}` : "",
    range(minLength, maxLength, " characters"),
    range(minimum, maximum, ""),
    range(minItems, maxItems, " items"),
    pattern ? `matches ${pattern}` : "",
    schema.format ?? "",
  ].filter(Boolean).join(" · ");
}

/** @param {number|undefined} least @param {number|undefined} most @param {string} unit */
function range(least, most, unit) {
  if (least === undefined && most === undefined) return "";
  if (least !== undefined && most !== undefined) return `${least} to ${most}${unit}`;
  return most !== undefined ? `at most ${most}${unit}` : `at least ${least}${unit}`;
}

/** The object behind a schema, through lists and choices. @param {Schema} given @param {any} api @returns {Schema|null} */
function inner(given, api) {
  const schema = followed(given, api);
  if (schema.properties) return schema;
  if (schema.items) return inner(schema.items, api);
  for (const one of choices(schema)) {
    const found = inner(one, api);
    if (found) return found;
  }
  return null;
}

/**
 * A schema with everything below it.
 * @param {Schema} given @param {any} api @param {number} [depth] @returns {HTMLElement}
 */
export function schemaView(given, api, depth = 0) {
  const object = inner(given, api);
  if (!object || depth > DEEPEST) {
    const schema = followed(given, api);
    return h("p", { class: "small docs-type" }, h("code", {}, typeWords(given, api)), limits(schema) ? ` · ${limits(schema)}` : "");
  }
  const needed = new Set(object.required ?? []);
  return h("ul", { class: "docs-fields" }, ...Object.entries(object.properties ?? {}).map(([name, field]) => {
    const schema = followed(field, api);
    const below = inner(field, api);
    return h("li", {},
      h("div", { class: "docs-field" }, h("code", { class: "docs-name" }, name), h("span", { class: "docs-type small" }, typeWords(field, api)), needed.has(name) ? h("span", { class: "docs-needed small" }, "required") : null),
      schema.description ? h("p", { class: "small" }, schema.description) : null,
      limits(schema) ? h("p", { class: "small muted" }, limits(schema)) : null,
      below && depth < DEEPEST ? schemaView(field, api, depth + 1) : null);
  }));
}

/** Values that people recognise, by the name of the field. @type {Record<string, unknown>} */
const KNOWN = {
  name: "Luigi’s", email: "nora@luigis.example", password: "correct horse battery", timezone: "Europe/Berlin", label: "A17", queue: "A", desk: "Desk 2",
  phone: "+4915112345678", accent: "#0B6E4F", action: "serve", state: "waiting", description: "", access_token: "eyJhbGciOiJIUzI1NiJ9…", svg: "<svg …>",
};

/**
 * A value that fits the schema.
 * @param {Schema} given @param {any} api @param {string} [name] @param {number} [depth] @returns {unknown}
 */
export function example(given, api, name = "", depth = 0) {
  const schema = followed(given, api);
  if (schema.example !== undefined) return schema.example;
  if (schema.examples?.length) return schema.examples[0];
  const object = schema.properties;
  if (object) return depth > DEEPEST ? {} : Object.fromEntries(Object.entries(object).map(([key, field]) => [key, example(field, api, key, depth + 1)]));
  if (schema.enum) return schema.enum[0];
  if (schema.const !== undefined) return schema.const;
  const type = Array.isArray(schema.type) ? schema.type.find((one) => one !== "null") : schema.type;
  if (type === "array") return depth > DEEPEST || !schema.items ? [] : [example(schema.items, api, name.replace(/s$/, ""), depth + 1)];
  const real = choices(schema).find((one) => followed(one, api).type !== "null");
  if (real) return example(real, api, name, depth + 1);
  if (typeof KNOWN[name] === type) return KNOWN[name];
  if (schema.default !== undefined) return schema.default;
  if (type === "integer" || type === "number") return name.endsWith("_ms") ? 1763846040000 : schema.minimum ?? 1;
  if (type === "boolean") return false;
  if (type === "object") return {};
  return type === "string" ? (name.endsWith("id") ? "k3v9" : "…") : null;
}
