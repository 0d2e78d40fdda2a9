import { shortVersion } from '../../../src/keys/short-names.ts';
import type { KeyStatusResponse } from '../api/types.ts';
import { serverNow } from '../server-time.ts';
import { USABILITY } from '../views/break-glass/versions.tsx';
import { timeScale } from './time-scale.ts';
import { Axis, MarkLegend, Track } from './time-track.tsx';

/** Maximum number of versions in the picture, newest first. The table below has all. */
const MOST = 12;

type KeyTimes = Pick<KeyStatusResponse, 'versions' | 'usage' | 'nextRotation' | 'cryptoPeriodEndsOn'>;

/** When each version is usable, past and future. The tables below have the same dates. */
export function VersionLines({ versions, usage, nextRotation, cryptoPeriodEndsOn }: KeyTimes) {
  const now = serverNow().getTime();
  const shown = [...versions].sort((a, b) => (a.createdOn < b.createdOn ? 1 : -1)).slice(0, MOST);
  const planned = nextRotation?.by === 'none' ? undefined : nextRotation?.on;
  const next = [planned, cryptoPeriodEndsOn].map((time) => (time === undefined ? undefined : Date.parse(time)));
  const [rotation, period] = next;

  const times = shown.flatMap(({ activeFrom, expiresOn, version }) => [
    Date.parse(activeFrom),
    expiresOn ? Date.parse(expiresOn) : now,
    lastAsked(usage, version) ?? now,
  ]);

  const scale = timeScale([now, ...next.map((at) => at ?? now), ...times]);

  return (
    <div class="time-lines of-versions" aria-hidden="true">
      <div class="time-line">
        <span />
        <Axis scale={scale} now={now} />
      </div>
      {shown.map(({ version, state, expiresOn, activeFrom }, index) => (
        <div key={version} class="time-line">
          <span class="mono">{shortVersion(version)}</span>
          <Track
            scale={scale}
            now={now}
            bars={[
              {
                from: Date.parse(activeFrom),
                // A version without an expiry stays usable.
                to: expiresOn ? Date.parse(expiresOn) : undefined,
                tone: USABILITY[state][0],
              },
            ]}
            marks={[
              { at: lastAsked(usage, version), kind: 'request' },
              ...(index === 0
                ? ([
                    { at: period, kind: 'period' },
                    { at: rotation, kind: 'rotation' },
                  ] as const)
                : []),
            ]}
          />
        </div>
      ))}
      <MarkLegend kinds={['rotation', 'period', ...(usage?.trackedSince ? (['request'] as const) : [])]} />
    </div>
  );
}

function lastAsked(usage: KeyStatusResponse['usage'], version: string): number | undefined {
  const { wrapped, unwrapped, other } = usage?.versions.find((one) => one.version === version) ?? {};
  const times = [wrapped, unwrapped, other].flatMap((last) => (last ? Date.parse(last.on) : []));
  return times.length > 0 ? Math.max(...times) : undefined;
}
