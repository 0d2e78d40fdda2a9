import type { Account } from '../../../src/accounts/account.ts';
import type { KeyUse } from '../../../src/accounts/key-use.ts';
import type { Part, UnreadPart } from '../../../src/azure/read-or-why.ts';
import { KeyUsage } from '../../../src/drift/checks/key-usage.ts';
import type {
  AccountSubject,
  AppSubject,
  KeySubject,
  Rules,
  UseSubject,
  VaultSubject,
} from '../../../src/drift/checks/subjects.ts';
import {
  type EventSubscriptionState,
  listRequiredSubscriptions,
  listRequiredWatches,
} from '../../../src/events/subscription.ts';
import type { KeyAccess } from '../../../src/identities/key-access.ts';
import type { KeyVersion } from '../../../src/keys/key-versions.ts';
import { createManagedKey, type ManagedVault } from '../../../src/keys/managed-vaults.ts';
import type { LoggedUse } from '../../../src/keys/usage-log-client.ts';
import type { Evidence } from '../../../src/retirement/evidence.ts';
import { formatRevocation } from '../../../src/revocation/revocation.ts';
import { REVOKER } from '../../support/keys.ts';

// Subjects as they should be; a test changes what it is about.

export const NOW = new Date('2026-06-01T12:00:00Z');
export const DAYS = 24 * 3_600_000;
const SUBSCRIPTION = '/subscriptions/11111111-1111-1111-1111-111111111111';

export const VAULT: ManagedVault = {
  id: `${SUBSCRIPTION}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files`,
  subscriptionId: '11111111-1111-1111-1111-111111111111',
  resourceGroup: 'rg-keys',
  name: 'kv-files',
  kind: 'vault',
  uri: 'https://kv-files.vault.azure.net',
};
export const KEY = createManagedKey(VAULT, 'files-key');
export const FUNCTION_APP = `${SUBSCRIPTION}/resourceGroups/rg-cmk/providers/Microsoft.Web/sites/func-cmk`;
export const CLIENT_ID = '33333333-3333-3333-3333-333333333333';
export const STORAGE = `${SUBSCRIPTION}/resourceGroups/rg-cmk/providers/Microsoft.Storage/storageAccounts/stcmk`;

export const unreadPart: UnreadPart = {
  resource: VAULT.id,
  what: 'the vault',
  action: 'Microsoft.KeyVault/vaults/read',
  kind: 'forbidden',
  detail: '403',
};
export const UNREAD: Part<never> = { unread: unreadPart };

export function rules(drift: Partial<Rules['drift']> = {}): Rules {
  return {
    now: NOW,
    drift: {
      problems: [],
      autofix: [],
      require: [],
      exemptions: [],
      keyMinBits: 0,
      requireHsm: false,
      drillInterval: undefined,
      usageWorkspace: undefined,
      functionAppId: FUNCTION_APP,
      storageAccountId: STORAGE,
      watchChanges: true,
      systemTopics: {},
      ...drift,
    },
    contests: [],
    wantedSubscriptions: listRequiredSubscriptions({ functionAppId: FUNCTION_APP, storageAccountId: STORAGE }),
    wantedWatches: listRequiredWatches({ functionAppId: FUNCTION_APP }, CLIENT_ID),
  };
}

/** @param ageDays days since it was made; the version's name is that number */
export function version(ageDays: number, change: Partial<KeyVersion> = {}): KeyVersion {
  const name = String(ageDays).padStart(32, '0');

  return {
    id: `${KEY.id}/${name}`,
    keyName: KEY.name,
    version: name,
    enabled: true,
    createdOn: new Date(NOW.getTime() - ageDays * DAYS),
    updatedOn: undefined,
    notBefore: undefined,
    expiresOn: new Date(NOW.getTime() + 300 * DAYS),
    tags: {},
    latest: false,
    ...change,
  };
}

export function revoked(ageDays: number, change: Partial<KeyVersion> = {}): KeyVersion {
  const of = version(ageDays, { enabled: false, ...change });
  const stamp = {
    ...REVOKER,
    revokedOn: new Date(NOW.getTime() - DAYS),
    version: of.version,
    wasEnabled: true,
  };
  return { ...of, tags: { 'cmk-revocation': formatRevocation(stamp) } };
}

export const OLD = version(100);
export const NEW = version(10);

export function key(change: Partial<KeySubject> = {}, users: readonly Partial<KeyUse>[] = []): KeySubject {
  const usage = new KeyUsage();
  for (const [index, one] of users.entries()) usage.add(`st${index}`, use(one));

  return {
    key: KEY,
    state: 'present',
    versions: { value: [OLD, NEW] },
    policy: { value: { rotates: true } },
    material: { value: { type: 'RSA', size: 3072 } },
    usage,
    ...change,
  };
}

export function use(change: Partial<KeyUse> = {}): KeyUse {
  return { vaultUri: VAULT.uri, keyName: KEY.name, pinned: undefined, current: NEW.version, ...change };
}

export function pinned(to: KeyVersion): KeyUse {
  return use({ pinned: to.version, current: to.version });
}

export function account(change: Partial<Account> = {}): Account {
  return {
    id: `${SUBSCRIPTION}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01`,
    type: 'Microsoft.Storage/storageAccounts',
    name: 'stfiles01',
    subscriptionId: '11111111-1111-1111-1111-111111111111',
    resourceGroup: 'rg-files',
    location: 'westeurope',
    tags: {},
    userAssignedIdentities: [],
    principalIds: {},
    systemPrincipalId: '22222222-2222-2222-2222-222222222222',
    encryption: {},
    ...change,
  };
}

export function subject(change: Partial<AccountSubject> = {}): AccountSubject {
  const { account: of = account() } = change;
  const own = { account: of, own: false, resource: of.id, use: pinned(NEW), key: key(), access: access(), scopes: [] };
  return { ...own, ...change };
}

export function access(change: Partial<KeyAccess> = {}): KeyAccess {
  return { account: account().id, ready: true, reason: undefined, principalId: 'p', missing: [], ...change };
}

export function scope(of: KeyUse, change: Partial<UseSubject> = {}): UseSubject {
  const resource = `${account().id}/encryptionScopes/scope1`;
  return { resource, use: of, key: key(), access: undefined, ...change };
}

export function eventSubscriptions(
  change: (state: EventSubscriptionState) => EventSubscriptionState | undefined = (state) => state,
): NonNullable<VaultSubject['events']> {
  const wanted = rules().wantedSubscriptions ?? [];
  const subscriptions = wanted.flatMap(({ functionName, functionId, eventTypes, deadLetter }) => {
    const state: EventSubscriptionState = {
      id: `${VAULT.id}/providers/Microsoft.EventGrid/eventSubscriptions/cmk-${functionName}`,
      name: `cmk-${functionName}`,
      place: 'source',
      endpointType: 'AzureFunction',
      functionId: functionId.toUpperCase(),
      eventTypes,
      narrowed: false,
      filters: [],
      schema: 'CloudEventSchemaV1_0',
      deadLetter,
      maxDeliveryAttempts: 30,
      timeToLiveMinutes: 1440,
      provisioningState: 'Succeeded',
      expiresOn: undefined,
    };

    return change(state) ?? [];
  });

  return { value: { topic: undefined, topicUnreadable: undefined, subscriptions } };
}

export function vault(change: Partial<VaultSubject> = {}): VaultSubject {
  return {
    vault: VAULT,
    properties: {
      value: {
        id: VAULT.id,
        location: 'westeurope',
        purgeProtection: true,
        softDelete: true,
        accessModel: 'rbac',
        policies: [],
        tenantId: 'tenant-1',
        network: { publicAccess: 'enabled', allowsOthers: true, allowsTrustedServices: true },
      },
    },
    events: eventSubscriptions(),
    deadLetters: { value: [] },
    ...change,
  };
}

export function vaultProperties(change: object): VaultSubject['properties'] {
  const { properties } = vault();
  return 'value' in properties && properties.value ? { value: { ...properties.value, ...change } } : properties;
}

export function app(change: Partial<AppSubject> = {}): AppSubject {
  return {
    name: FUNCTION_APP,
    lockedOutBy: [],
    poison: { value: [{ queue: 'key-work-poison', messages: 0 }] },
    settingsProblems: [],
    unread: [],
    ...change,
  };
}

export const tomorrow = new Date(NOW.getTime() + 1 * DAYS);
export const fresh = version(0.5);
export const keyUnread = key({ versions: UNREAD, policy: UNREAD, material: UNREAD });
export const inVersions = (...versions: readonly KeyVersion[]) => key({ versions: { value: versions } });
/** A key whose newest version, ten days old, expires in so many days, and whose own policy rotates it. */
export const rotating = (
  days: number,
  beforeExpiry?: string,
  afterCreate?: string,
  tags: Record<string, string> = {},
) =>
  key({
    versions: { value: [version(10, { expiresOn: new Date(NOW.getTime() + days * DAYS), tags })] },
    policy: {
      value: { rotates: true, ...(beforeExpiry ? { beforeExpiry } : {}), ...(afterCreate ? { afterCreate } : {}) },
    },
  });
export const usersUnread = key();
usersUnread.usage.incomplete = true;
export const other = use({ vaultUri: 'https://kv-other.vault.azure.net' });
export const poisoned = (messages: number) => app({ poison: { value: [{ queue: 'fleet-work-poison', messages }] } });
export const lacks = (reason: 'IdentityMissing' | 'IdentityDeleted' | 'IdentityWithoutRole') =>
  access({ ready: false, reason, missing: [`${reason} of this test.`] });
export const accessUnread = access({ ready: 'unknown', missing: ['Not read.'] });
export const scopeOnly = (of: ReturnType<typeof access>) =>
  subject({ use: undefined, key: undefined, access: undefined, scopes: [scope(pinned(NEW), { access: of })] });
export const closedOff = {
  ...unreadPart,
  detail: '403 Forbidden: Client address is not authorized and caller is not a trusted service.',
};

/** The last request for a version, by the log. */
export function asked({ version: name }: KeyVersion, hoursAgo: number): LoggedUse {
  const lastOn = new Date(NOW.getTime() - hoursAgo * 3_600_000);
  return { version: name, operation: 'unwrap', lastOn, objectId: 'oid-1', appId: undefined };
}

/** A log that reaches back far enough, and has nothing else against it. */
export function logged(uses: readonly LoggedUse[]): Evidence {
  return {
    log: {
      uses,
      trackedSince: new Date(NOW.getTime() - 60 * DAYS),
      trackedUntil: NOW,
      silences: [],
      lastOfClients: [],
    },
  };
}
