import { known, type UnreadPart } from '../../azure/read-or-why.ts';
import type { Found } from './check.ts';
import type { AppSubject } from './subjects.ts';

export function selfLockout({ lockedOutBy }: AppSubject): readonly Found[] {
  return lockedOutBy.map(({ account, key }) => ({
    resource: account,
    part: key,
    is: `The app's own storage uses ${key}: revoking that key stops the app.`,
    shouldBe: "The app's own storage uses Microsoft-managed keys, or a key of a vault that the app does not manage.",
  }));
}

export function poisonMessages({ poison }: AppSubject): readonly Found[] {
  return (known(poison) ?? [])
    .filter(({ messages }) => messages > 0)
    .map(({ queue, messages }) => ({
      resource: queue,
      is: `It holds ${messages === 1 ? 'a message' : `about ${messages} messages`}.`,
      shouldBe: 'It is empty.',
    }));
}

/** How Key Vault says that the network keeps a caller out. */
const NETWORK = /Client address is not authorized|Public network access is disabled/i;

/** One finding for each action at each resource, however many parts lacked it. */
export function missingPermission({ unread }: AppSubject): readonly Found[] {
  const refused = unread.filter(({ kind }) => kind === 'forbidden');
  const byAction = new Map(refused.map((part) => [`${part.resource} ${part.action}`.toLowerCase(), part]));
  return [...byAction.values()].map(({ resource, what, action, detail }) => ({
    resource,
    part: action,
    is: `The app may not read ${what}. ${detail}`,
    // A firewall answers 403 as well, and no role helps against it.
    shouldBe: NETWORK.test(detail) ? 'The network rules let the app in.' : `The app's identity has ${action}.`,
  }));
}

export function settingsInvalid({ settingsProblems, name }: AppSubject): readonly Found[] {
  return settingsProblems.map((problem) => ({
    resource: `${name}/${problem.split(' ')[0]}`,
    is: problem,
    shouldBe: 'Every setting is right. Until then nothing is fixed.',
  }));
}

/** What the next check may well read: it is an error when that cannot either (`withHistory`). */
const PASSING: ReadonlySet<UnreadPart['kind']> = new Set(['throttled', 'unavailable', 'conflict', 'timeUp']);

export function unreadFindings({ unread }: AppSubject): readonly Found[] {
  return unread.map(({ resource, what, detail, kind }) => ({
    resource,
    part: what,
    is: `Not read: ${what}. ${detail}`,
    shouldBe: 'Everything can be read.',
    ...(PASSING.has(kind) ? { severity: 'warning' as const } : {}),
  }));
}
