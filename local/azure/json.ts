/** A JSON object whose fields are not known yet. */
export type JsonObject = Record<string, unknown>;

/** Narrows to an object; an array, null or a scalar gives undefined. */
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

/** Narrows to a map of strings, dropping what is not a string; anything but an object gives undefined. */
export function asTags(value: unknown): Record<string, string> | undefined {
  const object = asObject(value);
  if (!object) return undefined;
  return Object.fromEntries(
    Object.entries(object).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
