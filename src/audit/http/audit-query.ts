import { queryInvalid, queryOf } from '../../http/query.ts';
import { momentAgo } from '../../time/duration.ts';
import { parseFileName } from '../file-name.ts';
import type { TrailPosition } from '../find-entry.ts';
import type { TrailFilter } from '../trail-filter.ts';

const NAMES = ['key', 'vault', 'account', 'by', 'action', 'since', 'until', 'after'] as const;

/** What of the trail is asked for. */
interface AuditQuery {
  readonly filter: TrailFilter;
  /** Where the page before ended. */
  readonly before: TrailPosition | undefined;
}

/** @throws {@link HttpProblem} `QueryInvalid` */
export function auditQuery(query: URLSearchParams, now: Date): AuditQuery {
  const { since, until, after, ...rest } = queryOf(query, NAMES);
  for (const [name, value] of Object.entries(rest)) {
    if (value === '') throw queryInvalid(`${name} is empty.`, 'Leave it out, or say what is to be in it.');
  }
  return {
    filter: { ...rest, since: moment('since', since, now), until: moment('until', until, now) },
    before: after === undefined ? undefined : position(after),
  };
}

function moment(name: 'since' | 'until', text: string | undefined, now: Date): Date | undefined {
  if (text === undefined) return undefined;
  // A day is meant whole.
  const found = momentAgo(text, now, name === 'until' ? 'after' : 'first');
  if (found) return found;
  throw queryInvalid(
    `${name} is neither a date nor a time nor a duration.`,
    'Examples: 2026-11-24, 2026-11-24T12:00:00Z, P7D.',
  );
}

function position(text: string): TrailPosition {
  const [, file = '', at = ''] = /^([^:]{1,40}):(\d{1,15})$/.exec(text) ?? [];
  if (parseFileName(file)) return { file, position: Number(at) };
  throw queryInvalid('after is no place in the trail.', 'Follow nextLink.');
}

/** The query of the next page: the same, but for where it begins. */
export function nextQuery(query: URLSearchParams, { file, position: at }: TrailPosition): string {
  const next = new URLSearchParams(query);
  next.set('after', `${file}:${at}`);
  return next.toString();
}
