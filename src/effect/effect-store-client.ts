import type { TokenCredential } from '@azure/identity';
import { controlContainer, DRIFT_CONTAINER, ONE_RETRY } from '../azure/app-storage.ts';
import { blobDocuments } from '../azure/documents.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Settings } from '../settings/settings.ts';
import type { KeyEffect } from './effect.ts';
import { EFFECT } from './effect-record.ts';

/** For a record to be read or written, its content included. Milliseconds. */
const TIMEOUT_MS = 10_000;

/** Keeps, for each key, what the file services of its dependents were last seen to do. */
export interface EffectStore {
  /** Undefined when nothing was recorded yet. Errors are the SDK's: read them with `describeFailure`. */
  read(key: ManagedKey, signal?: AbortSignal): Promise<KeyEffect | undefined>;
  /**
   * Replaces the record by what `change` makes of it. After a conflict `change` is called again with what the other writer
   * wrote. Returns what is recorded in the end.
   */
  update(key: ManagedKey, change: (current: KeyEffect | undefined) => KeyEffect): Promise<KeyEffect>;
}

/** One JSON blob for each key, `effect/{vault}/{key}.json`, guarded by its ETag. */
export function createEffectStore(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential): EffectStore {
  const container = controlContainer(settings, credential, DRIFT_CONTAINER, ONE_RETRY);
  const effects = blobDocuments(container, EFFECT, TIMEOUT_MS);
  // Key names compare without letter case, blob names with it.
  const nameOf = ({ vault, name }: ManagedKey): string => `effect/${vault.name}/${name.toLowerCase()}.json`;
  return {
    read: async (key, signal) => (await effects.read(nameOf(key), signal))?.value,
    async update(key, change) {
      let changed: KeyEffect | undefined;
      await effects.change(
        nameOf(key),
        (current) => {
          changed = change(current);
          return changed;
        },
        async () => undefined,
      );
      return changed as KeyEffect;
    },
  };
}
