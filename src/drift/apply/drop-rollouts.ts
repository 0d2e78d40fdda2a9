import { getKnown, type Part } from '../../azure/read-or-why.ts';
import type { RolloutStore } from '../../index/rollout-row.ts';
import { hasUses, type UseRows } from '../../index/use-row.ts';
import { parseKeyIdentifier } from '../../keys/key-identifier.ts';

interface DropPorts {
  readonly rollouts: Pick<RolloutStore, 'all' | 'drop'>;
  readonly useRows: Pick<UseRows, 'of'>;
}

/** The keys of a vault, if the app could list them. */
interface ListedVault {
  readonly subject: { readonly vault: { readonly uri: string } };
  readonly keys: Part<readonly string[]>;
}

/**
 * Drops the rollouts of keys that their vault does not list and that the index has no use of: each reader of rollouts
 * reads all of them. A rollout that a decision has changed meanwhile remains.
 *
 * @throws the SDK's errors
 */
export async function dropRollouts(vaults: readonly ListedVault[], { rollouts, useRows }: DropPorts): Promise<void> {
  const keysOf = new Map<string, ReadonlySet<string>>();

  for (const { subject, keys } of vaults) {
    const names = getKnown(keys);
    if (names) keysOf.set(subject.vault.uri, new Set(names.map((name) => name.toLowerCase())));
  }

  for await (const { name, etag } of rollouts.all()) {
    const key = parseKeyIdentifier(name);
    const listed = key && keysOf.get(key.vaultUri);
    if (!listed || listed.has(key.keyName.toLowerCase())) continue;
    if (!(await hasUses(useRows, name))) await rollouts.drop(name, etag);
  }
}
