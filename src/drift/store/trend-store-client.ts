import type { ContainerClient } from '@azure/storage-blob';
import { listBlobs, uploadText } from '../../azure/blobs.ts';
import { parseJson } from '../../text.ts';
import { KEPT_DAY, type KeptDay } from '../trend/trend.ts';

const TREND = 'trend/';

/** What is kept of each day. Errors are the SDK's. */
export interface TrendStore {
  /** Of the months that the days are in, by day: one request a month. */
  trendDays(days: readonly string[]): Promise<ReadonlyMap<string, KeptDay>>;
  keepTrendDay(day: KeptDay): Promise<void>;
}

/** A small blob for each day. What it says stands in its metadata as well, so that a list has all of them. */
export function trendStore(container: ContainerClient): TrendStore {
  return {
    async trendDays(days) {
      const kept = new Map<string, KeptDay>();
      for (const month of monthsOf(days)) {
        for (const { metadata } of await listBlobs(container, TREND + month, { includeMetadata: true })) {
          const day = parsed(metadata?.day);
          if (day) kept.set(day.day, day);
        }
      }
      return kept;
    },
    keepTrendDay(day) {
      const text = JSON.stringify(day);
      return uploadText(container, `${TREND}${day.day}.json`, text, { day: text });
    },
  };
}

/** `2026-11` of each day, once. */
export function monthsOf(days: readonly string[]): string[] {
  return [...new Set(days.map((day) => day.slice(0, 7)))];
}

function parsed(text: string | undefined): KeptDay | undefined {
  return KEPT_DAY.safeParse(parseJson(text ?? '')).data;
}
