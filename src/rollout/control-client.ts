import type { TokenCredential } from '@azure/identity';
import type { BlockBlobClient } from '@azure/storage-blob';
import { controlContainer, ONE_RETRY } from '../azure/app-storage.ts';
import { readBlobText } from '../azure/blob-text.ts';
import { withinTime } from '../azure/deadline.ts';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import type { Settings } from '../settings/settings.ts';
import { parseJson } from '../text.ts';
import { CONTROL_STATE, type ControlState, NO_CONTROL } from './pause.ts';

/** Container of what operators have ordered, in the app's own storage. */
export const CONTROL_CONTAINER = 'cmk-control';
const BLOB = 'rollout.json';
/** Writers that meet each other read again; so many in a row do not meet. */
const MAX_TRIES = 10;
/** For the orders to be read: whoever moves an account waits for it. Milliseconds. */
const READ_MS = 3_000;
const WRITE_MS = 5_000;

/** Pauses and orders to go on, in one small blob guarded by its ETag. Errors are the SDK's. */
export interface ControlStore {
  /** What is there and no order counts as none: it was written by nobody here. */
  read(): Promise<ControlState>;
  /** Of writers at the same time none overwrites another: `change` is called again with what the other one wrote. */
  update(change: (state: ControlState) => ControlState): Promise<ControlState>;
}

export function createControlStore(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
): ControlStore {
  const container = controlContainer(settings, credential, CONTROL_CONTAINER, ONE_RETRY);
  const blob = container.getBlockBlobClient(BLOB);
  const store = async (state: ControlState, etag: string | undefined): Promise<void> => {
    try {
      await upload(blob, state, etag);
    } catch (error) {
      if (describeFailure(error).code !== 'ContainerNotFound') throw error;
      await container.createIfNotExists();
      await upload(blob, state, etag);
    }
  };
  return {
    read: async () => (await load(blob)).state,
    async update(change) {
      for (let tries = 1; ; tries += 1) {
        const { state, etag } = await load(blob);
        const changed = change(state);
        try {
          await store(changed, etag);
          return changed;
        } catch (error) {
          if (tries >= MAX_TRIES || describeFailure(error).kind !== 'conflict') throw error;
        }
      }
    },
  };
}

async function load(blob: BlockBlobClient): Promise<{ state: ControlState; etag: string | undefined }> {
  const found = await unlessMissing(() =>
    withinTime(READ_MS, async (limit) => {
      const { text, etag } = await readBlobText(blob, limit);
      return { state: parsed(text), etag };
    }),
  );
  return found ?? { state: NO_CONTROL, etag: undefined };
}

function parsed(json: string): ControlState {
  return CONTROL_STATE.safeParse(parseJson(json)).data ?? NO_CONTROL;
}

function upload(blob: BlockBlobClient, state: ControlState, etag: string | undefined): Promise<unknown> {
  const json = JSON.stringify(state);
  const options = {
    conditions: etag ? { ifMatch: etag } : { ifNoneMatch: '*' },
    blobHTTPHeaders: { blobContentType: 'application/json; charset=utf-8' },
  };
  return withinTime(WRITE_MS, (limit) => blob.upload(json, Buffer.byteLength(json), { ...options, ...limit }));
}
