import { useRef, useState } from 'preact/hooks';
import { getGivenText } from '../../../src/audit/given-text.ts';
import { count, inWords, resourceLabel, shortVersion } from '../../../src/keys/short-names.ts';
import { type Problem, toProblem } from '../api/client.ts';
import type { AuditList, AuditRecordView as AuditRecord } from '../api/types.ts';
import { useApi, usePoll } from '../api/use-poll.ts';
import { href, replaceQuery } from '../route.ts';
import { Badge } from '../ui/badge.tsx';
import { Heading } from '../ui/heading.tsx';
import { ProblemCard } from '../ui/problem.tsx';
import { saveFile } from '../ui/save-file.ts';
import { Section } from '../ui/section.tsx';
import { Time } from '../ui/time.tsx';
import { auditCsv } from './audit-csv.ts';
import { joinRecords } from './audit-records.ts';
import { Refused } from './break-glass/answer.tsx';
import { useCall } from './break-glass/use-call.ts';
import { Resource } from './cause.tsx';
import { type FoldedMoves, foldMoves } from './fold-moves.ts';

/** Name of the parameter, label, example, and suggestions. Any other value may be typed. */
const FILTERS = [
  ['key', 'Key', 'vault/key', []],
  ['account', 'Account', 'name', []],
  ['by', 'Actor', 'name', ['app']],
  [
    ...(['action', 'Action', 'key'] as const),
    [
      'key.revoke',
      'key.restore',
      'key.rotate',
      'key.rekey',
      'account',
      'account.move',
      'fleet.pause',
      'fleet.resume',
      'drift',
    ],
  ],
  ['since', 'Since', 'P7D', ['PT1H', 'P1D', 'P7D', 'P30D']],
  ['until', 'Until', '2026-11-25', []],
] as const;

/** Who did what, when and why. */
export function AuditView({ query }: { readonly query: URLSearchParams }) {
  const asked = Object.fromEntries(FILTERS.map(([name]) => [name, query.get(name)?.trim() || undefined]));
  const path = `/audit?${new URLSearchParams(Object.entries(asked).flatMap(([name, value]) => (value ? [[name, value]] : [])))}`;
  const first = usePoll<AuditList>(path.replace(/\?$/, ''), 15_000);

  return (
    <>
      <Heading>Audit</Heading>
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          const data = new FormData(event.currentTarget);
          replaceQuery(
            ['audit'],
            Object.fromEntries(FILTERS.map(([name]) => [name, String(data.get(name) ?? '').trim()])),
          );
        }}
      >
        {FILTERS.map(([name, label, placeholder, offered]) => (
          <label key={`${name}${asked[name]}`} class="field">
            <span>{label}</span>
            <input
              name={name}
              defaultValue={asked[name] ?? ''}
              placeholder={placeholder}
              autocomplete="off"
              list={offered.length > 0 ? `offered-${name}` : undefined}
            />
            {offered.length > 0 && (
              <datalist id={`offered-${name}`}>
                {offered.map((value) => (
                  <option key={value} value={value} />
                ))}
              </datalist>
            )}
          </label>
        ))}
        <button type="submit">Filter</button>
      </form>
      <Section title="Records, newest first" of={first}>
        <Download path={path.replace(/\?$/, '')} />
        {first.data && <Records key={path} first={first.data} />}
      </Section>
    </>
  );
}

/** All records that match the filters, not only those on the page. */
function Download({ path }: { readonly path: string }) {
  const api = useApi();
  const call = useCall<string>();
  const [read, setRead] = useState(0);
  const download = async () => {
    setRead(0);
    await call.run(async () => {
      const records = joinRecords([], await api.list<AuditRecord>(`/api${path}`, setRead));
      saveFile('audit.csv', auditCsv(records), 'text/csv');
      return undefined;
    });
  };

  return (
    <>
      <p>
        <button type="button" class="small" disabled={call.isRunning} onClick={() => download()}>
          {call.isRunning ? `${count(read, 'record')} read …` : 'Download CSV'}
        </button>
      </p>
      <Refused call={call} />
    </>
  );
}

/** The first page is polled. Further pages are read on request. */
function Records({ first }: { readonly first: AuditList }) {
  const api = useApi();
  const [more, setMore] = useState<readonly AuditList[]>([]);
  const [problem, setProblem] = useState<Problem>();
  const [isLoading, setLoading] = useState(false);
  const shown = useRef<readonly AuditRecord[]>([]);

  // Once further pages are shown, they continue the first page of that time.
  const all = joinRecords(more.length > 0 ? shown.current : [], [
    ...more.flatMap(({ value }) => value),
    ...first.value,
  ]);

  shown.current = all;

  const last = more.at(-1) ?? first;
  const load = async () => {
    if (!last.nextLink || isLoading) return;
    setLoading(true);

    try {
      const { body } = await api.get<AuditList>(last.nextLink);
      if (body) setMore([...more, body]);
      setProblem(undefined);
    } catch (error) {
      setProblem(toProblem(error));
    } finally {
      setLoading(false);
    }
  };

  return (
    <>
      {all.length === 0 ? (
        <p>No record matches the filters.</p>
      ) : (
        <table class="cards">
          <caption class="hidden">Records of the audit trail, newest first</caption>
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">What</th>
              <th scope="col">About</th>
              <th scope="col">By</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {foldMoves(all).map((one) =>
              'to' in one ? (
                <FoldedRow key={one.records[0]?.id} moves={one} />
              ) : (
                <RecordRow key={one.id} record={one} />
              ),
            )}
          </tbody>
        </table>
      )}
      {problem && <ProblemCard problem={problem} />}
      {last.searchedBackTo && last.nextLink && (
        <p class="muted">
          Searched back to <Time at={last.searchedBackTo} />.
        </p>
      )}
      {last.nextLink && (
        <button type="button" disabled={isLoading} onClick={() => load()}>
          {isLoading ? 'Reading …' : 'Older ones'}
        </button>
      )}
    </>
  );
}

/** The moves of a rotation in one row, with a link to each record. */
function FoldedRow({ moves: { to, records } }: { readonly moves: FoldedMoves }) {
  const [newest] = records;
  const oldest = records.at(-1);
  const [, version] = /^(.*)\/([^/]+)$/.exec(to)?.slice(1) ?? [];
  const accounts = new Set(records.map(({ entry }) => entry.resource.toLowerCase())).size;

  return (
    <tr>
      <td data-label="When">
        <span>
          {newest && <Time at={newest.time} />}
          {oldest && oldest.time.slice(0, 16) !== newest?.time.slice(0, 16) && (
            <small>
              {' '}
              from <Time at={oldest.time} />
            </small>
          )}
        </span>
      </td>
      <th scope="row">
        <details>
          <summary>
            {newest?.entry.action} <small>{count(records.length, 'record')}</small>
          </summary>
          <ul>
            {records.map(({ id, seq, entry, intact }) => (
              <li key={id}>
                <a href={href(['audit', String(seq)])}>{resourceLabel(entry.resource)}</a>{' '}
                <small>{inWords(entry.reason)}</small> {!intact && <Badge tone="bad">Changed afterwards</Badge>}
              </li>
            ))}
          </ul>
        </details>
      </th>
      <td data-label="About">
        <span>
          {count(accounts, 'account')} to <Resource id={to} /> <span class="mono">{shortVersion(version ?? '')}</span>
        </span>
      </td>
      <td data-label="By">the app</td>
      <td data-label="Why">{causeWords(newest)}</td>
    </tr>
  );
}

/** The cause of a move. Any other cause belongs to the rotation. */
const CAUSES: Readonly<Record<string, string>> = {
  drift: 'repaired after a drift check',
  ResourceChanged: 'repaired after a change in Azure',
  rekey: 'a re-key',
};

function causeWords(record: AuditRecord | undefined): string {
  const { by = '' } = (record?.entry.details?.cause ?? {}) as { readonly by?: string };
  return CAUSES[by] ?? 'a new version of the key';
}

function RecordRow({ record }: { readonly record: AuditRecord }) {
  const { entry, time, seq, intact } = record;
  const why = getGivenText(entry, 'why') ?? entry.details?.reason ?? (entry.details?.cause && causeWords(record));

  return (
    <tr>
      <td data-label="When">
        <Time at={time} />
      </td>
      <th scope="row">
        <span>
          <a href={href(['audit', String(seq)])}>{entry.action}</a> <small>{inWords(entry.reason)}</small>{' '}
          {!intact && <Badge tone="bad">Changed afterwards</Badge>}
        </span>
      </th>
      <td data-label="About">
        <Resource id={entry.resource} />
      </td>
      <td data-label="By">{entry.caller ? (entry.caller.name ?? entry.caller.objectId) : 'the app'}</td>
      <td data-label="Why">{typeof why === 'string' ? why : '–'}</td>
    </tr>
  );
}
