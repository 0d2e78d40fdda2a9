import type {
  EncryptionScope,
  Identity,
  StorageAccount,
  StorageAccountCreateParameters,
  StorageAccountUpdateParameters,
} from '@azure/arm-storage';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { NOT_ANSWERED, withDeadline } from '../azure/deadline.ts';
import { listUnlessUnsupported, readUnlessMissing } from '../azure/failure.ts';
import { type CallLimits, LIMITS } from '../azure/limits.ts';
import { ACCOUNT_TYPE, parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import { createStorageManagement, toAbortOption } from '../azure/resource-manager.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Account, AccountEncryption, PlatformScope, Scope } from './account.ts';

type AllAccounts = ReturnType<typeof createStorageAccounts>;
/** The calls for uses of keys. */
export type StorageAccounts = Omit<AllAccounts, 'find' | 'update' | 'listAllScopes'>;
export type AccountScopes = Pick<AllAccounts, 'listAllScopes'>;

/** Identities in a request for an account. */
export type AccountIdentity = Identity;
type NewAccount = Pick<
  StorageAccountCreateParameters,
  'location' | 'sku' | 'kind' | 'identity' | 'encryption' | 'tags'
>;
/** Fields of a change; `tags` replaces all tags of the account. */
type AccountChange = Pick<StorageAccountUpdateParameters, 'identity' | 'encryption' | 'tags'>;

type ScopeState = 'Enabled' | 'Disabled';

/** Storage accounts through Azure Resource Manager. Methods throw the SDK's errors; see `describeFailure`. */
export function createStorageAccounts(
  credential: TokenCredential,
  cloud: Cloud,
  limits: CallLimits = LIMITS.storageManagement,
) {
  const clientOf = createStorageManagement(credential, cloud, limits);
  const get = async (id: ResourceId, signal?: AbortSignal): Promise<Account> => {
    const { storageAccounts } = clientOf(id.subscriptionId);
    return accountOf(await storageAccounts.getProperties(id.resourceGroup, id.name, toAbortOption(signal)));
  };

  const update = async (id: ResourceId, change: AccountChange, signal?: AbortSignal): Promise<Account> => {
    const { storageAccounts } = clientOf(id.subscriptionId);
    const write = (abortSignal: AbortSignal) =>
      storageAccounts.update(id.resourceGroup, id.name, change, { abortSignal });
    return accountOf(await withDeadline(limits.wholeWriteMs, NOT_ANSWERED, write, signal));
  };

  async function* listAllScopes(id: ResourceId, signal?: AbortSignal): AsyncIterable<Scope | PlatformScope> {
    const { encryptionScopes } = clientOf(id.subscriptionId);
    const list = encryptionScopes.list(id.resourceGroup, id.name, toAbortOption(signal));
    for await (const scope of listUnlessUnsupported(list)) {
      const { name, state } = scope;
      const read = toScope(scope);
      if (read) yield read;
      else if (name) yield { name, enabled: state !== 'Disabled', keyUri: undefined };
    }
  }

  return {
    /**
     * Lists every account of a subscription, in pages. Throws at the end if accounts lack encryption settings; the
     * error names them, so that callers do not count them as deleted.
     */
    async *list(subscriptionId: string, signal?: AbortSignal): AsyncIterable<Account> {
      const unshown: string[] = [];

      for await (const page of clientOf(subscriptionId).storageAccounts.list(toAbortOption(signal)).byPage()) {
        // The SDK holds a page until the next one, and its accounts take twice the memory of ours: empty it.
        yield* page.splice(0).flatMap((account) => {
          const read = toAccount(account);
          if (!read) unshown.push(account.id ?? account.name ?? 'an account without an id');
          return read ?? [];
        });
      }

      if (unshown.length > 0) throw new TypeError(`Azure returned no encryption settings for ${unshown.join(', ')}.`);
    },
    get,
    /** Returns undefined if the account does not exist. */
    find: (id: ResourceId) => readUnlessMissing(() => get(id)),
    /** Sends one PATCH with only the given fields. @returns the account in the answer */
    update,
    updateEncryption: (id: ResourceId, encryption: AccountEncryption, signal?: AbortSignal) =>
      update(id, { encryption }, signal),
    /** Lists the scopes with a key in Key Vault. */
    async *listScopes(id: ResourceId, signal?: AbortSignal): AsyncIterable<Scope> {
      for await (const scope of listAllScopes(id, signal)) {
        if (scope.keyUri !== undefined) yield scope;
      }
    },
    /** Lists encryption scopes with any kind of key. Returns none if accounts of that kind cannot have scopes. */
    listAllScopes,
    /** Returns a scope; undefined if it has no key in Key Vault. */
    async getScope(id: ResourceId, scope: string, signal?: AbortSignal): Promise<Scope | undefined> {
      const { encryptionScopes } = clientOf(id.subscriptionId);
      return toScope(await encryptionScopes.get(id.resourceGroup, id.name, scope, toAbortOption(signal)));
    },
    /** Changes a scope's key identifier; its state and its other settings remain. */
    async updateScopeKey(id: ResourceId, scope: string, keyUri: string, signal?: AbortSignal): Promise<Scope> {
      const { encryptionScopes } = clientOf(id.subscriptionId);
      const change = { source: 'Microsoft.KeyVault', keyVaultProperties: { keyUri } };
      const write = (abortSignal: AbortSignal) =>
        encryptionScopes.patch(id.resourceGroup, id.name, scope, change, { abortSignal });
      const read = toScope(await withDeadline(limits.wholeWriteMs, NOT_ANSWERED, write, signal));
      if (!read) throw new TypeError(`Azure's answer for encryption scope ${scope} contains no key.`);
      return read;
    },
  };
}

/** The same, with the calls of an operator that sets up accounts or cuts off a scope. */
export function createAccountSetup(credential: TokenCredential, cloud: Cloud, limits: CallLimits) {
  const clientOf = createStorageManagement(credential, cloud, limits);

  return {
    ...createStorageAccounts(credential, cloud, limits),
    async scopeState(id: ResourceId, scope: string): Promise<ScopeState> {
      const { state } = await clientOf(id.subscriptionId).encryptionScopes.get(id.resourceGroup, id.name, scope);
      return state === 'Disabled' ? 'Disabled' : 'Enabled';
    },
    /** Sends one PATCH of only the state; the key and other settings remain. */
    async setScopeState(id: ResourceId, scope: string, state: ScopeState): Promise<void> {
      await clientOf(id.subscriptionId).encryptionScopes.patch(id.resourceGroup, id.name, scope, { state });
    },
    /** Returns after the account is ready. */
    async create(id: ResourceId, wanted: NewAccount): Promise<Account> {
      const { storageAccounts } = clientOf(id.subscriptionId);
      const poller = storageAccounts.create(id.resourceGroup, id.name, wanted, { updateIntervalInMs: 1_000 });
      return accountOf(await poller.pollUntilDone());
    },
    async createShare(id: ResourceId, share: string): Promise<void> {
      await clientOf(id.subscriptionId).fileShares.create(id.resourceGroup, id.name, share, {});
    },
    /** Returns why Azure rejects the name for a new account; undefined if the name is available. */
    async nameProblem(subscriptionId: string, name: string): Promise<string | undefined> {
      const { storageAccounts } = clientOf(subscriptionId);
      const { nameAvailable, message } = await storageAccounts.checkNameAvailability({ name, type: ACCOUNT_TYPE });
      return nameAvailable === false ? (message ?? 'Azure rejects the name.') : undefined;
    },
  };
}

/** @throws TypeError if the answer is not a storage account */
function accountOf(account: StorageAccount): Account {
  const read = toAccount(account);
  if (!read) throw new TypeError(`Azure returned no encryption settings for ${account.id ?? 'the account'}.`);
  return read;
}

function toAccount(account: StorageAccount): Account | undefined {
  const id = parseResourceId(account.id ?? '');
  if (!id || !account.encryption) return undefined;
  return {
    ...id,
    location: account.location,
    tags: account.tags ?? {},
    userAssignedIdentities: Object.keys(account.identity?.userAssignedIdentities ?? {}),
    principalIds: principalIds(account.identity?.userAssignedIdentities ?? {}),
    systemPrincipalId: account.identity?.principalId,
    encryption: account.encryption,
    endpoints: Object.entries(account.primaryEndpoints ?? {}).flatMap(([service, uri]) => (uri ? [service] : [])),
  };
}

function principalIds(identities: Record<string, { principalId?: string } | null>): Record<string, string> {
  const known = Object.entries(identities).flatMap(([id, identity]) =>
    identity?.principalId ? [[id.toLowerCase(), identity.principalId] as const] : [],
  );
  return Object.fromEntries(known);
}

function toScope(scope: EncryptionScope): Scope | undefined {
  const keyUri = scope.keyVaultProperties?.keyUri;
  if (!scope.name || !keyUri || scope.source?.toLowerCase() !== 'microsoft.keyvault') return undefined;
  return {
    name: scope.name,
    enabled: scope.state !== 'Disabled',
    keyUri,
    currentKeyId: scope.keyVaultProperties?.currentVersionedKeyIdentifier,
    rotatedOn: scope.keyVaultProperties?.lastKeyRotationTimestamp,
    changedOn: scope.lastModifiedTime,
  };
}

/** Wraps the accounts so that each write creates a trace span. */
export function traceAccounts<A extends StorageAccounts>(accounts: A, telemetry: Telemetry): A {
  const patch = <T>({ id }: ResourceId, write: () => Promise<T>): Promise<T> => {
    const attributes = { 'http.request.method': 'PATCH', 'cmk.account': id };
    return telemetry.span('PATCH Microsoft.Storage', { attributes, isCall: true }, write);
  };
  return {
    ...accounts,
    updateEncryption: (id, ...change) => patch(id, () => accounts.updateEncryption(id, ...change)),
    updateScopeKey: (id, ...change) => patch(id, () => accounts.updateScopeKey(id, ...change)),
  };
}
