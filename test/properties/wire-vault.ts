import { ClientSecretCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import type { Key } from '../../local/azure/world.ts';
import type { Keys } from '../../src/keys/key-client.ts';
import { compareAge, type KeyVersion } from '../../src/keys/key-versions.ts';
import { type ManagedKey, managedKey } from '../../src/keys/managed-vaults.ts';
import { TestKey, vaultNamed } from '../support/fleet.ts';
import type { Wire } from '../support/wire.ts';
import type { KeyBench } from './revocation-histories.ts';

/** One key in the local Azure, changed by the app's client and by an owner's, both the SDK's over the wire. */
export class WireVault implements KeyBench {
  readonly key: ManagedKey;
  readonly keys: Keys;
  readonly #wire: Wire;
  readonly #owner: KeyClient;

  constructor(wire: Wire) {
    const { azure } = wire;
    const { name } = new TestKey(azure.world, 'kv-files', { kty: 'EC', curve: 'P-256' });
    const { settings, urgentKeys } = wire.services();
    const vault = settings.vaults.byName('kv-files');
    if (!vault) throw new Error('kv-files is not managed.');
    this.#wire = wire;
    this.key = managedKey(vault, name);
    this.keys = urgentKeys;
    const secret = azure.world.principals.get(CLIENT_IDS.owner)?.secret ?? '';
    const owner = new ClientSecretCredential(azure.world.tenantId, CLIENT_IDS.owner, secret);
    this.#owner = new KeyClient(vault.uri, owner);
  }

  now(): Date {
    return this.#wire.azure.clock.now();
  }

  advance(ms: number): void {
    this.#wire.azure.clock.advance(ms);
  }

  async truth(): Promise<KeyVersion[]> {
    const key = vaultNamed(this.#wire.azure.world, 'kv-files').keys.get(this.key.name);
    return (key?.versions ?? []).map((version) => toVersion(this.key, version)).sort(compareAge);
  }

  async deleted(): Promise<KeyVersion[]> {
    const key = vaultNamed(this.#wire.azure.world, 'kv-files').deletedKeys.get(this.key.name);
    return (key?.versions ?? []).map((version) => toVersion(this.key, version)).sort(compareAge);
  }

  async isDeleted(): Promise<boolean> {
    return vaultNamed(this.#wire.azure.world, 'kv-files').deletedKeys.has(this.key.name);
  }

  async create(tags: Record<string, string>, enabled: boolean): Promise<void> {
    if (await this.isDeleted()) return;
    await this.#owner.createEcKey(this.key.name, { tags, enabled });
  }

  async rotate(): Promise<void> {
    if (!(await this.isDeleted())) await this.#owner.rotateKey(this.key.name);
  }

  async set(version: string, enabled: boolean): Promise<void> {
    await this.#owner.updateKeyProperties(this.key.name, version, { enabled });
  }

  async remove(): Promise<void> {
    if (await this.isDeleted()) return;
    await (await this.#owner.beginDeleteKey(this.key.name, { intervalInMs: 20 })).pollUntilDone();
  }

  async bringBack(): Promise<void> {
    if (!(await this.isDeleted())) return;
    await (await this.#owner.beginRecoverDeletedKey(this.key.name, { intervalInMs: 20 })).pollUntilDone();
  }
}

function toVersion(key: ManagedKey, version: Key['versions'][number]): KeyVersion {
  const date = (seconds: number) => new Date(seconds * 1000);
  return {
    id: `${key.id}/${version.version}`,
    version: version.version,
    enabled: version.enabled,
    createdOn: date(version.created),
    updatedOn: date(version.updated),
    notBefore: undefined,
    expiresOn: version.exp === undefined ? undefined : date(version.exp),
    tags: version.tags ?? {},
    latest: false,
  };
}
