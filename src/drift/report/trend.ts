import { z } from 'zod';
import type { AuditFiles } from '../../audit/audit-client.ts';
import { sumEvents, TRAIL_EVENTS, type TrailEvents } from '../../audit/sum-events.ts';
import { abortAfter } from '../../azure/deadline.ts';
import { describeError } from '../../azure/failure.ts';
import { ReadCache } from '../../azure/read-cache.ts';
import type { Log } from '../../errors/log.ts';
import { formatDay } from '../../formats/duration.ts';
import { DAY_MS, HOUR_MS } from '../../formats/spans.ts';
import type { WholeReport } from './report.ts';

// The last 30 days. Each drift check stores the totals of a day. Today's events come from the audit trail.

/** Number of days in the trend, including today. */
const TREND_DAYS = 30;
/** Time after the end of a day in which it may still get records: clocks differ, and outages delay entries. */
const SETTLED_MS = HOUR_MS;
/** Deadline of a check for all totals, and of a call for today's events, with their time to live. Milliseconds. */
const KEEP_MS = 30_000;
const TODAY_MS = 5_000;
const TODAY_TTL_MS = 30_000;
/** Reasons for an account or a scope on an old version. */
const BEHIND: ReadonlySet<string> = new Set(['StaleKeyVersion', 'LaggingAutomaticVersion', 'ScopeStaleKeyVersion']);

const count = z.int().nonnegative();
const FINDINGS = z.object({
  checkedOn: z.iso.datetime().describe('When the check began.'),
  complete: z.boolean(),
  errors: count,
  warnings: count,
  advice: count,
  behind: count.optional().describe('Accounts and scopes that were not on their target version; absent: unknown.'),
});
const TREND_DAY = z.object({
  day: z.iso.date().describe('The day in UTC.'),
  findings: FINDINGS.optional().describe("Findings of the day's last drift check; absent: no check ran."),
  events: TRAIL_EVENTS.optional().describe("Totals of the day's events; absent: not counted."),
});
export const TREND = z.object({ value: z.array(TREND_DAY) });
/** A stored day. `summedOn` shows whether the day had ended. */
export const KEPT_DAY = TREND_DAY.extend({ summedOn: z.iso.datetime().optional() });
export type TrendDay = z.output<typeof TREND_DAY>;
export type KeptDay = z.output<typeof KEPT_DAY>;

/** The stored days. Throws the SDK's errors. */
export interface TrendStore {
  trendDays(): Promise<ReadonlyMap<string, KeptDay>>;
  keepTrendDay(day: KeptDay): Promise<void>;
}

/** The last days in UTC, oldest first, including today. */
function lastDays(now: Date): string[] {
  return Array.from({ length: TREND_DAYS }, (_, n) =>
    formatDay(new Date(now.getTime() - (TREND_DAYS - 1 - n) * DAY_MS)),
  );
}

function spanOf(day: string): { readonly since: Date; readonly until: Date } {
  const since = new Date(`${day}T00:00:00Z`);
  return { since, until: new Date(since.getTime() + DAY_MS) };
}

/** Whether the totals of a day are final. */
function isSettled({ day, summedOn, events }: KeptDay): boolean {
  return events !== undefined && Date.parse(summedOn ?? '') > spanOf(day).until.getTime() + SETTLED_MS;
}

export interface TrendPorts {
  readonly driftStorage: TrendStore;
  readonly auditWatch?: { readonly files: AuditFiles } | undefined;
  readonly now: () => Date;
}

/** Stores the totals of today and yesterday. Never throws. The next check retries. */
export async function keepTrend(report: WholeReport, ports: TrendPorts, log: Log): Promise<void> {
  try {
    await abortAfter((signal) => keepDays(report, ports, signal), KEEP_MS);
  } catch (error) {
    const message = `The app could not write the totals of the day. ${describeError(error)}`;
    log({ level: 'warning', reason: 'DriftReportNotWritten', message, report: report.id });
  }
}

async function keepDays(report: WholeReport, ports: TrendPorts, signal: AbortSignal): Promise<void> {
  const { driftStorage, now } = ports;
  const days = lastDays(now());
  const kept = await driftStorage.trendDays();
  const checked = formatDay(new Date(report.startedOn));

  // Exempt findings count too.
  const behind = report.findings.filter(({ reason }) => BEHIND.has(reason)).map(({ resource }) => resource);
  const { startedOn: checkedOn, complete, counts } = report;
  const { error: errors, warning: warnings, advice } = counts;
  const findings = { checkedOn, complete, errors, warnings, advice, behind: new Set(behind).size };

  await keepDay({ ...(kept.get(checked) ?? { day: checked }), findings }, ports, signal);

  // Also updates yesterday until its totals are final.
  const yesterday = days.at(-2) ?? checked;
  const before = kept.get(yesterday);
  if (before && yesterday !== checked && !isSettled(before)) await keepDay(before, ports, signal);
}

/** Stores the findings even if the trail cannot be read. @throws the error of the trail */
async function keepDay(
  day: KeptDay,
  { driftStorage, auditWatch, now }: TrendPorts,
  signal: AbortSignal,
): Promise<void> {
  const summedOn = now().toISOString();
  const summed = auditWatch && sumEvents(auditWatch.files, { ...spanOf(day.day), signal });
  const [sum] = await Promise.allSettled([summed]);
  const events = sum.status === 'fulfilled' ? sum.value : undefined;

  // The next check counts an interrupted day again.
  await driftStorage.keepTrendDay({ ...day, ...(events?.complete ? { events, summedOn } : {}) });

  if (sum.status === 'rejected') throw sum.reason;
}

/** Reads the last 30 days. Each instance has one reader, so all callers share one cached read of today's events. */
export class TrendReader {
  readonly #today = new ReadCache<TrailEvents | undefined>(TODAY_TTL_MS);

  /**
   * The stored days, oldest first, with today's events since.
   *
   * @throws the SDK's error if the stored days cannot be read
   */
  async read({ driftStorage, auditWatch, now }: TrendPorts): Promise<TrendDay[]> {
    const days = lastDays(now());
    const today = formatDay(now());
    const sum = async () =>
      auditWatch && abortAfter((signal) => sumEvents(auditWatch.files, { ...spanOf(today), signal }), TODAY_MS);
    const [kept, events] = await Promise.all([
      driftStorage.trendDays(),
      // Without the trail, today shows its stored events.
      this.#today.read(today, sum).then(
        ({ value }) => value,
        () => undefined,
      ),
    ]);

    return days.map((day) => {
      const { summedOn: _, ...known } = kept.get(day) ?? { day };
      if (day !== today || !events) return known;
      return { ...known, events: events.complete ? events : (known.events ?? events) };
    });
  }
}
