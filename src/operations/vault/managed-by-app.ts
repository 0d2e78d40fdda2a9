import type { Vault } from '../../vaults/vault-client.ts';
import type { Operation } from '../operator-azure.ts';

/** Says so, once, of a vault that the app does not look after, where it is known which those are. */
export function noteUnmanaged({ id, name }: Pick<Vault, 'id' | 'name'>, { journal, environment }: Operation): void {
  const managed = environment?.CMK_VAULTS?.split(/[\s,;]+/).filter((one) => one !== '') ?? [];
  if (managed.length === 0 || managed.some((one) => one.toLowerCase() === id.toLowerCase())) return;
  const text = `${name} is not among CMK_VAULTS: the app does not look after its keys, and moves no account that uses them.`;
  if (!journal.entries.some((entry) => entry.text === text)) journal.note(text);
}
