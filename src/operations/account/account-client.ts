import type { Encryption, Identity } from '@azure/arm-storage';
import type { TokenCredential } from '@azure/identity';
import type { Account } from '../../accounts/account.ts';
import { accountOf } from '../../accounts/storage-client.ts';
import type { Cloud } from '../../azure/cloud.ts';
import { describeFailure } from '../../azure/failure.ts';
import type { ResourceId } from '../../azure/resource-id.ts';
import { storageManagement } from '../../azure/storage-management.ts';

export interface NewAccount {
  readonly location: string;
  /** `Standard_LRS` … */
  readonly sku: string;
  /** `StorageV2` … */
  readonly kind: string;
  readonly identity: Identity;
  readonly encryption: Encryption;
}

/** Storage accounts with their identities, which a change of key mode needs. Errors are the SDK's, unretried. */
export interface AccountSetup {
  /** Undefined when there is no such account. */
  get(id: ResourceId): Promise<Account | undefined>;
  /** One PATCH, of what is given and nothing else; the answer is the proof. */
  update(id: ResourceId, change: { readonly identity?: Identity; readonly encryption?: Encryption }): Promise<Account>;
  create(id: ResourceId, wanted: NewAccount): Promise<Account>;
  /** Why the name cannot be used for a new account; undefined when it can. */
  nameProblem(subscriptionId: string, name: string): Promise<string | undefined>;
}

export function createAccountSetup(credential: TokenCredential, cloud: Cloud): AccountSetup {
  const clientOf = storageManagement(credential, cloud);
  return {
    async get(id) {
      const { storageAccounts } = clientOf(id.subscriptionId);
      try {
        return accountOf(await storageAccounts.getProperties(id.resourceGroup, id.name));
      } catch (error) {
        if (describeFailure(error).kind === 'notFound') return undefined;
        throw error;
      }
    },
    async update(id, change) {
      const { storageAccounts } = clientOf(id.subscriptionId);
      return accountOf(await storageAccounts.update(id.resourceGroup, id.name, change));
    },
    async create(id, { sku, ...wanted }) {
      const { storageAccounts } = clientOf(id.subscriptionId);
      const poller = storageAccounts.create(
        id.resourceGroup,
        id.name,
        { ...wanted, sku: { name: sku } },
        { updateIntervalInMs: 1_000 },
      );
      return accountOf(await poller.pollUntilDone());
    },
    async nameProblem(subscriptionId, name) {
      const { storageAccounts } = clientOf(subscriptionId);
      const { nameAvailable, message } = await storageAccounts.checkNameAvailability({
        name,
        type: 'Microsoft.Storage/storageAccounts',
      });
      return nameAvailable === false ? (message ?? 'The name cannot be used.') : undefined;
    },
  };
}
