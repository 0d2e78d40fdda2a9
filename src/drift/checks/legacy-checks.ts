import { scopeResource } from '../../azure/resource-id.ts';
import { readLegacyRevocations } from '../../identities/legacy-revocation.ts';
import type { Found } from './check.ts';
import type { AccountSubject, AppSubject } from './subjects.ts';

// What version 2 left behind, and nothing carries on any more.

export function legacyRevocation({ account }: AccountSubject): readonly Found[] {
  return readLegacyRevocations(account.tags).map(({ id, revokedOn, revokedBy, scope }) => ({
    ...(scope === undefined ? {} : { resource: scopeResource(account.id, scope) }),
    part: id,
    is: `${revokedBy} revoked it below its key on ${revokedOn.toISOString()} (${id}), by version 2. Nothing keeps it revoked any more.`,
    shouldBe: 'It is restored, or its key is revoked.',
  }));
}

export function legacyOrder({ legacyOrders = [] }: AppSubject): readonly Found[] {
  return legacyOrders.map(({ id, from, to, state }) => ({
    resource: `cmkrekeys/${id}`,
    is: `Version 2 ${state === 'moving' ? `was moving everything from ${from} to ${to}` : `was taking back what it had moved from ${from} to ${to}`}. Nothing carries that out any more.`,
    shouldBe: 'The re-key is started again, or not needed any more.',
  }));
}
