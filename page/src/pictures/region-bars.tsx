import type { RotationSummary } from '../api/types.ts';
import { count, digits } from '../names.ts';
import { serverNow } from '../server-time.ts';
import { isPast, Time } from '../ui/time.tsx';
import { rateWords, regionsOf } from './region-progress.ts';

/** A rotation as a bar for each region, with its rate and its expected end. */
export function RegionBars({ rotation, label }: { readonly rotation: RotationSummary; readonly label: string }) {
  const regions = regionsOf(rotation, serverNow().getTime());
  if (regions.length === 0) return null;
  return (
    <table class="regions">
      <caption class="hidden">Rotation of {label} by region</caption>
      <thead>
        <tr>
          <th scope="col">Region</th>
          <th scope="col" class="of-bar">
            Moved
          </th>
          <th scope="col">Rate</th>
          <th scope="col">Expected end</th>
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
              <td class="of-rate">{waiting > 0 && !isStopped(rotation) && rateWords(perMinute)}</td>
              <td class="of-end">
                {waiting === 0 ? failed > 0 ? 'retried' : 'done' : <End {...{ rotation, expectedEnd }} />}
              </td>
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

interface EndProps {
  readonly rotation: RotationSummary;
  readonly expectedEnd: string | undefined;
}

function End({ rotation, expectedEnd }: EndProps) {
  if (isStopped(rotation)) return <>{rotation.state}</>;
  if (!expectedEnd) return <>not known</>;
  return isPast(expectedEnd) ? (
    <>any moment</>
  ) : (
    <>
      ends <Time at={expectedEnd} />
    </>
  );
}
