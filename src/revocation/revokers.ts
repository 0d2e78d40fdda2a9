import { createHash } from 'node:crypto';
import { GUID } from '../http/auth-config.ts';

/** Callers of a revocation and of the revocations that it joined; none of them may restore it. */
export interface Revokers {
  /** Object id. */
  readonly revokedBy: string;
  /** Callers of joined revocations, newest first, in the form of {@link shortOf}. */
  readonly joined?: readonly string[];
  /** The tag has no space for all callers; the audit trail has the complete list. */
  readonly isPartial?: true;
}

const SEPARATOR = '+';
/** Marks omitted callers. */
const MORE = 'more';
const SHORT = /^[0-9a-f]{8}$/;

/**
 * Short id of a caller, so a tag has space for eleven callers; two callers collide with a probability of 1 in 4,000
 * million.
 */
export function shortOf(objectId: string): string {
  return createHash('sha256').update(objectId.toLowerCase()).digest('hex').slice(0, 8);
}

/** Whether a record names the person or application. */
export function hasRevoked({ revokedBy, joined = [] }: Revokers, objectId: string): boolean {
  const names = [objectId.toLowerCase(), shortOf(objectId)];
  return [revokedBy, ...joined].some((one) => names.includes(one.toLowerCase()));
}

/**
 * Formats the callers for a tag: `<object id>[+<short id>…][+more]`. If space is short, omits the oldest revocations'
 * callers.
 */
export function formatRevokers({ revokedBy, joined = [], isPartial }: Revokers, mostCharacters: number): string {
  for (let kept = joined.length; ; kept -= 1) {
    const more = isPartial || kept < joined.length ? [MORE] : [];
    const text = [revokedBy, ...joined.slice(0, kept), ...more].join(SEPARATOR);
    if (text.length <= mostCharacters || kept === 0) return text;
  }
}

/** Parses the callers of a tag; undefined for a text that this app has not written. */
export function parseRevokers(text: string): Revokers | undefined {
  const [revokedBy = '', ...others] = text.split(SEPARATOR);
  const isPartial = others.at(-1) === MORE;
  const joined = isPartial ? others.slice(0, -1) : others;
  if (!GUID.test(revokedBy) || !joined.every((word) => SHORT.test(word))) return undefined;
  return revokersOf(revokedBy, joined, isPartial);
}

/** Adds the callers of earlier revocations that this revocation joins. */
export function joinRevokers({ revokedBy, joined = [], isPartial }: Revokers, before: readonly Revokers[]): Revokers {
  const names = [...before.flatMap((one) => [one.revokedBy, ...(one.joined ?? [])]), ...joined];
  const others = new Set(names.map((name) => (GUID.test(name) ? shortOf(name) : name)));
  others.delete(shortOf(revokedBy));
  return revokersOf(revokedBy, [...others], isPartial === true || before.some((one) => one.isPartial));
}

function revokersOf(revokedBy: string, joined: readonly string[], isPartial: boolean): Revokers {
  return { revokedBy, ...(joined.length > 0 ? { joined } : {}), ...(isPartial ? { isPartial } : {}) };
}
