import type { TokenCredential } from '@azure/identity';
import type { BlockBlobClient, ContainerClient } from '@azure/storage-blob';
import { controlContainer, DRIFT_CONTAINER, ONE_RETRY } from '../azure/app-storage.ts';
import { readBlobText } from '../azure/blob-text.ts';
import { withinTime } from '../azure/deadline.ts';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Settings } from '../settings/settings.ts';
import type { KeyEffect } from './effect.ts';
import { parseEffect } from './effect-record.ts';

/** Writers that meet each other read again; so many in a row do not meet. */
const MAX_TRIES = 10;
/** For a record to be read, its content included. Milliseconds. */
const READ_MS = 10_000;

/** Keeps, for each key, what the file services of its dependents were last seen to do. */
export interface EffectStore {
  /** Undefined when nothing was recorded yet. Errors are the SDK's: read them with `describeFailure`. */
  read(key: ManagedKey, signal?: AbortSignal): Promise<KeyEffect | undefined>;
  /**
   * Replaces the record by what `change` makes of it. Of writers at the same time, none overwrites another: `change` is
   * called again with what the other one wrote. Returns what is recorded in the end.
   */
  update(key: ManagedKey, change: (current: KeyEffect | undefined) => KeyEffect): Promise<KeyEffect>;
}

/** One JSON blob for each key, `effect/{vault}/{key}.json`, guarded by its ETag. */
export function createEffectStore(
  settings: Pick<Settings, 'storage' | 'cloud'>,
  credential: () => TokenCredential,
): EffectStore {
  const container = openContainer(settings, credential);
  const blobOf = (key: ManagedKey): BlockBlobClient =>
    // Key names compare without letter case, blob names with it.
    container.getBlockBlobClient(`effect/${key.vault.name}/${key.name.toLowerCase()}.json`);

  return {
    async read(key, signal) {
      return (await load(blobOf(key), signal)).effect;
    },
    async update(key, change) {
      const blob = blobOf(key);
      for (let tries = 1; ; tries += 1) {
        const { effect, etag } = await load(blob);
        const changed = change(effect);
        try {
          await store(container, blob, changed, etag);
          return changed;
        } catch (error) {
          if (tries >= MAX_TRIES || describeFailure(error).kind !== 'conflict') throw error;
        }
      }
    },
  };
}

async function load(
  blob: BlockBlobClient,
  signal?: AbortSignal,
): Promise<{ effect: KeyEffect | undefined; etag: string | undefined }> {
  const found = await unlessMissing(() =>
    withinTime(
      READ_MS,
      async (limit) => {
        const { text, etag } = await readBlobText(blob, limit);
        return { effect: parseEffect(text), etag };
      },
      signal,
    ),
  );
  return found ?? { effect: undefined, etag: undefined };
}

async function store(
  container: ContainerClient,
  blob: BlockBlobClient,
  effect: KeyEffect,
  etag: string | undefined,
): Promise<void> {
  const json = JSON.stringify(effect);
  const options = {
    conditions: etag ? { ifMatch: etag } : { ifNoneMatch: '*' },
    blobHTTPHeaders: { blobContentType: 'application/json; charset=utf-8' },
  };
  try {
    await blob.upload(json, Buffer.byteLength(json), options);
  } catch (error) {
    if (describeFailure(error).code !== 'ContainerNotFound') throw error;
    await container.createIfNotExists();
    await blob.upload(json, Buffer.byteLength(json), options);
  }
}

function openContainer(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential): ContainerClient {
  return controlContainer(settings, credential, DRIFT_CONTAINER, ONE_RETRY);
}
