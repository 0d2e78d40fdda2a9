import type { AuditFiles } from '../../audit/audit-files.ts';
import { sumEvents, type TrailEvents } from '../../audit/sum-events.ts';
import { abortAfter } from '../../azure/deadline.ts';
import { ReadCache } from '../../azure/read-cache.ts';
import { dayOf } from '../../time/duration.ts';
import type { TrendStore } from '../store/trend-store-client.ts';
import { lastDays, spanOf, type TrendDay } from './trend.ts';

/** What has happened today is not read again within so long; it is read for so long, and so much of it. */
const BELIEVED_MS = 30_000;
const TODAY_MS = 5_000;
const TODAY_BYTES = 8 * 1024 * 1024;

interface ReadTrendPorts {
  readonly driftStorage: Pick<TrendStore, 'trendDays'>;
  readonly auditWatch: { readonly files: AuditFiles };
  readonly now: () => Date;
}

/** Reads the last 30 days. One for each instance: what has happened today is read once in a while, however many ask. */
export class TrendReader {
  readonly #today = new ReadCache<TrailEvents>(BELIEVED_MS);

  /**
   * The last days as they are kept, the oldest first, and what has happened today since.
   *
   * @throws the SDK's error when what is kept cannot be read
   */
  async read({ driftStorage, auditWatch, now }: ReadTrendPorts): Promise<TrendDay[]> {
    const days = lastDays(now());
    const today = dayOf(now());
    const sum = (): Promise<TrailEvents> =>
      abortAfter(
        (signal) => sumEvents(auditWatch.files, { ...spanOf(today), mostBytes: TODAY_BYTES, signal }),
        TODAY_MS,
      );
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
