/**
 * The part of the `reflect-metadata` proposal that the certificate library uses (it only annotates classes), so that
 * the local Azure needs no polyfill package. Does nothing if a polyfill is loaded.
 */
const notes = new WeakMap<object, Map<unknown, unknown>>();

function own(target: object, key: unknown): unknown {
  return notes.get(target)?.get(key);
}

function inherited(target: object | null, key: unknown): unknown {
  for (let at = target; at !== null; at = Object.getPrototypeOf(at)) {
    if (notes.get(at)?.has(key)) return own(at, key);
  }
  return undefined;
}

function define(key: unknown, value: unknown, target: object): void {
  const held = notes.get(target) ?? new Map<unknown, unknown>();
  notes.set(target, held.set(key, value));
}

if (!('getMetadata' in Reflect)) {
  Object.assign(Reflect, {
    defineMetadata: define,
    getMetadata: (key: unknown, target: object) => inherited(target, key),
    getOwnMetadata: (key: unknown, target: object) => own(target, key),
    hasMetadata: (key: unknown, target: object) => inherited(target, key) !== undefined,
    hasOwnMetadata: (key: unknown, target: object) => own(target, key) !== undefined,
    metadata: (key: unknown, value: unknown) => (target: object) => define(key, value, target),
  });
}
