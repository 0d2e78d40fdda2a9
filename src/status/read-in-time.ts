import { untilAborted } from '../azure/deadline.ts';
import { listUnread, type Part, readPart, type UnreadPart, type What } from '../azure/read-or-why.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import type { UnreadView } from '../key-users/dependent.ts';

/** Reads a part until the signal aborts. Never throws. */
export async function readInTime<T>(what: What, read: () => Promise<T>, signal: AbortSignal): Promise<Part<T>> {
  let part: Part<T> = { unread: { ...what, kind: 'timeUp', detail: REASONS.TimeUp } };
  if (signal.aborted) return part;
  const reading = readPart(what, read).then((read) => {
    part = read;
  });
  await untilAborted(reading, signal);
  return part;
}

/** Returns the failed reads among some parts, for an answer. */
export function listUnreadViews(...parts: readonly Part<unknown>[]): UnreadView[] {
  return listUnread(parts).map(({ what, kind, detail }) => ({ what, reason: reasonOf(kind), detail }));
}

function reasonOf(kind: UnreadPart['kind']): Reason {
  if (kind === 'timeUp') return 'TimeUp';
  if (kind === 'forbidden') return 'MissingPermission';
  return kind === 'throttled' ? 'Throttled' : 'ServiceUnavailable';
}
