import { count, digits } from '../../../src/keys/short-names.ts';
import type { RotationSummary } from '../api/types.ts';
import { serverNow } from '../server-time.ts';
import { isPast, Time } from '../ui/time.tsx';
import { rateWords, regionsOf } from './region-progress.ts';

/** A rotation as a bar for each region, with its rate and its expected end. */
export function RegionBars({ rotation, label }: { readonly rotation: RotationSummary; readonly label: string }) {
  const regions = regionsOf(rotation, serverNow().getTime());
  if (regions.length === 0) return null;

  const isMoving = !isStopped(rotation) && regions.some(({ waiting }) => waiting > 0);

  return (
    <table class="regions">
      <caption class="hidden">Rotation of {label} by region</caption>
      <thead>
        <tr>
          <th scope="col">Region</th>
          <th scope="col" class="of-bar">
            Moved
          </th>
          {isMoving && <th scope="col">Rate</th>}
          {isMoving && <th scope="col">Expected end</th>}
        </tr>
      </thead>
      <tbody>
        {regions.map(({ region, subscriptions, moved, waiting, failed, perMinute, expectedEnd }) => {
          const all = moved + waiting + failed;

          return (
            <tr key={region}>
              <th scope="row">
                {region}
                {subscriptions > 1 && <small> {count(subscriptions, 'subscription')}</small>}
              </th>
              <td class="of-bar">
                <svg class="progress" aria-hidden="true" focusable="false">
                  <rect class="done" width={`${(moved / all) * 100}%`} height="100%" />
                  <rect class="failed" x={`${(moved / all) * 100}%`} width={`${(failed / all) * 100}%`} height="100%" />
                </svg>
                <span>
                  {digits(moved)} of {digits(all)}
                  {failed > 0 && <strong class="tone-bad">, {digits(failed)} failed</strong>}
                </span>
              </td>
              {isMoving && <td class="of-rate">{waiting > 0 && rateWords(perMinute)}</td>}
              {isMoving && (
                <td class="of-end">{waiting > 0 ? <End expectedEnd={expectedEnd} /> : failed === 0 && 'done'}</td>
              )}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** Whether the rotation moves nothing now, so that it has no rate and no expected end: it is paused, or its gate is closed. */
export function isStopped({ state }: Pick<RotationSummary, 'state'>): boolean {
  return state === 'paused' || state === 'held';
}

function End({ expectedEnd }: { readonly expectedEnd: string | undefined }) {
  if (!expectedEnd) return <>not known</>;
  return isPast(expectedEnd) ? (
    <>any moment</>
  ) : (
    <>
      ends <Time at={expectedEnd} />
    </>
  );
}
