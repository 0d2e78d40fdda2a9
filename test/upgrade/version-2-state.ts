import { readFileSync } from 'node:fs';
import { TableClient } from '@azure/data-tables';
import { BlobServiceClient } from '@azure/storage-blob';
import { QueueServiceClient } from '@azure/storage-queue';
import { addAccount, addIdentity, addKeyVersion, allowStorage } from '../../local/azure/fleet.ts';
import type { StorageEncryption, World } from '../../local/azure/world.ts';
import { group, vaultNamed } from '../support/fleet.ts';

type Blob = { readonly metadata?: Record<string, string>; readonly json?: unknown; readonly lines?: readonly object[] };
type Rows = readonly { readonly partitionKey: string; readonly rowKey: string }[];

/**
 * What version 2 (commit bb852f5d) left in its storage, and in Azure, when it was killed over the sample fleet: the PATCH of
 * `stfiles01` had landed and was not answered, that of `stfiles02` never landed. Four things were made of it afterwards:
 * `stfiles03` is as if the process had died between the record and the row, `strecords01` as if the trail had been out of
 * reach, `strecords02` as if its PATCH were still on its way, `stfiles07` as if its scopes had never been asked for. What
 * repeats was left out.
 */
interface Version2State {
  readonly on: string;
  /** By vault and key, oldest first. */
  readonly versions: Readonly<Record<string, readonly string[]>>;
  /** Tags of the newest version of a key. */
  readonly revoked: Readonly<Record<string, Record<string, string>>>;
  readonly accounts: Readonly<
    Record<string, { readonly key: StorageEncryption['keyvaultproperties']; readonly tags?: Record<string, string> }>
  >;
  readonly tables: Readonly<Record<string, Rows>>;
  readonly blobs: Readonly<Record<string, Blob>>;
  readonly queues: Readonly<Record<string, readonly object[]>>;
}

export const STATE: Version2State = JSON.parse(
  readFileSync(new URL('version-2-state.json', import.meta.url), 'utf8'),
) as Version2State;

/** Makes the sample fleet what it was then: its keys, and what uses them. */
export function setFleet(world: World): void {
  for (const [id, account] of world.storageAccounts) {
    if (!STATE.accounts[account.name]) world.storageAccounts.delete(id);
  }
  for (const [id, versions] of Object.entries(STATE.versions)) {
    const [vaultName = '', keyName = ''] = id.split('/');
    const vault = vaultNamed(world, vaultName);
    while ((vault.keys.get(keyName)?.versions.length ?? 0) < versions.length) {
      world.clock.advance(1_000);
      addKeyVersion(world, vault, keyName);
    }
    for (const [n, version] of vault.keys.get(keyName)?.versions.entries() ?? []) {
      Object.assign(version, { version: versions[n] });
    }
    const newest = vault.keys.get(keyName)?.versions.at(-1);
    if (newest && STATE.revoked[id]) Object.assign(newest, { tags: STATE.revoked[id], enabled: false });
  }
  const identity = addIdentity(world, group(world), 'id-cut');
  const vault = vaultNamed(world, 'kv-files');
  allowStorage(world, vault, identity.principalId);
  addAccount(world, group(world), {
    name: 'stcut01',
    identity,
    key: { vault, keyName: 'files-key', mode: 'pinned' },
  });
  for (const [id, { principalId }] of world.roleAssignments) {
    if (principalId === identity.principalId) world.roleAssignments.delete(id);
  }
  for (const account of world.storageAccounts.values()) {
    const { key, tags } = STATE.accounts[account.name] ?? {};
    account.encryption.keyvaultproperties = key;
    if (tags) account.tags = tags;
    for (const { keyVaultProperties } of account.encryptionScopes.values()) {
      const keyUri = key?.currentVersionedKeyIdentifier ?? '';
      if (keyVaultProperties) Object.assign(keyVaultProperties, { keyUri, currentVersionedKeyIdentifier: keyUri });
    }
  }
}

/** Puts what version 2 had stored into the app's storage. The index and an open approval are as fresh as they were then. */
export async function loadState(connectionString: string): Promise<void> {
  const agedMs = Date.now() - Date.parse(STATE.on);
  const fresh = <T>(value: T): T =>
    JSON.parse(
      JSON.stringify(value).replaceAll(/"20\d\d-\d\d-\d\dT[\d:.]+Z"/g, (time) =>
        JSON.stringify(new Date(Date.parse(JSON.parse(time) as string) + agedMs)),
      ),
    ) as T;
  for (const [name, rows] of Object.entries(STATE.tables)) {
    const table = TableClient.fromConnectionString(connectionString, name, { allowInsecureConnection: true });
    await table.createTable();
    // The work zone of an upgraded app is new, so that every subscription is listed.
    for (const row of rows) if (row.partitionKey !== 'listings') await table.createEntity(fresh(row));
  }
  const blobs = BlobServiceClient.fromConnectionString(connectionString);
  for (const [path, { metadata, json, lines }] of Object.entries(STATE.blobs)) {
    const [container = '', ...name] = path.split('/');
    const client = blobs.getContainerClient(container);
    await client.createIfNotExists();
    if (lines) {
      const blob = client.getAppendBlobClient(name.join('/'));
      await blob.create();
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
      await blob.appendBlock(text, Buffer.byteLength(text));
    } else {
      const text = json === undefined ? '' : JSON.stringify(json);
      const options = metadata ? { metadata: fresh(metadata) } : {};
      await client.getBlockBlobClient(name.join('/')).upload(text, Buffer.byteLength(text), options);
    }
  }
  const queues = QueueServiceClient.fromConnectionString(connectionString);
  for (const [name, messages] of Object.entries(STATE.queues)) {
    const queue = queues.getQueueClient(name);
    await queue.createIfNotExists();
    for (const message of messages) await queue.sendMessage(JSON.stringify(message));
  }
}
