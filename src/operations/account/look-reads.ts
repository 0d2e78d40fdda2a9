import { known, readPart } from '../../azure/read-or-why.ts';
import type { KeySubject, Rules, VaultSubject } from '../../drift/checks/subjects.ts';
import { readKey } from '../../drift/gather/gather-keys.ts';
import { managedKey } from '../../keys/managed-vaults.ts';
import type { Azure } from '../operator-azure.ts';
import { keyByName, lookForVault, managed } from '../resolve.ts';

/** What is required of this account, and exempted, is not asked: an account is looked at, not a fleet. */
const DRIFT: Rules['drift'] = {
  problems: [],
  autofix: [],
  require: [],
  exemptions: [],
  keyMaxAgeDays: Number.POSITIVE_INFINITY,
  keyMinBits: 0,
  requireHsm: false,
  usageWorkspace: undefined,
  functionAppId: undefined,
  storageAccountId: undefined,
  sharedZones: undefined,
  watchChanges: false,
  systemTopics: {},
};

/** What the drift checks go by where an operator looks at accounts, and not the app. */
export function rulesOfLook(now: Date): Rules {
  return {
    now,
    refreshAutomatic: true,
    drift: DRIFT,
    wantedSubscriptions: undefined,
    wantedWatch: undefined,
    contests: [],
  };
}

/** The same answer for the same question, asked once. */
export function cached<T>(read: (of: string) => Promise<T>): (of: string) => Promise<T> {
  const answers = new Map<string, Promise<T>>();
  return (of) => {
    const answer = answers.get(of.toLowerCase()) ?? read(of);
    answers.set(of.toLowerCase(), answer);
    return answer;
  };
}

/** A vault that the sign-in does not see has no ARM id. */
export async function readVault(vaultUri: string, azure: Azure): Promise<VaultSubject> {
  const what = { resource: vaultUri, what: 'the vault', action: 'Microsoft.KeyVault/vaults/read' };
  const found = await readPart(what, async () => {
    const seen = await lookForVault(vaultUri, azure);
    return seen && managed(seen, azure.cloud);
  });
  const seen = known(found);
  const vault = seen ?? keyByName(`${vaultUri}/keys/any`, undefined, azure.cloud).vault;
  const properties = 'unread' in found ? found : await readPart(what, async () => seen && azure.vaults.get(seen));
  return { vault, properties, events: undefined, deadLetters: { value: [] } };
}

export async function readKeyIn(
  id: string,
  vaults: (uri: string) => Promise<VaultSubject>,
  azure: Azure,
): Promise<KeySubject> {
  const { vault: named, name } = keyByName(id, undefined, azure.cloud);
  const { vault, properties } = await vaults(named.uri);
  const key = await readKey(managedKey(vault, name), { keys: azure.keys, keyCatalog: azure.keyAdmin });
  const unseen = 'value' in properties && properties.value === undefined;
  // One that the sign-in does not see may well serve its keys, and one that refuses is there.
  const answers = 'unread' in key.versions ? key.versions.unread.kind === 'forbidden' : key.versions.value.length > 0;
  if (!unseen || answers) return key;
  return { ...key, state: 'vaultGone' };
}
