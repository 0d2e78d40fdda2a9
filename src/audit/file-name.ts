import { dayOf } from '../time/duration.ts';
import { HOUR_MS } from '../time/spans.ts';

/** A file of the trail: a day in UTC, and which of that day's files it is. */
interface FileName {
  /** `YYYY-MM-DD` */
  readonly day: string;
  /** 0 for `2026-11-24.jsonl`, 1 for `2026-11-24.1.jsonl`, … */
  readonly part: number;
}

const NAME = /^(\d{4}-\d{2}-\d{2})(?:\.([1-9]\d{0,8}))?\.jsonl$/;

/** Undefined if the name is not one that the trail gives. */
export function parseFileName(name: string): FileName | undefined {
  const match = NAME.exec(name);
  return match?.[1] ? { day: match[1], part: Number(match[2] ?? 0) } : undefined;
}

export function fileName({ day, part }: FileName): string {
  return part === 0 ? `${day}.jsonl` : `${day}.${part}.jsonl`;
}

/** The file that goes on where `name` ends: today's, or the next one of the same day. Never one that sorts before it. */
export function fileAfter(name: string, today: string): string {
  const current = parseFileName(name);
  if (!current || current.day < today) return fileName({ day: today, part: 0 });
  return fileName({ day: current.day, part: current.part + 1 });
}

/** For sorting names oldest first. As text, part 10 would come before part 2, and part 1 before part 0. */
export function compareFileNames(a: string, b: string): number {
  const [left, right] = [parseFileName(a), parseFileName(b)];
  if (!left || !right) return a < b ? -1 : a > b ? 1 : 0;
  if (left.day !== right.day) return left.day < right.day ? -1 : 1;
  return left.part - right.part;
}

/** Those of the listed files that are of the trail, oldest first. */
export function trailFiles<F extends { readonly name: string }>(listed: readonly F[]): F[] {
  return listed.filter(({ name }) => parseFileName(name)).sort((a, b) => compareFileNames(a.name, b.name));
}

/** How far a writer's clock may be behind: its records may stand in the file of the day before. Milliseconds. */
export const CLOCKS_APART_MS = HOUR_MS;

/** The file to begin with, so that nothing written since that time is missed. */
export function firstFileSince(since: Date): string {
  return fileName({ day: dayOf(new Date(since.getTime() - CLOCKS_APART_MS)), part: 0 });
}

/** A byte of a file of the trail. */
export interface TrailPosition {
  readonly file: string;
  readonly position: number;
}
