import { z } from 'zod';
import { percentile } from '../time/percentile.ts';
import type { EffectTime } from './effect.ts';

const count = z.int().nonnegative();
const seconds = z.number().nonnegative();

/** Durations until changes of a key showed, in API answers. */
export const EFFECT_TIMES = z
  .array(
    z.object({
      expect: z
        .enum(['blocked', 'open'])
        .describe(
          '`blocked`: from a revocation until requests for data failed. `open`: from a restore until they succeeded.',
        ),
      service: z.enum(['file', 'blob']).describe('The probed service: Azure Files or Azure Blob Storage.'),
      measured: count.describe('Number of measured times: one for each account and change.'),
      notSeen: count.describe(
        'Number of accounts and changes without the effect at the last probe. The percentiles count them as longer than the probed time.',
      ),
      accounts: count.describe('Number of accounts in both counts.'),
      changes: count.describe('Number of revocations or restores in both counts.'),
      p50Seconds: seconds.optional().describe('Median of the times. Absent: fewer than half showed the effect.'),
      p95Seconds: seconds
        .optional()
        .describe('95th percentile of the times. Absent: fewer than 95 % showed the effect.'),
      longestSeconds: seconds.optional().describe('Longest measured time.'),
      followedSeconds: seconds.optional().describe('Longest probed time without the effect.'),
      since: z.iso.datetime().describe('Time of the earliest of these changes.'),
      until: z.iso.datetime().describe('Time of the latest of these changes.'),
    }),
  )
  .describe(
    "Time from the last write in Key Vault until the first probe showed the change, for earlier changes of this key. These are the app's own measurements: Azure guarantees no time. Empty: no measurements yet. Absent: the app cannot read them.",
  );

export type EffectTimes = z.output<typeof EFFECT_TIMES>;

export function sumTimes(times: readonly EffectTime[]): EffectTimes {
  return (['file', 'blob'] as const).flatMap((service) =>
    (['blocked', 'open'] as const).flatMap((expect) => {
      const of = times.filter((time) => time.service === service && time.expect === expect);
      return of.length > 0 ? [sumOf(service, expect, of)] : [];
    }),
  );
}

function sumOf(
  service: EffectTime['service'],
  expect: EffectTime['expect'],
  times: readonly EffectTime[],
): EffectTimes[number] {
  const measured = times.flatMap(({ seconds }) => seconds ?? []);
  const notSeen = times.flatMap(({ seconds, notWithin }) => (seconds === undefined ? (notWithin ?? 0) : []));
  const [p50, p95] = [percentile(measured, 50, notSeen), percentile(measured, 95, notSeen)];
  const changes = [...new Set(times.map(({ since }) => since))].sort((a, b) => Date.parse(a) - Date.parse(b));
  const [since = '', until = since] = [changes[0], changes.at(-1)];
  return {
    expect,
    service,
    measured: measured.length,
    notSeen: notSeen.length,
    accounts: new Set(times.map(({ account }) => account.toLowerCase())).size,
    changes: changes.length,
    ...(p50 === undefined ? {} : { p50Seconds: p50 }),
    ...(p95 === undefined ? {} : { p95Seconds: p95 }),
    ...(measured.length > 0 ? { longestSeconds: Math.max(...measured) } : {}),
    ...(notSeen.length > 0 ? { followedSeconds: Math.max(...notSeen) } : {}),
    since,
    until,
  };
}
