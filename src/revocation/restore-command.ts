import type { ManagedKey } from '../keys/managed-vaults.ts';
import { vaultOption } from '../keys/vault-options.ts';

/** A placeholder, since a restore needs a reason. Quoted, so that a shell takes `<` for no redirection. */
const REASON = "--reason '<why>'";

/** The command that restores a revocation. */
export function restoreCommand(
  { name, vault }: Pick<ManagedKey, 'name' | 'vault'>,
  { id }: { readonly id: string },
): string {
  return `cmk key restore ${name} ${vaultOption(vault)} --revocation ${id} ${REASON}`;
}
