import { getKnown, type UnreadPart } from '../../azure/read-or-why.ts';
import { compareSubscriptions, createSubscriptionName } from '../../events/subscription.ts';
import type { Found } from './check.ts';
import { watchChanges } from './commands.ts';
import type { AppSubject, Rules } from './subjects.ts';

/** One finding per file, with its first error, because a rewritten file is wrong in every line. */
export function findAuditTrailBroken({ trail = [] }: AppSubject): readonly Found[] {
  return [...Map.groupBy(trail, ({ file }) => file)].map(([file, [first, ...more]]) => {
    const line = first?.line === undefined ? '' : `, line ${first.line}`;
    const rest = more.length > 0 ? ` And ${more.length} more.` : '';
    return { resource: `cmk-audit/${file}`, is: `${file}${line}: ${first?.reason}. ${first?.message}${rest}` };
  });
}

export function findChangesNotWatched({ watches = [] }: AppSubject, { wantedWatches }: Rules): readonly Found[] {
  return watches.flatMap(({ subscription, events }): readonly Found[] => {
    const wrong = compareSubscriptions(wantedWatches, events.subscriptions).filter(({ is }) => is !== 'right');
    const [first] = wrong;
    if (!first) return [];

    const is = wrong.map((verdict) => {
      if (verdict.is === 'misaimed') return `${verdict.found.name}: ${verdict.differences.join(' ')}`;
      return `No event subscription ${createSubscriptionName(verdict.wanted)} delivers changes in it to ${verdict.wanted.functionId}.`;
    });

    return [
      {
        resource: `/subscriptions/${subscription}`,
        is: is.join(' '),
        shouldBe: 'Azure Resource Manager notifies the app of its changes within seconds.',
        command: watchChanges(subscription, first.wanted),
        action: { kind: 'watch', subscription },
      },
    ];
  });
}

/** Key Vault's messages for a caller that its network rules block. */
export const NETWORK = /Client address is not authorized|Public network access is disabled/i;

/** One finding per action and resource, regardless of the number of parts that need it. */
export function findMissingPermission({ unread }: AppSubject): readonly Found[] {
  const refused = unread.filter(({ kind }) => kind === 'forbidden');
  const byAction = new Map(refused.map((part) => [`${part.resource} ${part.action}`.toLowerCase(), part]));

  return [...byAction.values()].map(({ resource, what, action, detail, isOptional }) => ({
    resource,
    part: action,
    is: `The app may not read ${what}. ${detail}`,
    cause: { about: [placeOf(resource)] },
    ...(isOptional ? { severity: 'advice' as const } : {}),
    // A firewall also answers 403, and no role helps then.
    shouldBe: NETWORK.test(detail) ? 'The network rules permit the app.' : `The app's identity has ${action}.`,
  }));
}

/** Unreadable accounts are one finding on their subscription. */
function placeOf(resource: string): string {
  return /^\/subscriptions\/[^/]+(?=\/.*\/storageAccounts\/)/i.exec(resource)?.[0] ?? resource;
}

/** Transient failures. They become an error if the next check fails too (`withHistory`). */
const PASSING: ReadonlySet<UnreadPart['kind']> = new Set(['throttled', 'unavailable', 'conflict', 'timeUp']);

export function findUnreadFindings({ unread }: AppSubject): readonly Found[] {
  return unread.map(({ resource, what, detail, kind, isOptional }) => ({
    resource,
    part: what,
    is: `Not read: ${what}. ${detail}`,
    // The missing permission has its own finding.
    cause: { ...(kind === 'forbidden' ? { reason: 'MissingPermission' as const } : {}), about: [placeOf(resource)] },
    ...severityOf({ kind, isOptional }),
  }));
}

/** Returns nothing for a part that has the severity of the check. */
function severityOf({ kind, isOptional }: Pick<UnreadPart, 'kind' | 'isOptional'>): Pick<Found, 'severity'> {
  if (isOptional) return { severity: 'advice' };
  return PASSING.has(kind) ? { severity: 'warning' } : {};
}

export function findSelfLockout({ lockedOutBy }: AppSubject): readonly Found[] {
  return lockedOutBy.map(({ account, key }) => ({
    resource: account,
    part: key,
    is: `The app's own storage uses ${key}. Revoking that key stops the app.`,
  }));
}

export function findPoisonMessages({ poison }: AppSubject): readonly Found[] {
  return (getKnown(poison) ?? [])
    .filter(({ messages }) => messages > 0)
    .map(({ queue, messages }) => ({
      resource: queue,
      is: `It contains ${messages === 1 ? 'a message' : `about ${messages} messages`}.`,
    }));
}

export function findSettingsInvalid({ settingsProblems, name }: AppSubject): readonly Found[] {
  return settingsProblems.map((problem) => ({
    resource: `${name}/${problem.split(' ')[0]}`,
    is: problem,
    shouldBe: 'Every setting is valid. The app fixes nothing while a setting of the drift check is invalid.',
  }));
}
