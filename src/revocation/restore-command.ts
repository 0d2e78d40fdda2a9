import type { ManagedKey } from '../keys/managed-vaults.ts';
import { formatVaultOption } from '../keys/vault-options.ts';

/** Placeholder for the required reason. Quoted, so a shell does not read `<` as a redirection. */
export const REASON_OPTION = "--reason '<why>'";

/** Returns the command that restores a revocation. */
export function formatRestoreCommand(
  { name, vault }: Pick<ManagedKey, 'name' | 'vault'>,
  { id }: { readonly id: string },
): string {
  return `cmk key restore ${name} ${formatVaultOption(vault)} --revocation ${id} ${REASON_OPTION}`;
}
