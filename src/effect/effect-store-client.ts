import type { TokenCredential } from '@azure/identity';
import { controlContainer, DRIFT_CONTAINER, ONE_RETRY } from '../azure/app-storage.ts';
import { blobDocuments } from '../azure/documents.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Settings } from '../settings/settings.ts';
import { EFFECT, type KeyEffect } from './effect.ts';

/** Deadline for a read or write of a record, including its content. Milliseconds. */
const TIMEOUT_MS = 10_000;

/** Stores the last probe results of each key's dependents. Throws the SDK's errors, which `describeFailure` describes. */
export interface EffectStore {
  /** Returns undefined before the first record. */
  read(key: ManagedKey, signal?: AbortSignal): Promise<KeyEffect | undefined>;
  /**
   * Replaces the record with the result of `change`, and returns the stored record. After a conflict it calls `change`
   * again with the other writer's record.
   */
  update(key: ManagedKey, change: (current: KeyEffect | undefined) => KeyEffect): Promise<KeyEffect>;
}

/** Stores a JSON blob for each key, `effect/{vault}/{key}.json`, with conditional writes by ETag. */
export function createEffectStore(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential): EffectStore {
  const container = controlContainer(settings, credential, DRIFT_CONTAINER, ONE_RETRY);
  const effects = blobDocuments(container, EFFECT, TIMEOUT_MS);
  // Key names are case-insensitive, blob names are case-sensitive.
  const nameOf = ({ vault, name }: ManagedKey): string => `effect/${vault.name}/${name.toLowerCase()}.json`;
  return {
    read: async (key, signal) => (await effects.read(nameOf(key), signal))?.value,
    update: (key, change) => effects.change(nameOf(key), change, async () => undefined) as Promise<KeyEffect>,
  };
}
