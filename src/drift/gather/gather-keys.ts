import { readOnce } from '../../azure/read-once.ts';
import { getKnown, type Part, readPart } from '../../azure/read-or-why.ts';
import { findNewestVersion, findVersion } from '../../keys/key-versions.ts';
import { createManagedKey, type ManagedKey, withSpelling } from '../../keys/managed-vaults.ts';
import { KeyUsage } from '../checks/key-usage.ts';
import type { KeySubject } from '../checks/subjects.ts';
import type { GatheredVaults } from './gather-vaults.ts';
import { type GatherServices, PARTS } from './parts.ts';

type KeyServices = Pick<GatherServices, 'keys' | 'keyCatalog'>;

const NOTHING = { policy: { value: { rotates: false } }, material: { value: undefined } } as const;

/** The keys of the managed vaults. Reads each key once, on first use. */
export function createGatheredKeys(vaults: GatheredVaults, services: KeyServices) {
  const read = async ([vaultUri, name]: readonly [vaultUri: string, name: string]): Promise<KeySubject | undefined> => {
    const vault = await vaults.get(vaultUri);
    if (!vault) return undefined;
    const { subject, keys, gone, denials } = vault;
    const key = createManagedKey(subject.vault, name);
    const of = 'unread' in keys ? closedOff(key, keys, gone) : await readKey(key, services);
    return { ...of, tenantId: getKnown(subject.properties)?.tenantId, denials };
  };

  const keys = readOnce(read, ([vaultUri, name]) => `${vaultUri}/keys/${name}`);
  const versions = readOnce(
    ({ key, version }: { key: ManagedKey; version: string }) =>
      services.keys.listVersions(key).then(
        (listed) => findVersion(listed, version) !== undefined,
        // A failed read does not prove that the version is missing.
        () => true,
      ),
    ({ key, version }) => `${key.id}/${version}`,
  );

  return {
    /** Undefined if the vault is not managed. */
    get: (vaultUri: string, name: string) => keys.get([vaultUri, name]),
    /** Whether a key has a version that its list lacked. An account read later may use a newer version. */
    hasVersion: ({ key }: KeySubject, version: string) => versions.get({ key, version }),
    /** Every key read so far. */
    all: async () => (await keys.all()).flatMap((key) => key ?? []),
  };
}

/** The vault is unreadable or missing. One finding reports this, so the keys are not read. */
function closedOff(key: ManagedKey, unread: Part<never>, gone: boolean): KeySubject {
  const usage = new KeyUsage();
  return gone
    ? { key, state: 'vaultGone', versions: { value: [] }, ...NOTHING, usage }
    : { key, state: 'present', versions: unread, policy: unread, material: unread, usage };
}

/** Reads a key completely. Never throws. */
export async function readKey(named: ManagedKey, { keys, keyCatalog }: KeyServices): Promise<KeySubject> {
  const usage = new KeyUsage();
  const versions = await readPart(PARTS.versions(named), () => keys.listVersions(named));
  const listed = getKnown(versions);
  if (listed?.length === 0) {
    const state = await keyCatalog.isDeleted(named).then(
      (isDeleted) => (isDeleted ? 'deleted' : 'absent'),
      () => 'gone' as const,
    );
    return { key: named, state, versions, ...NOTHING, usage };
  }

  const key = listed ? withSpelling(named, listed) : named;
  const newest = listed && findNewestVersion(listed);
  const [policy, material] = await Promise.all([
    readPart(PARTS.rotationPolicy(key), () => keys.rotationPolicy(key)),
    readPart(PARTS.material(key), async () => newest && keyCatalog.material(key, newest.version)),
  ]);

  return { key, state: 'present', versions, policy, material, usage };
}

/** The parts of keys that a check reads. */
export function listPartsOfKeys(keys: readonly KeySubject[]): readonly Part<unknown>[] {
  return keys.flatMap(({ versions, policy, material }) => [versions, policy, material]);
}
