import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { parseFileName, type TrailPosition } from '../audit/file-name.ts';
import { findRecord } from '../audit/find-record.ts';
import { AUDIT_RECORD, type AuditEntry } from '../audit/record.ts';
import { searchTrail } from '../audit/search-trail.ts';
import { listNamedKeys } from '../audit/trail-filter.ts';
import { abortAfter } from '../azure/deadline.ts';
import { parseMomentAgo } from '../formats/duration.ts';
import { answerConditionally, createJsonResponse } from '../http/answers.ts';
import { HttpProblem, runOrUnavailable } from '../http/problem.ts';
import { createQueryInvalid, type QueryOf } from '../http/query.ts';
import { type Call, ok, READ, type Route, route } from './route.ts';

const filter = (description: string) =>
  ({ description, schema: z.string().min(1, 'is empty').max(1_000).optional() }) as const;

const AUDIT_QUERY = {
  key: filter('Records about this key: `<key>`, `<vault>/<key>` or an identifier.'),
  vault: filter('Records about keys of this vault (name).'),
  account: filter('Records about this storage account (name or ARM id).'),
  by: filter('Records of this person or application (object id or name); `app` for the app itself.'),
  action: filter('An action (`key.revoke`), or every action of a subject (`key`).'),
  since: filter('Earliest time of a record: a date, a time (ISO 8601, UTC) or a duration ago (`P7D`).'),
  until: filter('Records before this time; a date means the end of that day.'),
  after: filter('Start of the page, copied from `nextLink`.'),
} as const;

export const AUDIT_LIST = z.object({
  value: z.array(AUDIT_RECORD).describe('Newest first.'),
  searchedBackTo: z.iso
    .datetime()
    .optional()
    .describe(
      'Set when the page ended because the call reached its read limit: time of the oldest record read. `nextLink` continues from there.',
    ),
  nextLink: z.string().optional().describe('Next page with older records; an empty page may have a next page.'),
});

export const AUDIT_RECORD_WHOLE = AUDIT_RECORD.partial({ entry: true }).extend({
  next: z.string().optional().describe('Next file of the chain. Only a closing record has it, in place of `entry`.'),
  line: z.string().describe('Line of the record in the file, from which you can recompute its hash.'),
  prev: z.string().describe('Hash of the previous record. `cmk audit verify` checks the chain.'),
});

/** The audit trail. */
export const AUDIT_ROUTES: readonly Route[] = [
  route({
    id: 'audit',
    ...READ,
    path: '/audit',
    summary: 'List the audit records of keys and accounts, newest first.',
    description:
      'A caller with a scoped role sees only records about keys in its scope. A record must match every given filter.',
    reach: 'handler',
    query: AUDIT_QUERY,
    answers: ok('At most 100 records.', { AuditList: AUDIT_LIST }),
    conditional: true,
    refusals: ['ServiceUnavailable'],
    handle: showTrail,
  }),
  route({
    id: 'auditRecord',
    ...READ,
    path: '/audit/{id}',
    summary: 'Get one complete record.',
    reach: 'handler',
    params: {
      id: {
        description: 'Number (`seq`) of the record, or its `id` if the record is at most 30 days old.',
        schema: z.string().min(1).max(100),
      },
    },
    answers: ok('The record.', { AuditRecord: AUDIT_RECORD_WHOLE }),
    refusals: ['AuditRecordNotFound', 'ServiceUnavailable'],
    handle: showRecord,
  }),
];

/** Records per page. */
const PAGE = 100;
/** Most bytes of the trail that a call reads, and the time after which it starts no further read, in milliseconds. */
const MOST_BYTES = 16 * 1024 * 1024;
const SEARCH_MS = 10_000;

/** Returns a page of the records that the caller may see. */
async function showTrail(call: Call<QueryOf<typeof AUDIT_QUERY>>): Promise<HttpResponseInit> {
  const { query, request, services } = call;
  const { filter: wanted, before } = trailQuery(query, services.now());
  const limits = { most: PAGE, mostBytes: MOST_BYTES, sees: visibilityOf(call) };
  const { records, searchedBackTo, next } = await fromTrail(() =>
    abortAfter((signal) => searchTrail(services.auditWatch.files, wanted, { ...limits, signal }, before), SEARCH_MS),
  );
  const nextLink = next && `/api/audit?${nextQuery(query, next)}`;
  const page = { value: records, searchedBackTo, nextLink };
  return answerConditionally(request.headers, createJsonResponse(200, page), page);
}

/** Returns one complete record. @throws {@link HttpProblem} 404, also for a record that the caller may not see */
async function showRecord(call: Call): Promise<HttpResponseInit> {
  const id = call.request.params.id ?? '';
  const found = await fromTrail(() =>
    abortAfter((signal) => findRecord(call.services.auditWatch.files, id, 4 * MOST_BYTES, signal), SEARCH_MS),
  );
  if (!found || !visibilityOf(call)(found.record)) throw new HttpProblem('AuditRecordNotFound');
  const { record, file, line } = found;
  const { v: _, ...rest } = record;
  return createJsonResponse(200, { ...rest, file, line } satisfies z.output<typeof AUDIT_RECORD_WHOLE>);
}

/** A caller with a scoped role sees only records whose keys are all in its scope. */
function visibilityOf({ reaches }: Call): (record: { readonly entry?: AuditEntry | undefined }) => boolean {
  if (reaches(undefined)) return () => true;
  return ({ entry }) => {
    const keys = entry ? listNamedKeys(entry) : [];
    return keys.length > 0 && keys.every(reaches);
  };
}

const fromTrail = <T>(read: () => Promise<T>): Promise<T> =>
  runOrUnavailable(read, (why) => `The app could not read the audit trail: ${why}`);

/** `before` is the position at which the previous page ended. @throws {@link HttpProblem} `QueryInvalid` */
function trailQuery({ since, until, after, ...rest }: QueryOf<typeof AUDIT_QUERY>, now: Date) {
  return {
    filter: { ...rest, since: moment('since', since, now), until: moment('until', until, now) },
    before: after === undefined ? undefined : position(after),
  };
}

function moment(name: 'since' | 'until', text: string | undefined, now: Date): Date | undefined {
  if (text === undefined) return undefined;
  // A date as `until` includes the whole day.
  const found = parseMomentAgo(text, now, name === 'until' ? 'after' : 'first');
  if (found) return found;
  throw createQueryInvalid(
    `${name} is not a date, time or duration.`,
    'Examples: 2026-11-24, 2026-11-24T12:00:00Z, P7D.',
  );
}

function position(text: string): TrailPosition {
  const [, file = '', at = ''] = /^([^:]{1,40}):(\d{1,15})$/.exec(text) ?? [];
  if (parseFileName(file)) return { file, position: Number(at) };
  throw createQueryInvalid('after is not a position in the trail.', 'Use the nextLink of the page before.');
}

/** Query of the next page: the same filters with a new start. */
function nextQuery({ after: _, ...query }: QueryOf<typeof AUDIT_QUERY>, { file, position: at }: TrailPosition): string {
  const given = Object.entries(query).filter((one): one is [string, string] => one[1] !== undefined);
  return new URLSearchParams([...given, ['after', `${file}:${at}`]]).toString();
}
