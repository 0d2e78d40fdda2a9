import type { ManagedKey } from '../keys/managed-vaults.ts';
import { vaultOption } from '../keys/vault-options.ts';

/** Placeholder for the required reason. Quoted, so a shell does not read `<` as a redirection. */
const REASON = "--reason '<why>'";

/** Returns the command that restores a revocation. */
export function restoreCommand(
  { name, vault }: Pick<ManagedKey, 'name' | 'vault'>,
  { id }: { readonly id: string },
): string {
  return `cmk key restore ${name} ${vaultOption(vault)} --revocation ${id} ${REASON}`;
}
