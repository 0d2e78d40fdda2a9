import type { HttpResponseInit } from '@azure/functions';
import { timeBoxed } from '../../azure/deadline.ts';
import { csvLine } from '../../csv.ts';
import { prefers } from '../../http/accept.ts';
import { type AccessRules, reachesAll, reachesKey } from '../../http/access.ts';
import { conditional } from '../../http/etag.ts';
import type { HeaderReader } from '../../http/headers.ts';
import { jsonResponse } from '../../http/json-response.ts';
import { orUnavailable } from '../../http/or-unavailable.ts';
import { type PartTelling, partContent, partView } from '../../http/part.ts';
import { HttpProblem } from '../../http/problem.ts';
import { queryInvalid, queryOf } from '../../http/query.ts';
import type { Caller } from '../../http/token-claims.ts';
import { REASONS } from '../../reasons.ts';
import { momentAgo } from '../../time/duration.ts';
import { parseFileName } from '../file-name.ts';
import type { TrailPosition } from '../find-entry.ts';
import { findRecord, type PlacedRecord } from '../find-record.ts';
import type { TrailProof } from '../prove-trail.ts';
import { searchTrail, type TrailPage } from '../search-trail.ts';
import { TRAIL_COLUMNS, trailRow } from '../trail-columns.ts';
import { keysNamed, type RecordedEntry, recordedEntry, type TrailFilter } from '../trail-filter.ts';
import type { AuditProof, AuditRecordView, AuditRecordWhole } from '../trail-view.ts';
import type { AuditWatch } from '../verify-trail.ts';

interface AuditApiPorts {
  readonly settings: { readonly access: AccessRules };
  readonly auditWatch: AuditWatch;
  readonly now: () => Date;
}

/** Records on a page: as JSON, and as CSV. */
const PAGE = 100;
const CSV_PAGE = 1_000;
/** A call reads no more of the trail than this, in bytes, and begins to read no later than this, in milliseconds. */
const MOST_BYTES = 16 * 1024 * 1024;
const SEARCH_MS = 10_000;

interface TrailCall {
  readonly caller: Caller;
  readonly proof: TrailProof;
  readonly telling: PartTelling;
}

interface Asked {
  readonly query: URLSearchParams;
  readonly headers: HeaderReader;
}

export async function showTrail(
  { query, headers }: Asked,
  { caller, proof, telling }: TrailCall,
  ports: AuditApiPorts,
): Promise<HttpResponseInit> {
  const asked = auditQuery(query, ports.now());
  const isCsv = prefers(headers.get('accept') ?? '', 'text/csv');
  const most = isCsv ? CSV_PAGE : PAGE;
  const sees = sightOf(caller, ports);
  const isFirst = asked.before === undefined;
  const proving = isCsv || !isFirst ? undefined : proof.beside(ports.auditWatch);
  const page = await fromTrail(() =>
    timeBoxed(
      (signal) =>
        searchTrail(ports.auditWatch.files, asked.filter, { most, mostBytes: MOST_BYTES, signal, sees }, asked.before),
      SEARCH_MS,
    ),
  );
  const next = page.next && `/api/audit?${nextQuery(query, page.next)}`;
  if (isCsv) return csvAnswer(page, next, headers);
  return jsonAnswer(page, next, proving && partView(await proving, (held) => held, telling), headers);
}

function jsonAnswer(
  { records, searchedBackTo }: TrailPage,
  next: string | undefined,
  proof: AuditProof | undefined,
  headers: HeaderReader,
) {
  const page = {
    value: records.map(viewOf),
    ...(searchedBackTo ? { searchedBackTo } : {}),
    ...(next ? { nextLink: next } : {}),
  };
  const body = { ...page, ...(proof ? { proof } : {}) };
  return vary(conditional(headers, jsonResponse(200, body), { ...page, proof: proof && proofContent(proof) }));
}

function viewOf(record: TrailPage['records'][number]): AuditRecordView {
  return { ...record, entry: { ...record.entry } as AuditRecordView['entry'] };
}

/** Without what differs each time that it is proven, and the records that are there anyway. */
function proofContent({ value, ...part }: AuditProof): unknown {
  return partContent({ ...part, ...(value ? { value: { ...value, checkedOn: undefined } } : {}) });
}

function csvAnswer({ records }: TrailPage, next: string | undefined, headers: HeaderReader): HttpResponseInit {
  const rows = records.map((record) => {
    const row = trailRow(record);
    return csvLine(TRAIL_COLUMNS.map((column) => row[column] ?? ''));
  });
  const body = [csvLine(TRAIL_COLUMNS), ...rows].map((line) => `${line}\r\n`).join('');
  const answer = jsonResponse(200, undefined);
  const own = {
    'content-type': 'text/csv; charset=utf-8; header=present',
    'content-disposition': 'attachment; filename="audit.csv"',
    ...(next ? { link: `<${next}>; rel="next"` } : {}),
  };
  return vary(conditional(headers, { ...answer, headers: { ...(answer.headers as object), ...own }, body }, body));
}

function vary(answer: HttpResponseInit): HttpResponseInit {
  return { ...answer, headers: { ...(answer.headers as Record<string, string>), vary: 'accept' } };
}

/** Records that an account is shown with, and how much of the trail is read for them at most, in bytes and milliseconds. */
const HISTORY = { most: 20, mostBytes: 4 * 1024 * 1024, ms: 5_000 } as const;

/** The last records about an account that the caller may see. @throws {@link HttpProblem} 503 */
export async function accountHistory(
  account: string,
  caller: Caller,
  ports: AuditApiPorts,
): Promise<readonly AuditRecordView[]> {
  const { filter } = auditQuery(new URLSearchParams({ account }), ports.now());
  const { most, mostBytes, ms } = HISTORY;
  const sees = sightOf(caller, ports);
  const { records } = await fromTrail(() =>
    timeBoxed(
      (signal) => searchTrail(ports.auditWatch.files, filter, { most, mostBytes, signal, sees }, undefined),
      ms,
    ),
  );
  return records.map(viewOf);
}

/** One record whole. @throws {@link HttpProblem} 404, also for one that the caller may not see */
export async function showRecord(id: string, caller: Caller, ports: AuditApiPorts): Promise<HttpResponseInit> {
  const found = await fromTrail(() =>
    timeBoxed((signal) => findRecord(ports.auditWatch.files, id, 4 * MOST_BYTES, signal), SEARCH_MS),
  );
  const recorded = found && recordedEntry(found.record);
  const sees = sightOf(caller, ports);
  const isSeen = recorded ? sees(recorded) : sees({ entry: { action: '', reason: '', resource: '' } });
  if (found && isSeen) return jsonResponse(200, wholeRecord(found));
  throw new HttpProblem(
    404,
    'AuditRecordNotFound',
    REASONS.AuditRecordNotFound,
    'GET /api/audit has the numbers of the records.',
  );
}

function wholeRecord({ record, file, line, before, after, holds }: PlacedRecord): AuditRecordWhole {
  const { seq, id, time, hash, intact, entry, next, prev } = record;
  return {
    ...{ seq, id, time, hash, intact, file },
    ...(entry ? { entry: entry as AuditRecordView['entry'] } : {}),
    ...(next ? { next } : {}),
    line,
    chain: { prev, ...(before ? { before } : {}), ...(after ? { after } : {}), holds },
  };
}

export async function showVerification(
  headers: HeaderReader,
  proof: TrailProof,
  { auditWatch }: Pick<AuditApiPorts, 'auditWatch'>,
): Promise<HttpResponseInit> {
  const body = await proof.read(auditWatch);
  const { checkedOn: _, ...content } = body;
  return conditional(headers, jsonResponse(200, body), content);
}

/** A caller whose role is narrowed sees what is about keys in its reach, and about nothing beside them. */
function sightOf(caller: Caller, { settings }: AuditApiPorts): (record: Pick<RecordedEntry, 'entry'>) => boolean {
  const { access } = settings;
  if (reachesAll(caller, 'CmkKey.Read', access)) return () => true;
  return ({ entry }) => {
    const keys = keysNamed(entry);
    return keys.length > 0 && keys.every((key) => reachesKey(caller, 'CmkKey.Read', key, access));
  };
}

const fromTrail = <T>(read: () => Promise<T>): Promise<T> =>
  orUnavailable(
    read,
    (why) => `The audit trail cannot be read: ${why}`,
    'Repeat the call in a minute; if it stays, check the storage account of the app.',
  );

const NAMES = ['key', 'vault', 'account', 'by', 'action', 'since', 'until', 'after'] as const;

interface AuditQuery {
  readonly filter: TrailFilter;
  /** Where the page before ended. */
  readonly before: TrailPosition | undefined;
}

/** @throws {@link HttpProblem} `QueryInvalid` */
function auditQuery(query: URLSearchParams, now: Date): AuditQuery {
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

function nextQuery(query: URLSearchParams, { file, position: at }: TrailPosition): string {
  const next = new URLSearchParams(query);
  next.set('after', `${file}:${at}`);
  return next.toString();
}
