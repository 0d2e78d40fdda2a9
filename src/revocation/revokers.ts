import { createHash } from 'node:crypto';
import { GUID } from '../http/auth-config.ts';

/** The callers of a revocation and of those that it joined, none of whom may restore it. Object ids. */
export interface Revokers {
  readonly revokedBy: string;
  /** Those whose revocations this one has joined, the latest first. */
  readonly joined?: readonly string[];
  /** People whose ids did not fit, the latest first, as {@link shortOf} has them. */
  readonly shortened?: readonly string[];
  /** Those of all these that are applications, in lower case. What earlier versions recorded counts as people. */
  readonly applications?: readonly string[];
  /** Applications are missing, as the tag has no room for more: the audit trail has them. */
  readonly lacksApplications?: true;
  /** People are missing, likewise. */
  readonly isPartial?: true;
}

const SEPARATOR = '+';
const APPLICATION = 'app:';
const SHORT = /^[0-9a-f]{8}$/;
/** In place of those who are missing. */
const APPLICATIONS = 'apps';
const MORE = 'more';

/** A short id of a person: two people share one with a probability of 1 in 4,000 million. */
export function shortOf(objectId: string): string {
  return createHash('sha256').update(objectId.toLowerCase()).digest('hex').slice(0, 8);
}

/** Whether a record names that person or application. */
export function hasRevoked({ revokedBy, joined = [], shortened = [] }: Revokers, objectId: string): boolean {
  const id = objectId.toLowerCase();
  return [revokedBy, ...joined].some((one) => one.toLowerCase() === id) || shortened.includes(shortOf(id));
}

/**
 * As a tag has them, in so many characters at most: `<object id>[+<object id>…][+<short id>…][+apps][+more]`, an application as
 * `app:<object id>`. If not all fit, applications are left out first; then people are shortened, and left out last, the
 * earliest before the others. The record of a revocation forgets none without saying so.
 */
export function formatRevokers(revokers: Revokers, mostCharacters: number): string {
  const { revokedBy, joined = [], shortened = [], applications = [], isPartial } = revokers;
  const isApplication = (id: string): boolean => applications.includes(id.toLowerCase());
  const kept = [...joined];
  const short = [...shortened];
  let isApps = revokers.lacksApplications ?? false;
  let isMore = isPartial ?? false;
  for (;;) {
    const named = [revokedBy, ...kept].map((id) => (isApplication(id) ? `${APPLICATION}${id}` : id));
    const text = [...named, ...short, ...(isApps ? [APPLICATIONS] : []), ...(isMore ? [MORE] : [])].join(SEPARATOR);
    if (text.length <= mostCharacters || kept.length + short.length === 0) return text;
    const application = kept.findLastIndex(isApplication);
    if (application >= 0) isApps = kept.splice(application, 1).length > 0;
    else if (kept.length > 0) short.unshift(...kept.splice(-1).map(shortOf));
    else isMore = short.pop() !== undefined;
  }
}

/** Undefined for what this app has not written. */
export function parseRevokers(text: string): Revokers | undefined {
  const words = text.split(SEPARATOR);
  const isPartial = words.length > 1 && words.at(-1) === MORE;
  if (isPartial) words.pop();
  const lacksApplications = words.length > 1 && words.at(-1) === APPLICATIONS;
  const all = lacksApplications ? words.slice(0, -1) : words;
  const shortened = all.slice(1).filter((word) => SHORT.test(word));
  const named = all.filter((word, n) => n === 0 || !SHORT.test(word));
  const ids = named.map((word) => (word.startsWith(APPLICATION) ? word.slice(APPLICATION.length) : word));
  const [revokedBy = '', ...joined] = ids;
  if (!ids.every((id) => GUID.test(id))) return undefined;
  const applications = ids.filter((_, n) => named[n]?.startsWith(APPLICATION)).map((id) => id.toLowerCase());
  return revokersOf({ revokedBy, joined, shortened, applications, lacksApplications, isPartial });
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
  const inFull = new Set([...named].map(shortOf));
  return revokersOf({
    revokedBy: revokers.revokedBy,
    joined: [...joined],
    shortened: [...new Set(all.flatMap((one) => one.shortened ?? []))].filter((short) => !inFull.has(short)),
    applications: [...new Set(all.flatMap((one) => one.applications ?? []).filter((id) => named.has(id)))],
    lacksApplications: all.some((one) => one.lacksApplications === true),
    isPartial: all.some(({ isPartial }) => isPartial === true),
  });
}

/** Without what there is none of. */
function revokersOf({
  revokedBy,
  joined,
  shortened,
  applications,
  lacksApplications,
  isPartial,
}: Required<Omit<Revokers, 'isPartial' | 'lacksApplications'>> & {
  readonly lacksApplications: boolean;
  readonly isPartial: boolean;
}): Revokers {
  return {
    revokedBy,
    ...(joined.length > 0 ? { joined } : {}),
    ...(shortened.length > 0 ? { shortened } : {}),
    ...(applications.length > 0 ? { applications } : {}),
    ...(lacksApplications ? { lacksApplications } : {}),
    ...(isPartial ? { isPartial } : {}),
  };
}
