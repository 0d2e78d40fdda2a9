import type { AuditFiles } from '../../audit/audit-files.ts';
import { sumEvents } from '../../audit/sum-events.ts';
import { abortAfter } from '../../azure/deadline.ts';
import { describe, describeFailure } from '../../azure/failure.ts';
import type { Log } from '../../log.ts';
import { dayOf } from '../../time/duration.ts';
import type { DriftSummary, WholeReport } from '../report.ts';
import type { ReportStore } from '../store/drift-storage-client.ts';
import type { TrendStore } from '../store/trend-store-client.ts';
import { findingsOf, findingsOfReport, isSettled, type KeptDay, lastDays, spanOf } from './trend.ts';

/** Days before today that one check sums up; the next ones take the others. */
const MOST_DAYS = 5;
/** Of the trail of a day so much is read. Bytes. */
const MOST_BYTES = 256 * 1024 * 1024;
/** For all of it. Milliseconds. */
const LIMIT_MS = 30_000;

export interface KeepTrendPorts {
  readonly driftStorage: TrendStore & Pick<ReportStore, 'lastOfDays'>;
  readonly auditWatch?: { readonly files: AuditFiles } | undefined;
  readonly now: () => Date;
}

/**
 * Keeps what is shown of today, and of the days before that are not summed up yet: their trail is read once, and not for each
 * call. Never throws; what is not kept now is kept by the next check.
 */
export async function keepTrend(report: WholeReport, ports: KeepTrendPorts, log: Log): Promise<void> {
  try {
    await abortAfter((signal) => keepDays(report, ports, signal), LIMIT_MS);
  } catch (error) {
    const message = `What is kept of each day could not be written. ${describe(describeFailure(error))}`;
    log({ level: 'warning', reason: 'DriftReportNotWritten', message, report: report.id });
  }
}

async function keepDays(report: WholeReport, ports: KeepTrendPorts, signal: AbortSignal): Promise<void> {
  const { driftStorage, now } = ports;
  const today = dayOf(now());
  const before = lastDays(now())
    .filter((day) => day !== today)
    .reverse();
  const kept = await driftStorage.trendDays([...before, today]);
  const checked = dayOf(new Date(report.startedOn));
  await keepDay({ ...(kept.get(checked) ?? { day: checked }), findings: findingsOfReport(report) }, ports, signal);
  const unsettled = before.filter((day) => day !== checked && !isSettled(kept.get(day) ?? { day }));
  const days = unsettled.slice(0, MOST_DAYS);
  const isMissing = days.some((day) => kept.get(day)?.findings === undefined);
  const summaries = isMissing ? await driftStorage.lastOfDays(days) : new Map<string, DriftSummary>();
  for (const day of days) {
    if (signal.aborted) return;
    const summary = summaries.get(day);
    const found = summary ? { findings: findingsOf(summary) } : {};
    await keepDay({ day, ...found, ...kept.get(day) }, ports, signal);
  }
}

/** What was found is kept also where the trail cannot be read. @throws what the trail answers */
async function keepDay(
  day: KeptDay,
  { driftStorage, auditWatch, now }: KeepTrendPorts,
  signal: AbortSignal,
): Promise<void> {
  const summedOn = now().toISOString();
  const summed = auditWatch && sumEvents(auditWatch.files, { ...spanOf(day.day), mostBytes: MOST_BYTES, signal });
  const [sum] = await Promise.allSettled([summed]);
  const events = sum.status === 'fulfilled' ? sum.value : undefined;
  // One that was broken off is left to the next check.
  const isWhole = events !== undefined && (events.complete || !signal.aborted);
  await driftStorage.keepTrendDay({ ...day, ...(isWhole ? { events, summedOn } : {}) });
  if (sum.status === 'rejected') throw sum.reason;
}
