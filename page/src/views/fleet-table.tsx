import { keyLabel, shortVersion } from '../../../src/keys/short-names.ts';
import type { FleetRow } from '../api/types.ts';
import { href } from '../route.ts';
import { ago, Time } from '../ui/time.tsx';
import { useWindow } from '../ui/use-window.ts';
import { HealthBadge } from './health.tsx';
import { COLUMN_NAMES, causeOf, type FleetSort } from './sort-fleet.ts';

/** Height of a row, as in `.rows td` of the style sheet. Pixels. */
const ROW = { wide: 41.25, narrow: 60 };
/** A phone shows the other columns below the name, and in the view of the account. */
const NARROW = ['account', 'health'];

const ORDERS = {
  ascending: { name: 'ascending', arrow: ' ↑' },
  descending: { name: 'descending', arrow: ' ↓' },
} as const;

interface FleetTableProps {
  readonly rows: readonly FleetRow[];
  readonly sort: FleetSort;
  readonly setSort: (sort: string) => void;
}

/** Renders only the visible ones of thousands of accounts. */
export function FleetTable({ rows, sort, setSort }: FleetTableProps) {
  const { from, to, container, rowPx } = useWindow(rows.length, ROW);

  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keys
    <section class="rows" ref={container} tabIndex={0} aria-label="Accounts">
      <table aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {COLUMN_NAMES.map((name) => {
              const isSorted = sort.column === name;
              const order = sort.isDescending ? ORDERS.descending : ORDERS.ascending;

              return (
                <th
                  key={name}
                  scope="col"
                  class={NARROW.includes(name) ? undefined : `optional of-${name}`}
                  aria-sort={isSorted ? order.name : undefined}
                >
                  <button
                    type="button"
                    class="sort"
                    onClick={() => setSort(isSorted && !sort.isDescending ? `-${name}` : name)}
                  >
                    {name.charAt(0).toUpperCase() + name.slice(1)}
                    <span aria-hidden="true">{isSorted ? order.arrow : ''}</span>
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {from > 0 && <Pad height={from * rowPx} />}
          {rows.slice(from, to).map((row, index) => {
            const cause = causeOf(row);
            const key = row.key ? keyLabel(row.key) : 'Microsoft-managed keys';

            return (
              <tr key={row.id} aria-rowindex={from + index + 2}>
                <th scope="row" title={row.name}>
                  <a href={href(['fleet', row.name])}>{row.name}</a>
                  <small class="under">
                    {row.health.since && `${ago(row.health.since)}: `}
                    {cause || key}
                  </small>
                </th>
                <td>
                  <HealthBadge state={row.health.state} />
                </td>
                <td class="optional">{row.health.since ? <Time at={row.health.since} /> : '–'}</td>
                <td class="optional" title={cause}>
                  {cause || '–'}
                </td>
                <td class="optional" title={key}>
                  {key}
                </td>
                <td class="optional">
                  {row.version ? <span class="mono">{shortVersion(row.version)}</span> : '–'}
                  {row.mode ? ` ${row.mode}` : ''}
                </td>
                <td class="optional" title={row.subscription}>
                  {row.resourceGroup}
                </td>
                <td class="optional">{row.region}</td>
              </tr>
            );
          })}
          {to < rows.length && <Pad height={(rows.length - to) * rowPx} />}
        </tbody>
      </table>
    </section>
  );
}

/** Replaces the rows that are not visible. */
function Pad({ height }: { readonly height: number }) {
  return (
    <tr>
      {/* Only one cell: across columns that a phone hides, it would keep their width. */}
      <td class="pad" style={{ height: `${height}px` }} />
    </tr>
  );
}
