import { known } from '../../azure/read-or-why.ts';
import { judgeSubscriptions } from '../../events/subscription.ts';
import type { Found } from './check.ts';
import type { Rules, VaultSubject } from './subjects.ts';

export function vaultNotFound({ properties }: VaultSubject): readonly Found[] {
  if (!('value' in properties) || properties.value) return [];
  return [{ is: 'There is no such vault; it may be soft-deleted.', shouldBe: 'Every vault of CMK_VAULTS is there.' }];
}

export function purgeProtectionOff({ properties }: VaultSubject): readonly Found[] {
  const read = known(properties);
  if (!read || read.purgeProtection) return [];
  return [
    { is: 'It has no purge protection.', shouldBe: 'It has purge protection, without which Storage takes no key.' },
  ];
}

export function softDeleteOff({ properties }: VaultSubject): readonly Found[] {
  const read = known(properties);
  if (!read || read.softDelete) return [];
  return [{ is: 'It has no soft delete.', shouldBe: 'It has soft delete: a deleted key can be recovered.' }];
}

export function eventSubscriptionMissing(subject: VaultSubject, rules: Rules): readonly Found[] {
  return verdicts(subject, rules).flatMap((verdict) =>
    verdict.is === 'missing'
      ? {
          part: verdict.wanted.functionName,
          is: `No event subscription delivers ${verdict.wanted.eventType} to ${verdict.wanted.functionId}.`,
          shouldBe: 'Each of its key events reaches its function of this app.',
          action: { kind: 'events', vault: subject.vault.id, functionName: verdict.wanted.functionName },
        }
      : [],
  );
}

export function eventSubscriptionMisaimed(subject: VaultSubject, rules: Rules): readonly Found[] {
  return verdicts(subject, rules).flatMap((verdict) =>
    verdict.is === 'misaimed'
      ? {
          resource: verdict.found.id,
          is: verdict.differences.join(' '),
          shouldBe: `${verdict.wanted.eventType}, and nothing else, is delivered to ${verdict.wanted.functionId}.`,
          action: { kind: 'events', vault: subject.vault.id, functionName: verdict.wanted.functionName },
        }
      : [],
  );
}

export function eventDeliveryFailing({ deadLetters }: VaultSubject): readonly Found[] {
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
