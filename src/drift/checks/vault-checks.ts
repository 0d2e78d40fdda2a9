import { known } from '../../azure/read-or-why.ts';
import { judgeSubscriptions } from '../../events/subscription.ts';
import { storageHindrance } from '../../vaults/vault-client.ts';
import { letStorageIn, protectVault, recoverVault } from '../../vaults/vault-commands.ts';
import type { Check, Found } from './check.ts';
import { deliverEvents, lockVault } from './commands.ts';
import type { Rules, VaultSubject } from './subjects.ts';

function vaultNotFound({ vault, properties }: VaultSubject): readonly Found[] {
  if (!('value' in properties) || properties.value) return [];
  const shouldBe = 'Every vault of CMK_VAULTS is there.';
  return [{ is: 'There is no such vault; it may be soft-deleted.', shouldBe, command: recoverVault(vault) }];
}

function purgeProtectionOff({ vault, properties }: VaultSubject): readonly Found[] {
  const read = known(properties);
  if (!read || read.purgeProtection) return [];
  const shouldBe = 'It has purge protection, without which Storage takes no key.';
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
      { severity: 'warning', is, shouldBe: 'Its accounts are in the same perimeter, or it is guarded by rules.' },
    ];
  }
  const shouldBe = 'The network lets in Storage, as one of the trusted services of Azure.';
  return [{ is, shouldBe, command: letStorageIn(vault) }];
}

function auditLogOff({ auditLog }: VaultSubject): readonly Found[] {
  if (known(auditLog) !== false) return [];
  const is = 'No diagnostic setting sends its audit log anywhere: who used or changed a key is on no record.';
  return [{ is, shouldBe: 'A diagnostic setting sends AuditEvent to a workspace, a storage account or an event hub.' }];
}

function vaultNotLocked({ vault, locked, used }: VaultSubject): readonly Found[] {
  if (!used || known(locked) !== false) return [];
  const is = 'No lock on it or on its resource group keeps it from being deleted, and accounts use its keys.';
  return [{ is, shouldBe: 'A lock (CanNotDelete) keeps it from being deleted by mistake.', command: lockVault(vault) }];
}

function eventSubscriptionMissing(subject: VaultSubject, rules: Rules): readonly Found[] {
  return verdicts(subject, rules).flatMap((verdict) =>
    verdict.is === 'missing'
      ? {
          part: verdict.wanted.functionName,
          is: `No event subscription delivers ${verdict.wanted.eventTypes.join(', ')} to ${verdict.wanted.functionId}.`,
          shouldBe: 'Each of its key events reaches its function of this app.',
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
          shouldBe: `${verdict.wanted.eventTypes.join(', ')}, and nothing else, is delivered to ${verdict.wanted.functionId}.`,
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
      is: `${read.length === 1 ? 'An event' : `${read.length} events`} of the last 24 hours could not be delivered, the newest a ${newest.type} (${newest.reason}, last outcome ${newest.lastOutcome}).`,
      shouldBe: 'Every event is delivered.',
    },
  ];
}

function verdicts({ events }: VaultSubject, { wantedSubscriptions }: Rules) {
  const read = known(events);
  return read && wantedSubscriptions ? judgeSubscriptions(wantedSubscriptions, read.subscriptions) : [];
}

/** What is made sure of for each managed vault. */
export const VAULT_CHECKS: readonly Check<VaultSubject>[] = [
  {
    reason: 'VaultNotFound',
    severity: 'error',
    ensures: 'Every vault of CMK_VAULTS exists.',
    fix: 'Recover the vault (`az keyvault recover`); correct its ARM id in CMK_VAULTS if it was moved; take it out once no account needs its keys.',
    find: vaultNotFound,
  },
  {
    reason: 'PurgeProtectionOff',
    severity: 'error',
    ensures: 'A vault has purge protection.',
    fix: 'Switch it on: `az keyvault update --enable-purge-protection true`. It cannot be switched off again.',
    find: purgeProtectionOff,
  },
  {
    reason: 'SoftDeleteOff',
    severity: 'error',
    ensures: 'A vault has soft delete.',
    fix: 'Switch it on: `az keyvault update --enable-soft-delete true`.',
    find: softDeleteOff,
  },
  {
    reason: 'VaultUnreachable',
    severity: 'error',
    ensures: 'The network of a vault lets in Storage, which unwraps the keys of its accounts.',
    fix: 'Let trusted services by (`az keyvault update --bypass AzureServices`); with a network security perimeter, put the accounts into it too.',
    find: vaultUnreachable,
  },
  {
    reason: 'AuditLogOff',
    severity: 'warning',
    ensures: 'The audit log of a vault is sent somewhere: it is the only trace of who used, disabled or deleted a key.',
    fix: 'Make a diagnostic setting for AuditEvent (`az monitor diagnostic-settings create`); infra/ makes one for each managed vault.',
    find: auditLogOff,
  },
  {
    reason: 'VaultNotLocked',
    severity: 'advice',
    ensures: 'A vault whose keys are in use is locked against being deleted.',
    fix: 'Put a lock on it (`az lock create --lock-type CanNotDelete`).',
    find: vaultNotLocked,
  },
  {
    reason: 'EventSubscriptionMissing',
    severity: 'error',
    ensures: 'Each key event of a vault reaches its function of this app.',
    fix: 'Make the event subscription again: run `cmk admin ensure-events` in a shell that is signed in to Azure (`az login`). Automatic repair makes it too, where CMK_AUTOFIX names the code.',
    find: eventSubscriptionMissing,
  },
  {
    reason: 'EventSubscriptionMisaimed',
    severity: 'error',
    ensures: 'An event subscription has the types, destination, schema, retries and dead-letter place that it needs.',
    fix: 'Let the app fix it (CMK_AUTOFIX), or deploy the event subscriptions again.',
    find: eventSubscriptionMisaimed,
  },
  {
    reason: 'EventDeliveryFailing',
    severity: 'warning',
    ensures: 'No event of the last 24 hours ended up undelivered.',
    fix: "Find out from the dead letters, in the container cmk-deadletter of the app's own storage, why the app did not take them; their accounts are reached by this check.",
    find: eventDeliveryFailing,
  },
];
