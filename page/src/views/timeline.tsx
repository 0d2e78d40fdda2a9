import type { KeyStatusResponse } from '../api/types.ts';
import { shortVersion } from '../names.ts';
import { serverNow } from '../server-time.ts';
import { USABILITY } from './break-glass/versions.tsx';

const MARGIN = 0.04;
/** The newest, where there are many; the table below has all. */
const MOST = 12;
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

/** When each version was and will be of use. A picture of the tables below it, which say the same in words. */
export function Timeline({ versions, usage }: Pick<KeyStatusResponse, 'versions' | 'usage'>) {
  const now = serverNow().getTime();
  const shown = [...versions].sort((a, b) => (a.createdOn < b.createdOn ? 1 : -1)).slice(0, MOST);
  const starts = shown.map(({ activeFrom, createdOn }) => Date.parse(activeFrom ?? createdOn));
  const ends = shown.map(({ expiresOn, version }) =>
    Math.max(expiresOn ? Date.parse(expiresOn) : now, lastAsked(usage, version) ?? now),
  );
  const isOpen = shown.some(({ expiresOn }) => !expiresOn);
  const from = Math.min(now, ...starts);
  const to = Math.max(now, ...ends);
  const span = Math.max(to - from, 24 * 3_600_000);
  const place = (at: number): number => (MARGIN + ((at - from) / span) * (1 - 2 * MARGIN)) * 100;
  return (
    <div aria-hidden="true">
      <ol class="timeline">
        {shown.map(({ version, state, expiresOn, activeFrom, createdOn }) => {
          const start = place(Date.parse(activeFrom ?? createdOn));
          const asked = lastAsked(usage, version);
          // Without an expiry it is of use for good.
          const width = (expiresOn ? place(Date.parse(expiresOn)) : 100) - start;
          return (
            <li key={version}>
              <span class="mono">{shortVersion(version)}</span>
              <span class="track">
                <span
                  class={`bar tone-${USABILITY[state][0]}`}
                  style={{ left: `${start}%`, width: `${Math.max(width, 0.5)}%` }}
                />
                {asked !== undefined && <span class="asked" style={{ left: `${place(asked)}%` }} />}
                <span class="today" style={{ left: `${place(now)}%` }} />
              </span>
            </li>
          );
        })}
      </ol>
      <p class="ends">
        <span>{DAY.format(from)}</span>
        <span>the thin line is now{usage?.trackedSince ? ', a dot the last request in the log' : ''}</span>
        <span>{isOpen ? 'no end' : DAY.format(from + span)}</span>
      </p>
    </div>
  );
}

function lastAsked(usage: KeyStatusResponse['usage'], version: string): number | undefined {
  const { wrapped, unwrapped, other } = usage?.versions.find((one) => one.version === version) ?? {};
  const times = [wrapped, unwrapped, other].flatMap((last) => (last ? Date.parse(last.on) : []));
  return times.length > 0 ? Math.max(...times) : undefined;
}
