import { createHash } from 'node:crypto';
import { GUID } from '../http/auth-config.ts';

/** The callers of a revocation and of those that it joined, none of whom may restore it. */
export interface Revokers {
  /** Object id. */
  readonly revokedBy: string;
  /** Callers of the revocations that this one has joined, the latest first, as {@link shortOf} has them; earlier versions wrote object ids. */
  readonly joined?: readonly string[];
  /** Callers are missing, as the tag has no room for more: the audit trail has them. */
  readonly isPartial?: true;
}

const SEPARATOR = '+';
/** In place of the callers that are missing. An earlier version left out applications first, and wrote `apps`. */
const MORE = 'more';
const MISSING: ReadonlySet<string> = new Set([MORE, 'apps']);
const SHORT = /^[0-9a-f]{8}$/;

/** A short id of a caller, so that a tag names eleven: two callers share one with a probability of 1 in 4,000 million. */
export function shortOf(objectId: string): string {
  return createHash('sha256').update(objectId.toLowerCase()).digest('hex').slice(0, 8);
}

/** Whether a record names that person or application. */
export function hasRevoked({ revokedBy, joined = [] }: Revokers, objectId: string): boolean {
  const names = [objectId.toLowerCase(), shortOf(objectId)];
  return [revokedBy, ...joined].some((one) => names.includes(one.toLowerCase()));
}

/** As a tag has them, in so many characters at most: `<object id>[+<short id>…][+more]`. The earliest are left out first. */
export function formatRevokers({ revokedBy, joined = [], isPartial }: Revokers, mostCharacters: number): string {
  for (let kept = joined.length; ; kept -= 1) {
    const more = isPartial || kept < joined.length ? [MORE] : [];
    const text = [revokedBy, ...joined.slice(0, kept), ...more].join(SEPARATOR);
    if (text.length <= mostCharacters || kept === 0) return text;
  }
}

/** Undefined for what this app has not written. */
export function parseRevokers(text: string): Revokers | undefined {
  // An earlier version marked applications.
  const words = text.split(SEPARATOR).map((word) => word.replace(/^app:/, ''));
  const end = words.findIndex((word) => MISSING.has(word));
  const [revokedBy = '', ...joined] = end === -1 ? words : words.slice(0, end);
  const isOurs = joined.every((word) => GUID.test(word) || SHORT.test(word));
  if (!GUID.test(revokedBy) || !isOurs || (end !== -1 && !words.slice(end).every((word) => MISSING.has(word)))) {
    return undefined;
  }
  return revokersOf(revokedBy, joined, end !== -1);
}

/** Adds the callers of earlier revocations, which this one joins. */
export function joinRevokers({ revokedBy, joined = [], isPartial }: Revokers, before: readonly Revokers[]): Revokers {
  const names = [...before.flatMap((one) => [one.revokedBy, ...(one.joined ?? [])]), ...joined];
  const others = new Set(names.map((name) => (GUID.test(name) ? shortOf(name) : name)));
  others.delete(shortOf(revokedBy));
  return revokersOf(revokedBy, [...others], isPartial === true || before.some((one) => one.isPartial));
}

function revokersOf(revokedBy: string, joined: readonly string[], isPartial: boolean): Revokers {
  return { revokedBy, ...(joined.length > 0 ? { joined } : {}), ...(isPartial ? { isPartial } : {}) };
}
