import type { KeySummary } from '../api/types.ts';
import { href } from '../route.ts';
import { serverNow } from '../server-time.ts';
import { type ExpiryRow, expiryRows } from './expiry.ts';
import { distance, timeScale } from './time-scale.ts';
import { Axis, MarkLegend, Track } from './time-track.tsx';

/** When each key expires and rotates, on one time line. The table of keys has the same dates. */
export function ExpiryLines({ keys }: { readonly keys: readonly KeySummary[] }) {
  const now = serverNow().getTime();
  const rows = expiryRows(keys, now);
  if (rows.length === 0) return null;

  const times = rows.flatMap(({ from, expiry, rotation, period }) => [
    from,
    expiry ?? from,
    rotation ?? from,
    period ?? from,
  ]);

  const scale = timeScale([now, ...times]);

  return (
    <div class="time-lines" aria-hidden="true">
      <div class="time-line">
        <span />
        <Axis scale={scale} now={now} />
        <span />
      </div>
      {rows.map((row) => (
        <div key={row.key} class="time-line">
          <a href={href(['keys', row.vault, row.name])} tabIndex={-1}>
            {row.vault}/{row.name}
          </a>
          <Track scale={scale} now={now} bars={barsOf(row, now)} marks={marksOf(row)} />
          <DueWords row={row} now={now} />
        </div>
      ))}
      <MarkLegend kinds={['rotation', 'period']}>
        <span>a bar ends with the expiry; red: overdue</span>
      </MarkLegend>
    </div>
  );
}

/** One bar in the tone of the key. If the key is overdue, only the part from the due date until now has that tone. */
function barsOf({ from, expiry, tone, due }: ExpiryRow, now: number) {
  if (!due || due.at >= now) return [{ from, to: expiry, tone }];
  return [
    ...(from < due.at ? [{ from, to: due.at, tone: 'none' as const }] : []),
    { from: due.at, to: now, tone },
    ...(expiry === undefined || expiry > now ? [{ from: now, to: expiry, tone: 'none' as const }] : []),
  ];
}

const marksOf = ({ rotation, period }: ExpiryRow) =>
  [
    { at: period, kind: 'period' },
    { at: rotation, kind: 'rotation' },
  ] as const;

function DueWords({ row: { due, tone, isOff }, now }: { readonly row: ExpiryRow; readonly now: number }) {
  if (isOff) return <span class={`due tone-${tone}`}>Revoked or disabled</span>;
  if (!due) return <span class="muted">nothing is due</span>;
  const isPast = due.at < now;
  return (
    <span class={`due tone-${tone}`}>
      {isPast ? `${due.overdue} ${distance(now - due.at)} ago` : `${due.next} in ${distance(due.at - now)}`}
    </span>
  );
}
