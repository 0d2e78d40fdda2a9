import { known, type UnreadPart } from '../../azure/read-or-why.ts';
import { judgeSubscriptions, subscriptionName } from '../../events/subscription.ts';
import type { Check, Found } from './check.ts';
import { watchChanges } from './commands.ts';
import type { AppSubject, Rules } from './subjects.ts';

function selfLockout({ lockedOutBy }: AppSubject): readonly Found[] {
  return lockedOutBy.map(({ account, key }) => ({
    resource: account,
    part: key,
    is: `The app's own storage uses ${key}: revoking that key stops the app.`,
    shouldBe: "The app's own storage uses Microsoft-managed keys, or a key of a vault that the app does not manage.",
  }));
}

function storageZonesShared({ sharedZones }: AppSubject): readonly Found[] {
  if (sharedZones === undefined) return [];
  return [
    {
      resource: sharedZones,
      is: "The app's queues, index and leases are in the account of its package, orders and audit trail.",
      shouldBe: 'They are in an account of their own: a right on the one is none on the other.',
    },
  ];
}

function poisonMessages({ poison }: AppSubject): readonly Found[] {
  return (known(poison) ?? [])
    .filter(({ messages }) => messages > 0)
    .map(({ queue, messages }) => ({
      resource: queue,
      is: `It holds ${messages === 1 ? 'a message' : `about ${messages} messages`}.`,
      shouldBe: 'It is empty.',
    }));
}

/** One finding for each file, with the first that is wrong: one that was rewritten is wrong in every line. */
function auditTrailBroken({ trail = [] }: AppSubject): readonly Found[] {
  const files = [...new Set(trail.map(({ file }) => file))];
  return files.map((file) => {
    const [first, ...more] = trail.filter((finding) => finding.file === file);
    const line = first?.line === undefined ? '' : `, line ${first.line}`;
    const rest = more.length > 0 ? ` And ${more.length} more.` : '';
    return {
      resource: `cmk-audit/${file}`,
      is: `${file}${line}: ${first?.reason}. ${first?.message}${rest}`,
      shouldBe: 'The trail goes on from where it ended at the check before, record by record.',
    };
  });
}

function legacyOrder({ legacyOrders = [] }: AppSubject): readonly Found[] {
  return legacyOrders.map(({ id, from, to, state }) => ({
    resource: `cmkrekeys/${id}`,
    is: `Version 2 ${state === 'moving' ? `was moving everything from ${from} to ${to}` : `was taking back what it had moved from ${from} to ${to}`}. Nothing carries that out any more.`,
    shouldBe: 'The re-key is started again, or not needed any more.',
  }));
}

function legacyApproval({ legacyApprovals = [] }: AppSubject): readonly Found[] {
  return legacyApprovals.map(({ id, action, vault, key, askedBy }) => ({
    resource: `cmk-approvals/${id}`,
    is: `${askedBy.objectId} asked version 2 to approve: ${action} ${key === undefined ? 'of all keys' : `${vault}/${key}`}. Nothing carries it out any more.`,
    shouldBe: 'No request for approval waits in the app.',
  }));
}

function changesNotWatched({ watches = [] }: AppSubject, { wantedWatches }: Rules): readonly Found[] {
  return watches.flatMap(({ subscription, events }): Found[] => {
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
        shouldBe: 'Azure Resource Manager tells the app of changes in it within seconds.',
        command: watchChanges(subscription, first.wanted),
        action: { kind: 'watch', subscription },
      },
    ];
  });
}

/** How Key Vault says that the network keeps a caller out. */
const NETWORK = /Client address is not authorized|Public network access is disabled/i;

/** One finding for each action at each resource, however many parts lacked it. */
function missingPermission({ unread }: AppSubject): readonly Found[] {
  const refused = unread.filter(({ kind }) => kind === 'forbidden');
  const byAction = new Map(refused.map((part) => [`${part.resource} ${part.action}`.toLowerCase(), part]));
  return [...byAction.values()].map(({ resource, what, action, detail, beside }) => ({
    resource,
    part: action,
    is: `The app may not read ${what}. ${detail}`,
    cause: { about: [placeOf(resource)] },
    ...(beside ? { severity: 'advice' as const } : {}),
    // A firewall answers 403 as well, and no role helps against it.
    shouldBe: NETWORK.test(detail) ? 'The network rules let the app in.' : `The app's identity has ${action}.`,
  }));
}

/** Accounts that cannot be read are one finding of their subscription. */
function placeOf(resource: string): string {
  return /^\/subscriptions\/[^/]+(?=\/.*\/storageAccounts\/)/i.exec(resource)?.[0] ?? resource;
}

function settingsInvalid({ settingsProblems, name }: AppSubject): readonly Found[] {
  return settingsProblems.map((problem) => ({
    resource: `${name}/${problem.split(' ')[0]}`,
    is: problem,
    shouldBe: 'Every setting is right. Until those of the drift check are, nothing is fixed.',
  }));
}

/** What the next check may well read: it is an error when that cannot either (`withHistory`). */
const PASSING: ReadonlySet<UnreadPart['kind']> = new Set(['throttled', 'unavailable', 'conflict', 'timeUp']);

function unreadFindings({ unread }: AppSubject): readonly Found[] {
  return unread.map(({ resource, what, detail, kind, beside }) => ({
    resource,
    part: what,
    is: `Not read: ${what}. ${detail}`,
    shouldBe: 'Everything can be read.',
    // That it may not be read is a finding of its own.
    cause: { ...(kind === 'forbidden' ? { reason: 'MissingPermission' as const } : {}), about: [placeOf(resource)] },
    ...(beside ? { severity: 'advice' as const } : PASSING.has(kind) ? { severity: 'warning' as const } : {}),
  }));
}

/** What is made sure of for the app itself. */
export const APP_CHECKS: readonly Check<AppSubject>[] = [
  {
    reason: 'SelfLockout',
    severity: 'error',
    ensures: "The app's own storage does not depend on a key that the app may revoke.",
    fix: 'Put the storage of the app on Microsoft-managed keys, or on a key of a vault that the app does not manage.',
    find: selfLockout,
  },
  {
    reason: 'StorageZonesShared',
    severity: 'advice',
    ensures: 'What causes work (queues, index, leases) is in another storage account than what decides.',
    fix: 'Deploy again with the templates of this version, which make the second account; or set `CMK_WORK__queueServiceUri` and its like (docs/explanation/trust.md).',
    find: storageZonesShared,
  },
  {
    reason: 'PoisonMessages',
    severity: 'error',
    ensures: 'No work waits in a poison queue.',
    fix: 'Look in the log for Poisoned, or for why the host ended the function, and fix that; then put the messages back with `cmk admin replay`, or delete them.',
    find: poisonMessages,
  },
  {
    reason: 'AuditTrailBroken',
    severity: 'error',
    ensures: 'No record of the audit trail is changed, removed, moved or put in.',
    fix: 'Run `cmk audit verify`, and compare with the receipts in the log (AuditWritten): find out who wrote to the container cmk-audit. The trail goes on meanwhile; exempt the finding once it is explained.',
    find: auditTrailBroken,
  },
  {
    reason: 'LegacyOrder',
    severity: 'warning',
    ensures: 'No re-key of version 2 waits to be carried out.',
    fix: 'Place it anew (`cmk rekey start`): what has moved stays where it is. Then delete the table cmkrekeys.',
    find: legacyOrder,
  },
  {
    reason: 'LegacyApproval',
    severity: 'warning',
    ensures: 'No request for approval of version 2 waits: it expires after eight hours.',
    fix: 'Make the call itself, with a role that Entra Privileged Identity Management has had approved (docs/how-to/access.md).',
    find: legacyApproval,
  },
  {
    reason: 'ChangesNotWatched',
    severity: 'advice',
    ensures: 'A change that drift comes from is noticed when it is made, not an hour later.',
    fix: 'Deploy with `watchChanges`, or run `cmk admin watch-changes`; where it is not wanted, set CMK_WATCH_CHANGES to off.',
    find: changesNotWatched,
  },
  {
    reason: 'MissingPermission',
    severity: 'error',
    ensures: 'The app may read everything that it looks after.',
    fix: 'Give the identity of the app a role with the action that is named (infra/ does it; what begins with Microsoft.KeyVault/managedHsm/ is of a local role of the Managed HSM, docs/how-to/managed-hsm.md); where the answer names the network, let the app through.',
    find: missingPermission,
  },
  {
    reason: 'SettingsInvalid',
    severity: 'error',
    ensures: 'The settings of the drift check are valid, and no `CMK_…` has a name that the app does not know.',
    fix: 'Correct the app setting that is named; docs/reference/settings.md lists them all.',
    find: settingsInvalid,
  },
  {
    reason: 'Unreadable',
    severity: 'error',
    ensures: 'Nothing is passed over in silence: what could not be read is a finding.',
    fix: 'See to what the answer says; the next check reads it again.',
    find: unreadFindings,
  },
];
