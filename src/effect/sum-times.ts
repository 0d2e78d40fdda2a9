import { z } from 'zod';
import { percentile } from '../time/percentile.ts';
import type { EffectTime } from './effect.ts';

const count = z.int().nonnegative();
const seconds = z.number().nonnegative();

/** How long changes of a key took to show, as answers have it. */
export const EFFECT_TIMES = z
  .array(
    z.object({
      expect: z
        .enum(['blocked', 'open'])
        .describe('`blocked`: from a revocation until data was refused. `open`: from a restore until it was served.'),
      service: z
        .enum(['file', 'blob'])
        .describe('Whose data was asked for: that of Azure Files, or of Azure Blob Storage.'),
      measured: count.describe('Times that were measured: one for each account and change.'),
      notSeen: count.describe(
        'Accounts and changes that were followed, and did not show it by then. They are in the percentiles as that: as longer than they were followed.',
      ),
      accounts: count.describe('Accounts that both are from.'),
      changes: count.describe('Revocations or restores that both are from.'),
      p50Seconds: seconds
        .optional()
        .describe('Half showed it within so long. Absent: not so many were seen to show it at all.'),
      p95Seconds: seconds.optional().describe('The same of 95 in 100.'),
      longestSeconds: seconds.optional().describe('The longest that was measured.'),
      followedSeconds: seconds.optional().describe('For how long the one that was not seen was followed, the longest.'),
      since: z.iso.datetime().describe('When the earliest of these changes was made.'),
      until: z.iso.datetime().describe('The latest of them.'),
    }),
  )
  .describe(
    "How long earlier changes of this key took to show, from the last write in Key Vault to the first probe that saw it: the app's own measurements, as Azure promises no time. Empty: none yet. Absent: they cannot be read now.",
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
