import { useMemo } from 'preact/hooks';
import { count, digits, keyLabel } from '../../../src/keys/short-names.ts';
import { HEALTH_STATES } from '../../../src/status/health-states.ts';
import type { FleetList, FleetRow } from '../api/types.ts';
import { usePoll, WHOLE_LIST } from '../api/use-poll.ts';
import { FleetGrid } from '../pictures/fleet-grid.tsx';
import { replaceQuery } from '../route.ts';
import { Heading } from '../ui/heading.tsx';
import { Prose } from '../ui/prose.tsx';
import { saveFile } from '../ui/save-file.ts';
import { Section } from '../ui/section.tsx';
import { type FleetQuery, filterFleet, prepare } from './filter-fleet.ts';
import { FleetTable } from './fleet-table.tsx';
import { HEALTH_WORDS } from './health.tsx';
import { COLUMN_NAMES, fleetCsv, parseSort, sortFleet } from './sort-fleet.ts';

/** Rows of a page: the maximum of the API. */
const PAGE = 1_000;
const NONE: readonly FleetRow[] = [];
const FIELDS = ['q', 'health', 'key', 'cause'] as const;

/** All accounts, with filters and a search, which the address contains. */
export function FleetView({ query }: { readonly query: URLSearchParams }) {
  const fleet = usePoll<FleetList>(`/fleet?top=${PAGE}`, 20_000, WHOLE_LIST);
  const rows = fleet.data?.value ?? NONE;
  const prepared = useMemo(() => prepare(rows), [rows]);
  const keys = useMemo(() => [...new Set(rows.flatMap(({ key }) => key ?? []))].sort(), [rows]);

  const asked: FleetQuery = Object.fromEntries(
    FIELDS.flatMap((name) => {
      const value = query.get(name);
      return value ? [[name, value]] : [];
    }),
  );

  const text = query.toString();
  const found = useMemo(() => filterFleet(prepared, asked), [prepared, text]);
  const around = useMemo(
    () => filterFleet(prepared, { ...asked, health: undefined, cause: undefined }),
    [prepared, text],
  );
  const sortText = query.get('sort') ?? '';
  const sort = parseSort(sortText);
  const sorted = useMemo(() => sortFleet(found, sort), [found, sortText]);
  const set = (name: (typeof FIELDS)[number] | 'sort', value: string) =>
    replaceQuery(['fleet'], { ...asked, sort: sortText, [name]: value });

  return (
    <>
      <Heading>Fleet</Heading>
      <Section title="All accounts" of={fleet}>
        {fleet.data?.warnings.map((warning) => (
          <p key={warning} class="muted">
            <Prose text={warning} />
          </p>
        ))}
        {fleet.data && rows.length === 0 && <NoAccount isFiltered={false} />}
        {rows.length > 0 && (
          <>
            <div class="row">
              <p role="status">
                {count(found.length, 'account')}
                {found.length === rows.length ? '' : ` of ${digits(rows.length)}`}
                {asked.cause ? ' of one cause' : ''}
              </p>
              <button type="button" class="small" onClick={() => saveFile('fleet.csv', fleetCsv(sorted), 'text/csv')}>
                Download CSV
              </button>
            </div>
            <FleetGrid
              rows={around}
              health={asked.health}
              cause={asked.cause}
              choose={(health, cause) => replaceQuery(['fleet'], { ...asked, sort: sortText, health, cause })}
            />
            <search class="filters">
              <label class="field wide">
                <span>Search</span>
                <input
                  type="search"
                  value={asked.q ?? ''}
                  placeholder="name, region, tag …"
                  autocomplete="off"
                  onInput={(event) => set('q', event.currentTarget.value)}
                />
              </label>
              <Choice name="Health" value={asked.health} set={(value) => set('health', value)}>
                {HEALTH_STATES.map((state) => [state, HEALTH_WORDS[state][1]])}
              </Choice>
              <Choice name="Key" value={asked.key} set={(value) => set('key', value)}>
                {keys.map((key) => [keyLabel(key), keyLabel(key)])}
              </Choice>
              <div class="narrow">
                <Choice name="Sort by" all="health" value={sortText} set={(value) => set('sort', value)}>
                  {COLUMN_NAMES.flatMap((name) => [[name, name] as const, [`-${name}`, `${name}, reversed`] as const])}
                </Choice>
              </div>
              {Object.keys(asked).length > 0 && (
                <button type="button" onClick={() => replaceQuery(['fleet'], {})}>
                  Show all
                </button>
              )}
            </search>
            {found.length === 0 ? (
              <NoAccount isFiltered />
            ) : (
              <FleetTable rows={sorted} sort={sort} setSort={(value) => set('sort', value)} />
            )}
          </>
        )}
      </Section>
    </>
  );
}

/** Why a list of accounts is empty. */
export function NoAccount({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered) return <p>No account matches the filters.</p>;
  return (
    <p>
      No storage account uses a key of a managed vault yet. <code>cmk account enable</code> puts an account on a key.
    </p>
  );
}

interface ChoiceProps {
  /** The text of the empty choice. */
  readonly all?: string;
  readonly name: string;
  readonly value: string | undefined;
  readonly set: (value: string) => void;
  readonly children: readonly (readonly [value: string, words: string])[];
}

function Choice({ name, all = 'all', value = '', set, children }: ChoiceProps) {
  // Keep a value that the list does not have (yet), since the address has it.
  const options =
    value === '' || children.some(([one]) => one === value) ? children : [...children, [value, value] as const];

  return (
    <label class="field">
      <span>{name}</span>
      <select value={value} onChange={(event) => set(event.currentTarget.value)}>
        <option value="">{all}</option>
        {options.map(([one, words]) => (
          <option key={one} value={one}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}
