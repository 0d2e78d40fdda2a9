/** A JSON object with unknown fields. */
export type JsonObject = Record<string, unknown>;

/** Narrows to an object; undefined for an array, null or a scalar. */
export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

/** Narrows to a string. */
export function asString(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Narrows to an array. */
export function asArray(value: unknown): unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

/** Narrows to a map of strings without the values that are no strings; undefined for anything but an object. */
export function asTags(value: unknown): Record<string, string> | undefined {
  const object = asObject(value);
  if (!object) return undefined;
  return Object.fromEntries(
    Object.entries(object).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
