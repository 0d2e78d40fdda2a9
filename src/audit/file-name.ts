import { formatDay } from '../formats/duration.ts';
import { HOUR_MS } from '../formats/spans.ts';
import { compareText } from '../formats/text.ts';

/** A file of the trail: its day in UTC, and its number within the day. */
interface FileName {
  /** `YYYY-MM-DD` */
  readonly day: string;
  /** 0 for `2026-11-24.jsonl`, 1 for `2026-11-24.1.jsonl`, … */
  readonly part: number;
}

const NAME = /^(\d{4}-\d{2}-\d{2})(?:\.([1-9]\d{0,8}))?\.jsonl$/;

/** Parses a file name; undefined if it is not the name of a trail file. */
export function parseFileName(name: string): FileName | undefined {
  const match = NAME.exec(name);
  return match?.[1] ? { day: match[1], part: Number(match[2] ?? 0) } : undefined;
}

export function formatFileName({ day, part }: FileName): string {
  return part === 0 ? `${day}.jsonl` : `${day}.${part}.jsonl`;
}

/** Name of the file that continues `name`: today's, or the next part of the same day. It never sorts before `name`. */
export function nameFileAfter(name: string, today: string): string {
  const current = parseFileName(name);
  if (!current || current.day < today) return formatFileName({ day: today, part: 0 });
  return formatFileName({ day: current.day, part: current.part + 1 });
}

/** Sorts names oldest first. As text, part 10 would precede part 2, and part 1 part 0. */
export function compareFileNames(a: string, b: string): number {
  const left = parseFileName(a);
  const right = parseFileName(b);
  if (!left || !right) return compareText(a, b);
  if (left.day !== right.day) return left.day < right.day ? -1 : 1;
  return left.part - right.part;
}

/** Filters the files of the trail, oldest first. */
export function filterTrailFiles<F extends { readonly name: string }>(listed: readonly F[]): F[] {
  return listed.filter(({ name }) => parseFileName(name)).sort((a, b) => compareFileNames(a.name, b.name));
}

/** Most that a writer's clock may be slow, in milliseconds: the file of the day before may have its records. */
export const CLOCKS_APART_MS = HOUR_MS;

/** First file to read to get every record since a time. */
export function nameFirstFileSince(since: Date): string {
  return formatFileName({ day: formatDay(new Date(since.getTime() - CLOCKS_APART_MS)), part: 0 });
}

/** A byte position in a file of the trail. */
export interface TrailPosition {
  readonly file: string;
  readonly position: number;
}
