import type { Vault } from '../../vaults/vault-client.ts';
import type { Operation } from '../operator-azure.ts';

/** Says, once and before anything is changed, what of a vault will stand in the way later. */
export function noteVault(vault: Vault, { journal, environment }: Operation): void {
  for (const text of [...unmanaged(vault, environment), ...outOfReach(vault)]) {
    if (!journal.entries.some((entry) => entry.text === text)) journal.note(text);
  }
}

/** The app does not look after it, where it is known which vaults it does. */
function unmanaged({ id, name }: Vault, environment: Operation['environment']): string[] {
  const managed = environment?.CMK_VAULTS?.split(/[\s,;]+/).filter((one) => one !== '') ?? [];
  if (managed.length === 0 || managed.some((one) => one.toLowerCase() === id.toLowerCase())) return [];
  return [
    `${name} is not among CMK_VAULTS: the app does not look after its keys, and moves no account that uses them.`,
  ];
}

/** Storage reads keys as one of the trusted services, which network rules may let by (Azure Storage, "Customer-managed keys overview"). */
function outOfReach({ name, network }: Vault): string[] {
  if (network.publicAccess === 'byPerimeter') {
    return [`A network security perimeter guards ${name}: accounts outside of it do not reach its keys.`];
  }
  if (network.allowsTrustedServices || (network.publicAccess === 'enabled' && network.allowsOthers)) return [];
  const closed = network.publicAccess === 'disabled' ? 'public network access is off' : 'the network rules deny others';
  return [
    `Storage does not reach the keys of ${name}: ${closed}, and trusted services are not let by. Let them: az keyvault update --name ${name} --bypass AzureServices`,
  ];
}
