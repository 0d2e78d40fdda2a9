import { z } from 'zod';
import type { AuditFiles } from '../audit/audit-files.ts';
import { sumEvents, TRAIL_EVENTS, type TrailEvents } from '../audit/sum-events.ts';
import { abortAfter } from '../azure/deadline.ts';
import { errorText } from '../azure/failure.ts';
import { ReadCache } from '../azure/read-cache.ts';
import type { Log } from '../log.ts';
import { dayOf } from '../time/duration.ts';
import { DAY_MS, HOUR_MS } from '../time/spans.ts';
import type { WholeReport } from './report.ts';

// The last 30 days: each drift check keeps the sums of a day, and what has happened today is read from the audit trail.

/** Days that the trend shows, today included. */
const TREND_DAYS = 30;
/** How long after its end a day may still get a record: clocks differ, and entries wait for an outage to end. */
const SETTLED_MS = HOUR_MS;
/** Limits of a check, of the trail of one day and of all of them; then of a call that reads what happened today. */
const [DAY_BYTES, KEEP_MS] = [256 * 1024 * 1024, 30_000];
const [TODAY_BYTES, TODAY_MS, TODAY_TTL_MS] = [8 * 1024 * 1024, 5_000, 30_000];
/** Reasons of the findings that an account or a scope is behind. */
const BEHIND: ReadonlySet<string> = new Set(['StaleKeyVersion', 'LaggingAutomaticVersion', 'ScopeStaleKeyVersion']);

const count = z.int().nonnegative();
const FINDINGS = z.object({
  checkedOn: z.iso.datetime().describe('When the check began.'),
  complete: z.boolean(),
  errors: count,
  warnings: count,
  advice: count,
  behind: count
    .optional()
    .describe(
      'Accounts and scopes that were not on the version that they should be on; absent: not known of that day.',
    ),
});
const TREND_DAY = z.object({
  day: z.iso.date().describe('In UTC.'),
  findings: FINDINGS.optional().describe('What the last drift check of the day found; absent: there was none.'),
  events: TRAIL_EVENTS.optional().describe('Absent: not summed up.'),
});
export const TREND = z.object({ value: z.array(TREND_DAY) });
/** A day as it is kept: `summedOn` shows whether it was over by then. */
export const KEPT_DAY = TREND_DAY.extend({ summedOn: z.iso.datetime().optional() });
export type TrendDay = z.output<typeof TREND_DAY>;
export type KeptDay = z.output<typeof KEPT_DAY>;

/** What is kept of each day. Errors are the SDK's. */
export interface TrendStore {
  /** Of the months that the days are in, by day: one request a month. */
  trendDays(days: readonly string[]): Promise<ReadonlyMap<string, KeptDay>>;
  keepTrendDay(day: KeptDay): Promise<void>;
}

/** The months of the days, as `2026-11`, each once. */
export function monthsOf(days: readonly string[]): string[] {
  return [...new Set(days.map((day) => day.slice(0, 7)))];
}

/** The last days in UTC, the oldest first, today at the end. */
export function lastDays(now: Date, days = TREND_DAYS): string[] {
  return Array.from({ length: days }, (_, n) => dayOf(new Date(now.getTime() - (days - 1 - n) * DAY_MS)));
}

function spanOf(day: string): { readonly since: Date; readonly until: Date } {
  const since = new Date(`${day}T00:00:00Z`);
  return { since, until: new Date(since.getTime() + DAY_MS) };
}

/** Whether the totals of a day are final. */
export function isSettled({ day, summedOn, events }: KeptDay): boolean {
  return events !== undefined && Date.parse(summedOn ?? '') > spanOf(day).until.getTime() + SETTLED_MS;
}

export interface KeepTrendPorts {
  readonly driftStorage: TrendStore;
  readonly auditWatch?: { readonly files: AuditFiles } | undefined;
  readonly now: () => Date;
}

/** Keeps what is shown of today and yesterday. Never throws; what is not kept now is kept by the next check. */
export async function keepTrend(report: WholeReport, ports: KeepTrendPorts, log: Log): Promise<void> {
  try {
    await abortAfter((signal) => keepDays(report, ports, signal), KEEP_MS);
  } catch (error) {
    const message = `What is kept of each day could not be written. ${errorText(error)}`;
    log({ level: 'warning', reason: 'DriftReportNotWritten', message, report: report.id });
  }
}

async function keepDays(report: WholeReport, ports: KeepTrendPorts, signal: AbortSignal): Promise<void> {
  const { driftStorage, now } = ports;
  const days = lastDays(now());
  const kept = await driftStorage.trendDays(days);
  const checked = dayOf(new Date(report.startedOn));
  // Exempt ones are behind all the same.
  const behind = report.findings.filter(({ reason }) => BEHIND.has(reason)).map(({ resource }) => resource);
  const { startedOn: checkedOn, complete, counts } = report;
  const { error: errors, warning: warnings, advice } = counts;
  const findings = { checkedOn, complete, errors, warnings, advice, behind: new Set(behind).size };
  await keepDay({ ...(kept.get(checked) ?? { day: checked }), findings }, ports, signal);
  // Yesterday too, until its totals are final.
  const yesterday = days.at(-2) ?? checked;
  const before = kept.get(yesterday);
  if (before && yesterday !== checked && !isSettled(before)) await keepDay(before, ports, signal);
}

/** What was found is kept also where the trail cannot be read. @throws what the trail answers */
async function keepDay(
  day: KeptDay,
  { driftStorage, auditWatch, now }: KeepTrendPorts,
  signal: AbortSignal,
): Promise<void> {
  const summedOn = now().toISOString();
  const summed = auditWatch && sumEvents(auditWatch.files, { ...spanOf(day.day), mostBytes: DAY_BYTES, signal });
  const [sum] = await Promise.allSettled([summed]);
  const events = sum.status === 'fulfilled' ? sum.value : undefined;
  // One that was broken off is left to the next check.
  const isWhole = events !== undefined && (events.complete || !signal.aborted);
  await driftStorage.keepTrendDay({ ...day, ...(isWhole ? { events, summedOn } : {}) });
  if (sum.status === 'rejected') throw sum.reason;
}

interface ReadTrendPorts {
  readonly driftStorage: Pick<TrendStore, 'trendDays'>;
  readonly auditWatch: { readonly files: AuditFiles };
  readonly now: () => Date;
}

/** Reads the last 30 days. One for each instance: what has happened today is read once in a while, however many ask. */
export class TrendReader {
  readonly #today = new ReadCache<TrailEvents>(TODAY_TTL_MS);

  /**
   * The last days as they are kept, the oldest first, and what has happened today since.
   *
   * @throws the SDK's error when what is kept cannot be read
   */
  async read({ driftStorage, auditWatch, now }: ReadTrendPorts): Promise<TrendDay[]> {
    const days = lastDays(now());
    const today = dayOf(now());
    const options = { ...spanOf(today), mostBytes: TODAY_BYTES };
    const sum = () => abortAfter((signal) => sumEvents(auditWatch.files, { ...options, signal }), TODAY_MS);
    const [kept, events] = await Promise.all([
      driftStorage.trendDays(days),
      // Without the trail there is what was kept of today.
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
