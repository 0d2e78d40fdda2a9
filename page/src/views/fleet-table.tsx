import type { FleetRow } from '../api/types.ts';
import { keyLabel, shortVersion } from '../names.ts';
import { href } from '../route.ts';
import { useWindow } from '../ui/use-window.ts';
import { HealthBadge } from './health.tsx';

/** As `.rows td` in the style sheet has them. Pixels. */
const ROW = { wide: 41.25, narrow: 60 };
const COLUMNS = 6;

/** Thousands of accounts, of which those in sight are drawn. */
export function FleetTable({ rows }: { readonly rows: readonly FleetRow[] }) {
  const { from, to, container, rowPx } = useWindow(rows.length, ROW);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keys
    <section class="rows" ref={container} tabIndex={0} aria-label="Accounts">
      <table aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">Account</th>
            <th scope="col">Health</th>
            <th scope="col" class="optional">
              Key
            </th>
            <th scope="col" class="optional">
              Version
            </th>
            <th scope="col" class="optional">
              Group
            </th>
            <th scope="col" class="optional">
              Region
            </th>
          </tr>
        </thead>
        <tbody>
          {from > 0 && <Pad height={from * rowPx} />}
          {rows.slice(from, to).map((row, index) => (
            <tr key={row.id} aria-rowindex={from + index + 2}>
              <th scope="row" title={row.name}>
                <a href={href(['fleet', row.name])}>{row.name}</a>
                <small class="under">{row.key ? keyLabel(row.key) : 'Microsoft-managed keys'}</small>
              </th>
              <td>
                <HealthBadge state={row.health.state} />
              </td>
              <td class="optional">{row.key ? keyLabel(row.key) : 'Microsoft-managed'}</td>
              <td class="optional">
                {row.version ? <span class="mono">{shortVersion(row.version)}</span> : '–'}
                {row.mode ? ` ${row.mode}` : ''}
              </td>
              <td class="optional" title={row.subscription}>
                {row.resourceGroup}
              </td>
              <td class="optional">{row.region}</td>
            </tr>
          ))}
          {to < rows.length && <Pad height={(rows.length - to) * rowPx} />}
        </tbody>
      </table>
    </section>
  );
}

/** In the place of rows out of sight. */
function Pad({ height }: { readonly height: number }) {
  return (
    <tr>
      <td class="pad" colSpan={COLUMNS} style={{ height: `${height}px` }} />
    </tr>
  );
}
