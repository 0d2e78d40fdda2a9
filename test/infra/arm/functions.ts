import { createHash } from 'node:crypto';
import { asArray, asObject, asString, isObject, type Json, type JsonObject } from './json.ts';

/** A template function of values alone. Those that need the deployment are in evaluate.ts. */
type PureFunction = (...args: Json[]) => Json;

/**
 * The template functions that the templates use. `guid` and `uniqueString` give the same for the same arguments and
 * something else for others, which is all that a template may rely on; they are not Azure's own values.
 */
export const PURE_FUNCTIONS: Readonly<Record<string, PureFunction>> = {
  add: (a, b) => Number(a) + Number(b),
  sub: (a, b) => Number(a) - Number(b),
  and: (...args) => args.every((arg) => arg === true),
  or: (...args) => args.some((arg) => arg === true),
  not: (value) => value !== true,
  equals: (a, b) => JSON.stringify(a) === JSON.stringify(b),
  true: () => true,
  false: () => false,
  null: () => null,
  fail: (message) => {
    throw new Error(asString(message, 'message'));
  },
  coalesce: (...args) => args.find((arg) => arg !== null) ?? null,
  empty: (value) =>
    value === null || value === '' || (isObject(value) ? Object.keys(value).length === 0 : length(value) === 0),
  length,
  contains: (value, item) => {
    if (typeof value === 'string') return value.includes(String(item));
    if (Array.isArray(value)) return value.some((one) => JSON.stringify(one) === JSON.stringify(item));
    return isObject(value) && String(item) in value;
  },
  concat: (...args) => (args.every(Array.isArray) ? args.flat() : args.map(String).join('')),
  createArray: (...args) => args,
  createObject: (...args) => {
    const result: JsonObject = {};
    for (let index = 0; index < args.length; index += 2) {
      result[asString(args[index], 'name')] = args[index + 1] ?? null;
    }
    return result;
  },
  flatten: (lists) => asArray(lists, 'flatten').flatMap((list) => asArray(list, 'flatten')),
  format: (text, ...args) =>
    // A double brace means one brace (.NET, "Composite formatting").
    asString(text, 'format').replaceAll(/\{\{|\}\}|\{(\d+)\}/g, (found, index) =>
      index === undefined ? found.slice(1) : String(args[Number(index)]),
    ),
  guid: (...args) => hash(args).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5'),
  uniqueString: (...args) =>
    BigInt(`0x${hash(args).slice(0, 20)}`)
      .toString(36)
      .padStart(13, 'a')
      .slice(0, 13),
  indexOf: (list, item) => (Array.isArray(list) ? list.indexOf(item) : String(list).indexOf(String(item))),
  items: (object) =>
    Object.entries(asObject(object ?? {}, 'items'))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => ({ key, value })),
  join: (list, separator) => asArray(list, 'join').join(asString(separator, 'separator')),
  last: (list) => (Array.isArray(list) ? (list.at(-1) ?? null) : asString(list, 'last').slice(-1)),
  range: (start, count) => Array.from({ length: Number(count) }, (_, index) => Number(start) + index),
  replace: (text, from, to) => asString(text, 'replace').replaceAll(asString(from, 'from'), asString(to, 'to')),
  string: (value) => (typeof value === 'string' ? value : JSON.stringify(value)),
  split: (text, separator) => asString(text, 'split').split(asString(separator, 'separator')),
  take: (value, count) =>
    Array.isArray(value) ? value.slice(0, Number(count)) : asString(value, 'take').slice(0, Number(count)),
  toLower: (text) => asString(text, 'toLower').toLowerCase(),
  trim: (text) => asString(text, 'trim').trim(),
  tryGet: (value, ...path) => {
    let here: Json = value ?? null;
    for (const step of path) here = memberOf(here, step) ?? null;
    return here;
  },
  union: (...args) =>
    args.every(Array.isArray)
      ? [...new Map(args.flat().map((item) => [JSON.stringify(item), item])).values()]
      : args.reduce<Json>((merged, arg) => merge(merged, arg), {}),
};

/** The element or the property of that name; undefined if there is none. */
export function memberOf(of: Json, name: Json): Json | undefined {
  if (Array.isArray(of)) return of[Number(name)];
  return isObject(of) ? of[String(name)] : undefined;
}

function length(value: Json | undefined): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : 0;
}

function merge(into: Json, from: Json): Json {
  if (!isObject(into) || !isObject(from)) return from;
  const result: JsonObject = { ...into };
  for (const [name, value] of Object.entries(from)) result[name] = merge(result[name] ?? null, value);
  return result;
}

function hash(args: readonly Json[]): string {
  return createHash('sha256').update(JSON.stringify(args)).digest('hex');
}
