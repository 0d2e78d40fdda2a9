import { getKnown } from '../azure/read-or-why.ts';
import { readKeysRight } from '../keys/key-rights.ts';
import { type ManagedKey, withSpelling } from '../keys/managed-vaults.ts';
import type { KeySummary } from './key-schemas.ts';
import { getStateOf } from './key-state.ts';
import { type KeyViewPorts, readKeyView, readPolicy } from './key-view.ts';
import { listUnreadViews, readInTime } from './read-in-time.ts';

/** Returns a line of the list of keys. Never throws: the line names reads that failed or were aborted. */
export async function readKeySummary(key: ManagedKey, ports: KeyViewPorts, signal: AbortSignal): Promise<KeySummary> {
  const { keys, now } = ports;
  const policy = readPolicy(key, ports, signal);

  const listed = await readInTime(
    { resource: key.id, what: 'the versions of the key', action: readKeysRight(key.vault) },
    () => keys.listVersions(key),
    signal,
  );

  const versions = getKnown(listed);
  const { view } = await readKeyView(key, versions, policy, ports, signal);
  const { rotationCost: _, unread, ...shown } = view;
  const all = [...listUnreadViews(listed), ...unread];
  const { name } = withSpelling(key, versions ?? []);

  return {
    key: key.id,
    vault: key.vault.name,
    name,
    ...(versions ? getStateOf(versions, now()) : { state: 'unknown' }),
    ...shown,
    unread: versions?.length === 0 ? all.filter(({ what }) => !what.includes('policy')) : all,
  };
}
