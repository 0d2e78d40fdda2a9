import { accountsNotListed } from '../accounts/in-sight.ts';
import { untilAborted } from '../azure/deadline.ts';
import { type Part, readPart, type UnreadPart, type What } from '../azure/read-or-why.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { UnreadView } from './key-view.ts';
import type { UsersRead } from './read-users.ts';

/** Reads a part, no longer than until the signal aborts; nothing is thrown. */
export async function readInTime<T>(what: What, read: () => Promise<T>, signal: AbortSignal): Promise<Part<T>> {
  let part: Part<T> = { unread: { ...what, kind: 'timeUp', detail: REASONS.TimeUp } };
  if (signal.aborted) return part;
  const reading = readPart(what, read).then((read) => {
    part = read;
  });
  await untilAborted(reading, signal);
  return part;
}

export function unreadView({ what, kind, detail }: UnreadPart): UnreadView {
  return { what, reason: reasonOf(kind), detail };
}

/** Says that subscriptions, or encryption scopes of accounts, which may use the key are not listed yet. */
export function unlistedView(read: Pick<UsersRead, 'unlisted' | 'hasUnasked'> | undefined): UnreadView[] {
  const what = 'who uses the key';
  if (read?.unlisted) {
    return [{ what, reason: 'FleetNotListed', detail: `Not known yet: ${accountsNotListed(read.unlisted)}.` }];
  }
  return read?.hasUnasked ? [{ what, reason: 'ScopesNotListed', detail: REASONS.ScopesNotListed }] : [];
}

function reasonOf(kind: UnreadPart['kind']): Reason {
  if (kind === 'timeUp') return 'TimeUp';
  if (kind === 'forbidden') return 'MissingPermission';
  return kind === 'throttled' ? 'Throttled' : 'ServiceUnavailable';
}
