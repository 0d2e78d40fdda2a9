import { known } from '../../azure/read-or-why.ts';
import { judgeSubscriptions } from '../../events/subscription.ts';
import { storageHindrance } from '../../vaults/vault-client.ts';
import { letStorageIn, protectVault, recoverVault } from '../../vaults/vault-commands.ts';
import type { Check, Found } from './check.ts';
import { deliverEvents, lockVault } from './commands.ts';
import type { Rules, VaultSubject } from './subjects.ts';

function vaultNotFound({ vault, properties }: VaultSubject): readonly Found[] {
  if (!('value' in properties) || properties.value) return [];
  const shouldBe = 'Every vault of CMK_VAULTS exists.';
  return [{ is: 'The vault does not exist. It may be soft-deleted.', shouldBe, command: recoverVault(vault) }];
}

function purgeProtectionOff({ vault, properties }: VaultSubject): readonly Found[] {
  const read = known(properties);
  if (!read || read.purgeProtection) return [];
  const shouldBe = 'It has purge protection, which Storage requires.';
  return [{ is: 'It has no purge protection.', shouldBe, command: protectVault(vault) }];
}

function softDeleteOff({ properties }: VaultSubject): readonly Found[] {
  const read = known(properties);
  if (!read || read.softDelete) return [];
  return [{ is: 'It has no soft delete.', shouldBe: 'It has soft delete: a deleted key can be recovered.' }];
}

function vaultUnreachable({ vault, properties }: VaultSubject): readonly Found[] {
  const network = known(properties)?.network;
  const hindrance = network && storageHindrance(network);
  if (!hindrance) return [];
  const { is, certain } = hindrance;
  if (!certain) {
    return [
      {
        severity: 'warning',
        is,
        shouldBe: 'Its accounts are in the same perimeter, or it uses network rules instead.',
      },
    ];
  }
  const shouldBe = 'The network permits Storage as a trusted service of Azure.';
  return [{ is, shouldBe, command: letStorageIn(vault) }];
}

function auditLogOff({ auditLog }: VaultSubject): readonly Found[] {
  if (known(auditLog) !== false) return [];
  const is = 'No diagnostic setting exports its audit log, so uses and changes of its keys are not recorded.';
  return [{ is, shouldBe: 'A diagnostic setting sends AuditEvent to a workspace, a storage account or an event hub.' }];
}

function vaultNotLocked({ vault, locked, used }: VaultSubject): readonly Found[] {
  if (!used || known(locked) !== false) return [];
  const is = 'Accounts use its keys, but no lock on it or its resource group prevents its deletion.';
  return [{ is, shouldBe: 'A lock (CanNotDelete) prevents its accidental deletion.', command: lockVault(vault) }];
}

function eventSubscriptionMissing(subject: VaultSubject, rules: Rules): readonly Found[] {
  return verdicts(subject, rules).flatMap((verdict) =>
    verdict.is === 'missing'
      ? {
          part: verdict.wanted.functionName,
          is: `No event subscription delivers ${verdict.wanted.eventTypes.join(', ')} to ${verdict.wanted.functionId}.`,
          shouldBe: 'Event Grid delivers each of its key events to this app.',
          command: deliverEvents(subject.vault, verdict.wanted),
          action: { kind: 'events', vault: subject.vault.id, functionName: verdict.wanted.functionName },
        }
      : [],
  );
}

function eventSubscriptionMisaimed(subject: VaultSubject, rules: Rules): readonly Found[] {
  return verdicts(subject, rules).flatMap((verdict) =>
    verdict.is === 'misaimed'
      ? {
          resource: verdict.found.id,
          is: verdict.differences.join(' '),
          command: deliverEvents(subject.vault, verdict.wanted),
          cause: { about: [subject.vault.id] },
          shouldBe: `${verdict.wanted.eventTypes.join(', ')}, and no other event, is delivered to ${verdict.wanted.functionId}.`,
          action: { kind: 'events', vault: subject.vault.id, functionName: verdict.wanted.functionName },
        }
      : [],
  );
}

function eventDeliveryFailing({ deadLetters }: VaultSubject): readonly Found[] {
  const read = known(deadLetters) ?? [];
  const newest = [...read].sort((a, b) => b.writtenOn.getTime() - a.writtenOn.getTime())[0];
  if (!newest) return [];
  return [
    {
      is: `${read.length === 1 ? 'An event' : `${read.length} events`} of the last 24 hours could not be delivered. The newest is a ${newest.type} (${newest.reason}, last outcome ${newest.lastOutcome}).`,
      shouldBe: 'Event Grid delivers every event.',
    },
  ];
}

function verdicts({ events }: VaultSubject, { wantedSubscriptions }: Rules) {
  const read = known(events);
  return read && wantedSubscriptions ? judgeSubscriptions(wantedSubscriptions, read.subscriptions) : [];
}

/** Checks of each managed vault. */
export const VAULT_CHECKS: readonly Check<VaultSubject>[] = [
  {
    reason: 'VaultNotFound',
    severity: 'error',
    ensures: 'Every vault of CMK_VAULTS exists.',
    fix: 'Recover the vault (`az keyvault recover`). If it was moved, correct its ARM id in CMK_VAULTS. Remove it from CMK_VAULTS once no account needs its keys.',
    find: vaultNotFound,
  },
  {
    reason: 'PurgeProtectionOff',
    severity: 'error',
    ensures: 'A vault has purge protection.',
    fix: 'Turn it on: `az keyvault update --enable-purge-protection true`. Azure cannot turn it off again.',
    find: purgeProtectionOff,
  },
  {
    reason: 'SoftDeleteOff',
    severity: 'error',
    ensures: 'A vault has soft delete.',
    fix: 'Turn it on: `az keyvault update --enable-soft-delete true`.',
    find: softDeleteOff,
  },
  {
    reason: 'VaultUnreachable',
    severity: 'error',
    ensures: 'The network of a vault permits Storage, which unwraps the keys of its accounts.',
    fix: 'Permit trusted services (`az keyvault update --bypass AzureServices`). With a network security perimeter, add the accounts to it too.',
    find: vaultUnreachable,
  },
  {
    reason: 'AuditLogOff',
    severity: 'warning',
    ensures:
      'A diagnostic setting exports the audit log of a vault, the only record of who used, disabled or deleted a key.',
    fix: 'Create a diagnostic setting for AuditEvent (`az monitor diagnostic-settings create`). infra/ creates one for each managed vault.',
    find: auditLogOff,
  },
  {
    reason: 'VaultNotLocked',
    severity: 'advice',
    ensures: 'A lock prevents the deletion of a vault whose keys are in use.',
    fix: 'Create a lock on it (`az lock create --lock-type CanNotDelete`).',
    find: vaultNotLocked,
  },
  {
    reason: 'EventSubscriptionMissing',
    severity: 'error',
    ensures: 'Event Grid delivers each key event of a vault to this app.',
    fix: 'Create the event subscription again: run `cmk admin ensure-events` in a shell that is signed in to Azure (`az login`). The app creates it if CMK_AUTOFIX has the code.',
    find: eventSubscriptionMissing,
  },
  {
    reason: 'EventSubscriptionMisaimed',
    severity: 'error',
    ensures: 'An event subscription has the required types, destination, schema, retries and dead-letter destination.',
    fix: 'Let the app fix it (CMK_AUTOFIX), or deploy the event subscriptions again.',
    find: eventSubscriptionMisaimed,
  },
  {
    reason: 'EventDeliveryFailing',
    severity: 'warning',
    ensures: 'Event Grid delivered every event of the last 24 hours.',
    fix: "Read the dead letters in the container cmk-deadletter of the app's own storage to find out why the app rejected the events. The check compares all accounts, including theirs.",
    find: eventDeliveryFailing,
  },
];
