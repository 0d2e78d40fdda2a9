import { known } from '../../azure/read-or-why.ts';
import { judgeSubscriptions } from '../../events/subscription.ts';
import { storageHindrance } from '../../vaults/vault-client.ts';
import { letStorageIn, protectVault, recoverVault } from '../../vaults/vault-commands.ts';
import type { Check, Found } from './check.ts';
import { deliverEvents, lockVault } from './commands.ts';
import type { Rules, VaultSubject } from './subjects.ts';

function vaultNotFound({ vault, properties, answers }: VaultSubject): Found | undefined {
  if (!('value' in properties) || properties.value) return undefined;
  if (!answers) return { is: 'The vault does not exist. It may be soft-deleted.', command: recoverVault(vault) };
  const is =
    'Azure has no vault with this ARM id, but Key Vault still serves it: it was moved. A move leaves role assignments behind.';
  return { severity: 'warning', is };
}

function vaultUnreachable({ vault, properties }: VaultSubject): Found | undefined {
  const network = known(properties)?.network;
  const hindrance = network && storageHindrance(network);
  if (!hindrance) return undefined;
  const { is, certain } = hindrance;
  const shouldBe = 'Its accounts are in the same perimeter, or it uses network rules instead.';
  return certain ? { is, command: letStorageIn(vault) } : { severity: 'warning', is, shouldBe };
}

function eventSubscriptionMissing(subject: VaultSubject, rules: Rules): readonly Found[] {
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

function eventSubscriptionMisaimed(subject: VaultSubject, rules: Rules): readonly Found[] {
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

function eventDeliveryFailing({ deadLetters }: VaultSubject): Found | undefined {
  const read = known(deadLetters) ?? [];
  const newest = [...read].sort((a, b) => b.writtenOn.getTime() - a.writtenOn.getTime())[0];
  if (!newest) return undefined;
  const many = read.length === 1 ? 'An event' : `${read.length} events`;
  const { type, reason, lastOutcome } = newest;
  return {
    is: `${many} of the last 24 hours could not be delivered. The newest is a ${type} (${reason}, last outcome ${lastOutcome}).`,
  };
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
    find: ({ vault, properties }) =>
      known(properties)?.purgeProtection === false
        ? { is: 'It has no purge protection, which Storage requires.', command: protectVault(vault) }
        : undefined,
  },
  {
    reason: 'SoftDeleteOff',
    severity: 'error',
    ensures: 'A vault has soft delete.',
    fix: 'Turn it on: `az keyvault update --enable-soft-delete true`.',
    find: ({ properties }) => (known(properties)?.softDelete === false ? { is: 'It has no soft delete.' } : undefined),
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
    find: ({ auditLog }) =>
      known(auditLog) === false
        ? { is: 'No diagnostic setting exports its audit log, so uses and changes of its keys are not recorded.' }
        : undefined,
  },
  {
    reason: 'VaultNotLocked',
    severity: 'advice',
    ensures: 'A lock prevents the deletion of a vault whose keys are in use.',
    fix: 'Create a lock on it (`az lock create --lock-type CanNotDelete`). It also prevents the removal of roles on the vault, so an operator who revokes one account then needs Microsoft.Authorization/locks/delete.',
    find: ({ vault, locked, used }) => {
      if (!used || known(locked) !== false) return undefined;
      const is = 'Accounts use its keys, but no lock on it or its resource group prevents its deletion.';
      return { is, command: lockVault(vault) };
    },
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
