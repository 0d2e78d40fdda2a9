import type { DriftSummary } from '../drift/report.ts';
import type { ReportStore } from '../drift/store/drift-storage-client.ts';
import type { DayFindings, TrendDay } from './trend.ts';

const DAYS = 30;
const DAY_MS = 24 * 3_600_000;

export interface TrendPorts {
  readonly driftStorage: Pick<ReportStore, 'history'>;
  readonly now: () => Date;
}

/** The last 30 days, the oldest first. @throws the SDK's error */
export async function readTrend({ driftStorage, now }: TrendPorts): Promise<TrendDay[]> {
  const summaries = await driftStorage.history();
  return Array.from({ length: DAYS }, (_, n) => {
    const day = new Date(now().getTime() - (DAYS - 1 - n) * DAY_MS).toISOString().slice(0, 10);
    const last = summaries.find(({ startedOn }) => startedOn.startsWith(day));
    return { day, ...(last ? { findings: findingsOf(last) } : {}) };
  });
}

function findingsOf({ startedOn, complete, counts }: DriftSummary): DayFindings {
  const { error: errors, warning: warnings, advice } = counts;
  return { checkedOn: startedOn, complete, errors, warnings, advice };
}
