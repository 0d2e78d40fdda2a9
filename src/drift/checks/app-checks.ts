import { known, type UnreadPart } from '../../azure/read-or-why.ts';
import { judgeSubscriptions, subscriptionName } from '../../events/subscription.ts';
import type { Check, Found } from './check.ts';
import { watchChanges } from './commands.ts';
import type { AppSubject, Rules } from './subjects.ts';

/** One finding per file, with its first error, because a rewritten file is wrong in every line. */
function auditTrailBroken({ trail = [] }: AppSubject): readonly Found[] {
  return [...Map.groupBy(trail, ({ file }) => file)].map(([file, [first, ...more]]) => {
    const line = first?.line === undefined ? '' : `, line ${first.line}`;
    const rest = more.length > 0 ? ` And ${more.length} more.` : '';
    return { resource: `cmk-audit/${file}`, is: `${file}${line}: ${first?.reason}. ${first?.message}${rest}` };
  });
}

function changesNotWatched({ watches = [] }: AppSubject, { wantedWatches }: Rules): readonly Found[] {
  return watches.flatMap(({ subscription, events }): readonly Found[] => {
    const wrong = judgeSubscriptions(wantedWatches, events.subscriptions).filter(({ is }) => is !== 'right');
    const [first] = wrong;
    if (!first) return [];

    const is = wrong.map((verdict) => {
      if (verdict.is === 'misaimed') return `${verdict.found.name}: ${verdict.differences.join(' ')}`;
      return `No event subscription ${subscriptionName(verdict.wanted)} delivers changes in it to ${verdict.wanted.functionId}.`;
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
const NETWORK = /Client address is not authorized|Public network access is disabled/i;

/** One finding per action and resource, regardless of the number of parts that need it. */
function missingPermission({ unread }: AppSubject): readonly Found[] {
  const refused = unread.filter(({ kind }) => kind === 'forbidden');
  const byAction = new Map(refused.map((part) => [`${part.resource} ${part.action}`.toLowerCase(), part]));

  return [...byAction.values()].map(({ resource, what, action, detail, beside }) => ({
    resource,
    part: action,
    is: `The app may not read ${what}. ${detail}`,
    cause: { about: [placeOf(resource)] },
    ...(beside ? { severity: 'advice' as const } : {}),
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

function unreadFindings({ unread }: AppSubject): readonly Found[] {
  return unread.map(({ resource, what, detail, kind, beside }) => ({
    resource,
    part: what,
    is: `Not read: ${what}. ${detail}`,
    // The missing permission has its own finding.
    cause: { ...(kind === 'forbidden' ? { reason: 'MissingPermission' as const } : {}), about: [placeOf(resource)] },
    ...severityOf({ kind, beside }),
  }));
}

/** Returns nothing for a part that has the severity of the check. */
function severityOf({ kind, beside }: Pick<UnreadPart, 'kind' | 'beside'>): Pick<Found, 'severity'> {
  if (beside) return { severity: 'advice' };
  return PASSING.has(kind) ? { severity: 'warning' } : {};
}

/** Checks of the app itself. */
export const APP_CHECKS: readonly Check<AppSubject>[] = [
  {
    reason: 'SelfLockout',
    severity: 'error',
    ensures: "The app's own storage uses no key that the app may revoke.",
    fix: "Configure the app's storage to use Microsoft-managed keys, or a key of a vault that the app does not manage.",
    find: ({ lockedOutBy }) =>
      lockedOutBy.map(({ account, key }) => ({
        resource: account,
        part: key,
        is: `The app's own storage uses ${key}. Revoking that key stops the app.`,
      })),
  },
  {
    reason: 'PoisonMessages',
    severity: 'error',
    ensures: 'No poison queue contains messages.',
    fix: 'Search the log for Poisoned, or for the reason why the host ended the function, and fix the reason. Then replay the messages with `cmk admin replay`, or delete them.',
    find: ({ poison }) =>
      (known(poison) ?? [])
        .filter(({ messages }) => messages > 0)
        .map(({ queue, messages }) => ({
          resource: queue,
          is: `It contains ${messages === 1 ? 'a message' : `about ${messages} messages`}.`,
        })),
  },
  {
    reason: 'AuditTrailBroken',
    severity: 'error',
    ensures: 'No record of the audit trail is changed, removed, moved or inserted.',
    fix: 'Run `cmk audit verify`, and compare with the receipts in the log (AuditWritten). Determine which client wrote to the container cmk-audit. The app keeps writing the trail. Exempt the finding once it is explained.',
    find: auditTrailBroken,
  },
  {
    reason: 'ChangesNotWatched',
    severity: 'advice',
    ensures: 'The app detects a change that causes drift immediately, not an hour later.',
    fix: 'Deploy with `watchChanges`, or run `cmk admin watch-changes`. If you do not want it, set CMK_WATCH_CHANGES to off.',
    find: changesNotWatched,
  },
  {
    reason: 'MissingPermission',
    severity: 'error',
    ensures: 'The app may read everything that it manages.',
    fix: "Assign the app's identity a role with the named action (infra/ does this). Actions that begin with Microsoft.KeyVault/managedHsm/ need a local role of the Managed HSM (docs/how-to/managed-hsm.md). If the error names the network, permit the app in the network rules.",
    find: missingPermission,
  },
  {
    reason: 'SettingsInvalid',
    severity: 'error',
    ensures: 'The settings of the drift check are valid, and the app knows the name of every `CMK_…` setting.',
    fix: 'Correct the named app setting; docs/reference/settings.md lists all settings.',
    find: ({ settingsProblems, name }) =>
      settingsProblems.map((problem) => ({
        resource: `${name}/${problem.split(' ')[0]}`,
        is: problem,
        shouldBe: 'Every setting is valid. The app fixes nothing while a setting of the drift check is invalid.',
      })),
  },
  {
    reason: 'Unreadable',
    severity: 'error',
    ensures: 'The app can read everything that it checks. Each failed read is a finding.',
    fix: 'Fix the error in the response. The next check reads again.',
    find: unreadFindings,
  },
];
