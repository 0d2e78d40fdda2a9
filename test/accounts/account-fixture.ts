import { BlobServiceClient } from '@azure/storage-blob';
import type { LocalAzureOptions } from '../../local/azure/server.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { reconcileAccount } from '../../src/accounts/reconcile-account.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import type { Services } from '../../src/services.ts';
import { AtMostEvery } from '../../src/work/at-most-every.ts';
import { LEASE_CONTAINER } from '../../src/work/lease-client.ts';
import { ACCOUNT_WORK, type AccountWork, parseAccountWork } from '../../src/work/messages.ts';
import type { Outcome } from '../../src/work/outcome.ts';
import { processWork } from '../../src/work/process.ts';
import { auditEntries } from '../support/audit-lines.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire, type Wire } from '../support/wire.ts';

const LONG_AGO = new Date(0).toISOString();

/** The reconcile of single accounts over the wire, and what it is looked at with. */
export interface Accounts {
  readonly wire: Wire;
  /** A key of one test alone. */
  key(vault?: string): TestKey;
  /** The services of one more instance of the app, which waits for nothing. */
  instance(env?: Readonly<Record<string, string>>): Services;
  reconcile(work: AccountWork, services?: Services): Promise<Outcome>;
  /** Runs a message as the function does: with what becomes of it. */
  deliver(work: AccountWork, services?: Services): Promise<void>;
  /** Lets an account's lease expire, if there is one, and with it the time that a write which was given up is waited for. */
  expireLease(account: StorageAccount): Promise<void>;
  /** The entries of the audit trail about an account, oldest first. */
  audited(account: StorageAccount): Promise<AuditEntry[]>;
  /** The reasons of everything logged in this test. */
  reasons(): string[];
  /** The methods of what was asked of the account itself, and of its scopes. */
  requestsOf(account: StorageAccount, since: number): { account: string[]; scopes: string[] };
}

/** For one test file: `const { … } = useAccounts()` at the top level. */
export function useAccounts(options: Omit<LocalAzureOptions, 'stateDir'> = {}): Accounts {
  const wire = useWire(options);
  const blobs = (container: string) =>
    BlobServiceClient.fromConnectionString(wire.connectionString).getContainerClient(container);
  const reconcile = (work: AccountWork, services: Services = wire.services()) =>
    reconcileAccount(work, services, wire.log);
  return {
    wire,
    key: (vault) => new TestKey(wire.azure.world, vault),
    instance: (env) => ({ ...wire.services(env), sleep: async () => {} }),
    reconcile,
    deliver: (work, services = wire.services()) =>
      processWork({
        ...services,
        queueName: ACCOUNT_WORK,
        received: { entry: work, dequeueCount: 1 },
        parse: parseAccountWork,
        run: (parsed) => reconcile(parsed, services),
        reports: new AtMostEvery(3_600_000),
        log: wire.log,
      }),
    async expireLease({ id, name }) {
      const [, , subscription] = id.split('/');
      const blob = blobs(LEASE_CONTAINER).getBlockBlobClient(`account/${subscription}/${name}`);
      await blob
        .getBlobLeaseClient()
        .breakLease(0)
        .catch((error: { code?: string }) => {
          if (error.code !== 'LeaseNotPresentWithLeaseOperation') throw error;
        });
      const state = (await blob.downloadToBuffer()).toString().replace(/"until":"[^"]+"/g, `"until":"${LONG_AGO}"`);
      await blob.upload(state, Buffer.byteLength(state));
    },
    async audited(account) {
      const entries = await auditEntries(wire.connectionString);
      return entries.filter(({ resource }) => resource === account.id);
    },
    reasons: () => wire.records.map(({ reason }) => reason),
    requestsOf(account, since) {
      const methods = (about: RegExp) => wire.arm(since, about).map(({ method }) => method);
      return {
        account: methods(new RegExp(`/storageAccounts/${account.name}\\?`)),
        scopes: methods(new RegExp(`/storageAccounts/${account.name}/encryptionScopes`)),
      };
    },
  };
}

/** The version that data is wrapped with. */
export function versionInUse(account: StorageAccount): string | undefined {
  return account.encryption.keyvaultproperties?.currentVersionedKeyIdentifier?.split('/').at(-1);
}

/** The version that the account is held at; "" or undefined when it follows its key. */
export function pinnedTo(account: StorageAccount): string | undefined {
  return account.encryption.keyvaultproperties?.keyversion;
}
