import { VAULT_CHECKS } from '../../../src/drift/checks/checks.ts';
import type { VaultSubject } from '../../../src/drift/checks/subjects.ts';
import { type Cases, describeChecks } from './describe-checks.ts';
import { eventSubscriptions, NOW, rules, tomorrow, UNREAD, VAULT, vault, vaultProperties } from './subjects.ts';

const deadLetter = {
  source: VAULT.id,
  type: 'Microsoft.KeyVault.KeyNearExpiry',
  reason: 'MaxDeliveryAttemptsExceeded',
  lastOutcome: 'NotFound',
  writtenOn: NOW,
};
const vaultUnread = vault({ properties: UNREAD, events: UNREAD, deadLetters: UNREAD });
const network = (change: object) =>
  vault({
    properties: vaultProperties({
      network: { publicAccess: 'enabled', allowsOthers: true, allowsTrustedServices: true, ...change },
    }),
  });
const changed = (change: object) =>
  vault({
    events: eventSubscriptions((state) => (state.name.endsWith('keyExpired') ? { ...state, ...change } : state)),
  });

const vaults: Record<string, Cases<VaultSubject>> = {
  VaultNotFound: {
    found: [
      ['gone', vault({ properties: { value: undefined } }), /does not exist/],
      ['moved', vault({ properties: { value: undefined }, answers: true }), /Key Vault still serves it.*moved/],
    ],
    right: [['there', vault()]],
  },
  PurgeProtectionOff: {
    found: [['off', vault({ properties: vaultProperties({ purgeProtection: false }) }), /no purge protection/]],
    right: [['on', vault()]],
  },
  SoftDeleteOff: {
    found: [['off', vault({ properties: vaultProperties({ softDelete: false }) }), /no soft delete/]],
    right: [['on', vault()]],
  },
  VaultUnreachable: {
    found: [
      ['rules against it', network({ allowsOthers: false, allowsTrustedServices: false }), /^Its network rules deny/],
      ['no public access', network({ publicAccess: 'disabled', allowsTrustedServices: false }), /^Its public network/],
      ['a perimeter', network({ publicAccess: 'byPerimeter' }), /network security perimeter guards it/],
    ],
    right: [
      ['open', vault()],
      ['rules that let trusted services by', network({ allowsOthers: false })],
      ['no public access but for trusted services', network({ publicAccess: 'disabled', allowsOthers: false })],
      ['rules that let everybody in', network({ allowsTrustedServices: false })],
      ['gone', vault({ properties: { value: undefined } })],
    ],
  },
  AuditLogOff: {
    found: [['sent nowhere', vault({ auditLog: { value: false } }), /No diagnostic setting/]],
    right: [
      ['sent somewhere', vault({ auditLog: { value: true } })],
      ['not asked', vault()],
    ],
  },
  VaultNotLocked: {
    found: [['no lock', vault({ locked: { value: false }, used: true }), /no lock on it/]],
    right: [
      ['locked', vault({ locked: { value: true }, used: true })],
      ['no account uses its keys', vault({ locked: { value: false }, used: false })],
      ['not asked', vault({ used: true })],
    ],
  },
  EventSubscriptionMissing: {
    found: [
      [
        'gone',
        vault({ events: eventSubscriptions((state) => (state.name.endsWith('keyExpired') ? undefined : state)) }),
        /No event subscription delivers Microsoft.KeyVault.KeyExpired/,
      ],
    ],
    right: [
      ['all three', vault()],
      ['on the system topic', vault({ events: eventSubscriptions((state) => ({ ...state, place: 'systemTopic' })) })],
      ['not checked', vault({ events: undefined })],
      [
        'the function app is not known',
        vault({ events: eventSubscriptions(() => undefined) }),
        { ...rules(), wantedSubscriptions: undefined },
      ],
    ],
  },
  EventSubscriptionMisaimed: {
    found: [
      ['another app', changed({ functionId: `${VAULT.id}/functions/keyExpired` }), /It delivers to .*kv-files/],
      ['a webhook', changed({ functionId: undefined, endpointType: 'WebHook' }), /delivers to WebHook/],
      ['another type', changed({ eventTypes: ['Microsoft.KeyVault.SecretExpired'] }), /SecretExpired, not/],
      ['every type', changed({ eventTypes: [] }), /every event type/],
      ['the other schema', changed({ schema: 'EventGridSchema' }), /EventGridSchema/],
      ['a narrowed filter', changed({ narrowed: true }), /excludes some keys/],
      ['no dead letters', changed({ deadLetter: undefined }), /go nowhere/],
      ['other dead letters', changed({ deadLetter: { storageAccountId: VAULT.id, container: 'x' } }), /kv-files\/x/],
      ['few tries', changed({ maxDeliveryAttempts: 3 }), /stops after 3 attempts/],
      ['a short time', changed({ timeToLiveMinutes: 5 }), /5 minutes/],
      ['an end', changed({ expiresOn: tomorrow }), /expires on/],
      ['not provisioned', changed({ provisioningState: 'Failed' }), /Failed/],
    ],
    right: [
      ['as wanted', vault()],
      ['letter case', changed({ eventTypes: ['microsoft.keyvault.keyexpired'], schema: 'cloudeventschemav1_0' })],
      ['being made', changed({ provisioningState: 'Creating' })],
    ],
  },
  EventDeliveryFailing: {
    found: [
      ['one', vault({ deadLetters: { value: [deadLetter] } }), /An event .*KeyNearExpiry \(MaxDelivery/],
      ['two', vault({ deadLetters: { value: [deadLetter, deadLetter] } }), /2 events/],
    ],
    right: [['none', vault()]],
  },
};

describeChecks(VAULT_CHECKS, vaults, VAULT.id, {
  it: vaultUnread,
  'its settings and locks': vault({ auditLog: UNREAD, locked: UNREAD, used: true }),
});
