import { randomBytes } from 'node:crypto';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addAccount, addKeyVersion, type FleetAccount, type KeyMode } from '../../local/azure/fleet.ts';
import { keyIdentifier, rotateKey } from '../../local/azure/key-vault/keys.ts';
import type {
  KeyVersion,
  ResourceGroup,
  StorageAccount,
  UserAssignedIdentity,
  Vault,
  World,
} from '../../local/azure/world.ts';
import type { KeyWork, RotateWork } from '../../src/work/messages.ts';

const CAUSE = { by: 'operator', ref: 'test', since: '' };

/** The resource group of the sample fleet that has that name. */
export function group(world: World, name = 'rg-files', subscription: string = SUBSCRIPTION_ID): ResourceGroup {
  const found = world.resourceGroups.get(`/subscriptions/${subscription}/resourcegroups/${name}`);
  if (!found) throw new Error(`The sample fleet has no resource group ${name}.`);
  return found;
}

/** A Managed HSM counts as a vault. */
export function vaultNamed(world: World, name: string): Vault {
  const found = world.vaults.get(name) ?? world.managedHsms.get(name);
  if (!found) throw new Error(`The sample fleet has no vault ${name}.`);
  return found;
}

/** The user-assigned identity that the sample fleet's accounts use. */
export function storageIdentity(world: World): UserAssignedIdentity {
  const found = [...world.identities.values()].find(({ name }) => name === 'id-storage');
  if (!found) throw new Error('The sample fleet has no identity id-storage.');
  return found;
}

/** The version that an account uses. */
export function inUse(account: StorageAccount | undefined): string | undefined {
  return account?.encryption.keyvaultproperties?.currentVersionedKeyIdentifier?.split('/').at(-1);
}

/** Makes a version, and its last change, that many seconds older. */
export function setBack(version: KeyVersion, seconds: number): void {
  Object.assign(version, { created: version.created - seconds, updated: version.updated - seconds });
}

/** A key of one test alone, in a managed vault of the sample fleet, with accounts on it as the test wants them. */
export class TestKey {
  readonly world: World;
  readonly vault: Vault;
  readonly name: string;
  readonly #first: KeyVersion;

  constructor(world: World, vault = 'kv-files', options: Parameters<typeof addKeyVersion>[3] = {}) {
    this.world = world;
    this.vault = vaultNamed(world, vault);
    this.name = `key-${randomBytes(4).toString('hex')}`;
    this.#first = addKeyVersion(world, this.vault, this.name, options);
  }

  get first(): KeyVersion {
    return this.#first;
  }

  /** Identifier, with a version if one is given. */
  id(version?: KeyVersion): string {
    return keyIdentifier(this.vault, this.name, version?.version);
  }

  /** A version made a second later than the one before, without an event. */
  add(options: Parameters<typeof addKeyVersion>[3] = {}): KeyVersion {
    this.world.clock.advance(1_000);
    return addKeyVersion(this.world, this.vault, this.name, options);
  }

  /** A version made by a rotation, a second later than what was before, with its event. */
  rotate(): KeyVersion {
    this.world.clock.advance(1_000);
    return rotateKey(this.world, this.vault, this.name);
  }

  use(mode: KeyMode = 'pinned', version: KeyVersion = this.#first): NonNullable<FleetAccount['key']> {
    return { vault: this.vault, keyName: this.name, mode, version };
  }

  /** An account on the first version of this key, with the sample fleet's identity, and with the given changes. */
  account(mode: KeyMode = 'pinned', options: Partial<FleetAccount> & { group?: ResourceGroup } = {}): StorageAccount {
    const { group: at = group(this.world), ...rest } = options;
    return addAccount(this.world, at, {
      name: `st${randomBytes(6).toString('hex')}`,
      identity: storageIdentity(this.world),
      key: this.use(mode),
      ...rest,
    });
  }

  rotateWork(): RotateWork {
    return { kind: 'rotate', key: this.id(), cause: CAUSE };
  }

  keyWork(): KeyWork {
    return { kind: 'key', key: this.id(), cause: CAUSE };
  }
}
