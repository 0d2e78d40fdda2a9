import type { TokenCredential } from '@azure/identity';
import { DRIFT_CONTAINER, ONE_RETRY, openControlContainer } from '../azure/app-storage.ts';
import { createBlobDocuments } from '../azure/blobs.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Settings } from '../settings/settings.ts';
import { EFFECT, type KeyEffect } from './effect.ts';

/** Deadline for a read or write of a record, including its content. Milliseconds. */
const TIMEOUT_MS = 10_000;

export type EffectStore = ReturnType<typeof createEffectStore>;

/**
 * Stores the last probe results of each key's dependents: a JSON blob for each key, `effect/{vault}/{key}.json`, with
 * conditional writes by ETag. Throws the SDK's errors, which `describeFailure` describes.
 */
export function createEffectStore(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential) {
  const container = openControlContainer(settings, credential, DRIFT_CONTAINER, ONE_RETRY);
  const effects = createBlobDocuments(container, EFFECT, TIMEOUT_MS);

  // Key names are case-insensitive, blob names are case-sensitive.
  const nameOf = ({ vault, name }: ManagedKey): string => `effect/${vault.name}/${name.toLowerCase()}.json`;

  return {
    /** Returns undefined before the first record. */
    read: async (key: ManagedKey, signal?: AbortSignal) => (await effects.read(nameOf(key), signal))?.value,
    /**
     * Replaces the record with the result of `change`, and returns the stored record. After a conflict it calls `change`
     * again with the other writer's record.
     */
    update: (key: ManagedKey, change: (current: KeyEffect | undefined) => KeyEffect) =>
      effects.change(nameOf(key), change, async () => undefined) as Promise<KeyEffect>,
  };
}
