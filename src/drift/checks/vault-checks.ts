import { getKnown } from '../../azure/read-or-why.ts';
import { compareSubscriptions } from '../../events/subscription.ts';
import { findStorageHindrance } from '../../vaults/vault-client.ts';
import { formatLetStorageIn, formatProtectVault, recoverVault } from '../../vaults/vault-commands.ts';
import type { Found } from './check.ts';
import { deliverEvents, formatLockVault } from './commands.ts';
import type { Rules, VaultSubject } from './subjects.ts';

export function findVaultNotFound({ vault, properties, answers }: VaultSubject): Found | undefined {
  if (!('value' in properties) || properties.value) return undefined;
  if (!answers) return { is: 'The vault does not exist. It may be soft-deleted.', command: recoverVault(vault) };
  const is =
    'Azure has no vault with this ARM id, but Key Vault still serves it: it was moved. A move leaves role assignments behind.';
  return { severity: 'warning', is };
}

export function findVaultUnreachable({ vault, properties }: VaultSubject): Found | undefined {
  const network = getKnown(properties)?.network;
  const hindrance = network && findStorageHindrance(network);
  if (!hindrance) return undefined;
  const { is, certain } = hindrance;
  const shouldBe = 'Its accounts are in the same perimeter, or it uses network rules instead.';
  return certain ? { is, command: formatLetStorageIn(vault) } : { severity: 'warning', is, shouldBe };
}

export function findEventSubscriptionMissing(subject: VaultSubject, rules: Rules): readonly Found[] {
  return verdicts(subject, rules).flatMap(({ is, wanted }): readonly Found[] => {
    const { functionName, functionId, eventTypes } = wanted;
    if (is !== 'missing') return [];
    return [
      {
        part: functionName,
        is: `No event subscription delivers ${eventTypes.join(', ')} to ${functionId}.`,
        command: deliverEvents(subject.vault, wanted),
        action: { kind: 'events', vault: subject.vault.id, functionName },
      },
    ];
  });
}

export function findEventSubscriptionMisaimed(subject: VaultSubject, rules: Rules): readonly Found[] {
  return verdicts(subject, rules).flatMap((verdict): readonly Found[] => {
    if (verdict.is !== 'misaimed') return [];
    const { functionName, functionId, eventTypes } = verdict.wanted;

    return [
      {
        resource: verdict.found.id,
        is: verdict.differences.join(' '),
        shouldBe: `${eventTypes.join(', ')}, and no other event, is delivered to ${functionId}.`,
        command: deliverEvents(subject.vault, verdict.wanted),
        cause: { about: [subject.vault.id] },
        action: { kind: 'events', vault: subject.vault.id, functionName },
      },
    ];
  });
}

export function findEventDeliveryFailing({ deadLetters }: VaultSubject): Found | undefined {
  const read = getKnown(deadLetters) ?? [];
  const newest = [...read].sort((a, b) => b.writtenOn.getTime() - a.writtenOn.getTime())[0];
  if (!newest) return undefined;
  const many = read.length === 1 ? 'An event' : `${read.length} events`;
  const { type, reason, lastOutcome } = newest;
  return {
    is: `${many} of the last 24 hours could not be delivered. The newest is a ${type} (${reason}, last outcome ${lastOutcome}).`,
  };
}

function verdicts({ events }: VaultSubject, { wantedSubscriptions }: Rules) {
  const read = getKnown(events);
  return read && wantedSubscriptions ? compareSubscriptions(wantedSubscriptions, read.subscriptions) : [];
}

export function findPurgeProtectionOff({ vault, properties }: VaultSubject): Found | undefined {
  return getKnown(properties)?.purgeProtection === false
    ? { is: 'It has no purge protection, which Storage requires.', command: formatProtectVault(vault) }
    : undefined;
}

export function findSoftDeleteOff({ properties }: VaultSubject): Found | undefined {
  return getKnown(properties)?.softDelete === false ? { is: 'It has no soft delete.' } : undefined;
}

export function findAuditLogOff({ auditLog }: VaultSubject): Found | undefined {
  return getKnown(auditLog) === false
    ? { is: 'No diagnostic setting exports its audit log, so uses and changes of its keys are not recorded.' }
    : undefined;
}

export function findVaultNotLocked({ vault, locked, used }: VaultSubject): Found | undefined {
  if (!used || getKnown(locked) !== false) return undefined;
  const is = 'Accounts use its keys, but no lock on it or its resource group prevents its deletion.';
  return { is, command: formatLockVault(vault) };
}
