import { GUID } from '../http/auth-config.ts';

/** The callers of a revocation and of those that it joined, none of whom may restore it. Object ids. */
export interface Revokers {
  readonly revokedBy: string;
  /** Those whose revocations this one has joined, the latest first. */
  readonly joined?: readonly string[];
  /** The applications among them, in lower case. A caller that version 2 recorded counts as a person. */
  readonly applications?: readonly string[];
  /** Not all people fit into the tag; the audit trail has the others. */
  readonly isPartial?: true;
}

const SEPARATOR = '+';
const APPLICATION = 'app:';
/** In place of the people who are missing. */
const MORE = 'more';

/**
 * `<object id>[+<object id>…][+more]` for a tag, an application as `app:<object id>`. If not all fit, the earliest applications
 * are left out first, then the earliest people, for whom `more` is added.
 */
export function formatRevokers(revokers: Revokers, mostCharacters: number): string {
  const { revokedBy, joined = [], applications = [], isPartial } = revokers;
  const isApplication = (id: string): boolean => applications.includes(id.toLowerCase());
  const kept = [...joined];
  let isMore = isPartial ?? false;
  for (;;) {
    const named = [revokedBy, ...kept].map((id) => (isApplication(id) ? `${APPLICATION}${id}` : id));
    const text = [...named, ...(isMore ? [MORE] : [])].join(SEPARATOR);
    if (text.length <= mostCharacters || kept.length === 0) return text;
    const last = kept.findLastIndex(isApplication);
    if (last < 0) isMore = true;
    kept.splice(last, 1);
  }
}

/** Undefined for what this app has not written. */
export function parseRevokers(text: string): Revokers | undefined {
  const words = text.split(SEPARATOR);
  const isPartial = words.length > 1 && words.at(-1) === MORE;
  const named = isPartial ? words.slice(0, -1) : words;
  const ids = named.map((word) => (word.startsWith(APPLICATION) ? word.slice(APPLICATION.length) : word));
  const [revokedBy = '', ...joined] = ids;
  if (!ids.every((id) => GUID.test(id))) return undefined;
  const applications = ids.filter((_, n) => named[n]?.startsWith(APPLICATION)).map((id) => id.toLowerCase());
  return revokersOf(revokedBy, joined, applications, isPartial);
}

/** Adds the callers of earlier revocations, which this one joins. */
export function joinRevokers(revokers: Revokers, before: readonly Revokers[]): Revokers {
  const all = [...before, revokers];
  const joined = new Set([
    ...before.flatMap((one) => [one.revokedBy, ...(one.joined ?? [])].map((id) => id.toLowerCase())),
    ...(revokers.joined ?? []).map((id) => id.toLowerCase()),
  ]);
  joined.delete(revokers.revokedBy.toLowerCase());
  const named = new Set([revokers.revokedBy.toLowerCase(), ...joined]);
  const applications = new Set(all.flatMap((one) => one.applications ?? []).filter((id) => named.has(id)));
  return revokersOf(
    revokers.revokedBy,
    [...joined],
    [...applications],
    all.some(({ isPartial }) => isPartial),
  );
}

function revokersOf(
  revokedBy: string,
  joined: readonly string[],
  applications: readonly string[],
  isPartial: boolean,
): Revokers {
  return {
    revokedBy,
    ...(joined.length > 0 ? { joined } : {}),
    ...(applications.length > 0 ? { applications } : {}),
    ...(isPartial ? { isPartial } : {}),
  };
}
