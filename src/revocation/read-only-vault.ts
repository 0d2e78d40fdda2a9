import type { Failure } from '../azure/failure.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { AppliedChange } from './apply-changes.ts';
import { REASON_OPTION } from './restore-command.ts';

/** Inner codes with which Key Vault says that the caller lacks a right. */
const RIGHT_MISSING: ReadonlySet<string | undefined> = new Set(['ForbiddenByRbac', 'AccessDenied']);
const REJECTIONS: ReadonlySet<Failure['kind']> = new Set<Failure['kind']>(['forbidden', 'refused', 'conflict']);

/**
 * Whether the vault rejects every update of the key although it answers reads, as it does while its region is failed
 * over. Microsoft documents neither the status nor the code of that rejection, so only the structure tells it. A Managed
 * HSM does not become read-only.
 *
 * @param proof versions as listed after the updates
 * @param applied the last change of each version, by version
 */
export function isVaultReadOnly(
  { vault }: Pick<ManagedKey, 'vault'>,
  proof: readonly KeyVersion[],
  applied: ReadonlyMap<string, AppliedChange>,
): boolean {
  const isAnyUpdated = [...applied.values()].some(({ written, answer }) => written && answer !== undefined);
  if (vault.kind !== 'vault' || isAnyUpdated) return false;

  const open = proof.filter(({ enabled }) => enabled);
  return open.length > 0 && open.every(({ version }) => isRejected(applied.get(version)?.failure));
}

function isRejected(failure: Failure | undefined): boolean {
  return failure !== undefined && REJECTIONS.has(failure.kind) && !RIGHT_MISSING.has(failure.innerCode);
}

/**
 * Command that cuts an account off without a write to the vault: it removes roles of the account's identity. Each account
 * that depends on the key needs it.
 */
export const SECOND_WAY = `cmk account revoke '<account>' --shared ${REASON_OPTION}`;
