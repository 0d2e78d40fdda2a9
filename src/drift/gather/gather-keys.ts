import { known as knownPart, type Part, readPart, type UnreadPart, unreadOf } from '../../azure/read-or-why.ts';
import type { KeyCatalog } from '../../keys/key-admin-client.ts';
import type { Keys } from '../../keys/key-client.ts';
import { readKeysRight, readPolicyRight } from '../../keys/key-rights.ts';
import { findVersion, newestVersion } from '../../keys/key-versions.ts';
import { asSpelled, type ManagedKey, managedKey } from '../../keys/managed-vaults.ts';
import { KeyUsage } from '../checks/key-usage.ts';
import type { KeySubject } from '../checks/subjects.ts';
import type { GatheredVaults } from './gather-vaults.ts';

type KeyServices = { readonly keys: Keys; readonly keyCatalog: KeyCatalog };

const NOTHING = { policy: { value: { rotates: false } }, material: { value: undefined } } as const;

/** The keys of the managed vaults. Reads each key once, on first use. */
export class GatheredKeys {
  readonly #vaults: GatheredVaults;
  readonly #services: KeyServices;
  readonly #keys = new Map<string, Promise<KeySubject>>();
  readonly #reads = new Map<string, Promise<boolean>>();

  constructor(vaults: GatheredVaults, services: KeyServices) {
    this.#vaults = vaults;
    this.#services = services;
  }

  /** Undefined if the vault is not managed. */
  async get(vaultUri: string, name: string): Promise<KeySubject | undefined> {
    const vault = await this.#vaults.get(vaultUri);
    if (!vault) return undefined;
    const id = `${vaultUri}/keys/${name}`.toLowerCase();
    const known = this.#keys.get(id);
    if (known) return known;
    const key = managedKey(vault.subject.vault, name);
    const reading = 'unread' in vault.keys ? closedOff(key, vault.keys, vault.gone) : readKey(key, this.#services);
    const tenantId = knownPart(vault.subject.properties)?.tenantId;
    const { denials } = vault;
    const withVault = reading.then((subject) => ({ ...subject, tenantId, denials }));
    this.#keys.set(id, withVault);
    return withVault;
  }

  /** Whether a key has a version that its list lacked. An account read later may use a newer version. */
  hasVersion({ key }: KeySubject, version: string): Promise<boolean> {
    const id = `${key.id}/${version}`.toLowerCase();
    const reading =
      this.#reads.get(id) ??
      this.#services.keys.listVersions(key).then(
        (versions) => findVersion(versions, version) !== undefined,
        // A failed read does not prove that the version is missing.
        () => true,
      );
    this.#reads.set(id, reading);
    return reading;
  }

  /** Every key read so far. */
  async all(): Promise<KeySubject[]> {
    return Promise.all(this.#keys.values());
  }
}

/** The vault is unreadable or missing. One finding reports this, so the keys are not read. */
async function closedOff(key: ManagedKey, unread: Part<never>, gone: boolean): Promise<KeySubject> {
  const usage = new KeyUsage();
  return gone
    ? { key, state: 'vaultGone', versions: { value: [] }, ...NOTHING, usage }
    : { key, state: 'present', versions: unread, policy: unread, material: unread, usage };
}

/** Reads a key completely. Never throws. */
export async function readKey(named: ManagedKey, services: KeyServices): Promise<KeySubject> {
  let key = named;
  const usage = new KeyUsage();
  const versions = await readPart(
    { resource: key.id, what: 'the versions of the key', action: readKeysRight(key.vault) },
    () => services.keys.listVersions(key),
  );
  if ('value' in versions && versions.value.length === 0) {
    const state = await whereabouts(key, services);
    return { key, state, versions, ...NOTHING, usage };
  }
  if ('value' in versions) key = asSpelled(key, versions.value);
  const newest = 'value' in versions ? newestVersion(versions.value) : undefined;
  const [policy, material] = await Promise.all([
    readPart(
      {
        resource: key.id,
        what: 'the rotation policy of the key',
        action: readPolicyRight(key.vault),
      },
      () => services.keys.rotationPolicy(key),
    ),
    readPart(
      { resource: key.id, what: 'the type of the key', action: readKeysRight(key.vault) },
      async () => newest && services.keyCatalog.material(key, newest.version),
    ),
  ]);
  return { key, state: 'present', versions, policy, material, usage };
}

/** State of a key without versions. */
async function whereabouts(key: ManagedKey, { keyCatalog }: KeyServices): Promise<KeySubject['state']> {
  try {
    return (await keyCatalog.isDeleted(key)) ? 'deleted' : 'absent';
  } catch {
    return 'gone';
  }
}

/** Failed reads of the keys. */
export function unreadOfKeys(keys: readonly KeySubject[]): UnreadPart[] {
  return unreadOf(keys.flatMap(({ versions, policy, material }) => [versions, policy, material]));
}
