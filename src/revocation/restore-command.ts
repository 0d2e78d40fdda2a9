import type { ManagedKey } from '../keys/managed-vaults.ts';
import { vaultOption } from '../keys/vault-options.ts';

/** For a person to complete: a restore needs a reason. Quoted, so that a shell does not take it for a file. */
const REASON = "--reason '<why>'";

/** The command that restores a revocation. */
export function restoreCommand(
  { name, vault }: Pick<ManagedKey, 'name' | 'vault'>,
  { id }: { readonly id: string },
): string {
  return `cmk key restore ${name} ${vaultOption(vault)} --revocation ${id} ${REASON}`;
}

/** The command that restores a revocation of an account, or of one of its encryption scopes. */
export function restoreAccountCommand({ name }: { readonly name: string }, { id }: { readonly id: string }): string {
  return `cmk account restore ${name} --revocation ${id} ${REASON}`;
}
