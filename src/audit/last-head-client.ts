import { createHash } from 'node:crypto';
import type { TableClient } from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import { controlTable } from '../azure/app-storage.ts';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import type { Settings } from '../settings/settings.ts';
import { parseJson } from '../text.ts';
import { isAheadOf, SIGNED_HEAD, type SignedHead } from './signed-head.ts';

/** Table of the app's own storage that has the newest head: a right to write its blobs is none to write its tables. */
export const AUDIT_TABLE = 'cmkaudit';
const PARTITION = 'head';
/** Other checks may keep theirs at the same moment; so often it is read again. */
const MOST_ROUNDS = 5;

/** The newest head of a trail, beside those of each day. Errors are the SDK's. */
export interface LastHead {
  /** Undefined: there is none, or what stands there is none. */
  read(): Promise<SignedHead | undefined>;
  /** In the place of the one before, which is never one of the same trail with a greater number. */
  keep(head: SignedHead): Promise<void>;
}

/** @param trail address of the container that the trail is in */
export function lastHead(
  trail: string,
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
): LastHead {
  const rowKey = createHash('sha256').update(trail).digest('hex');
  let client: TableClient | undefined;
  // Made when it is first needed: a connection string may lead to no table.
  const table = (): TableClient => {
    client ??= controlTable(settings, credential, AUDIT_TABLE);
    return client;
  };
  const row = () => unlessMissing(() => table().getEntity<{ head?: unknown }>(PARTITION, rowKey));
  return {
    read: async () => parsed((await row())?.head),
    async keep(head) {
      for (let round = 1; ; round += 1) {
        const there = await row();
        if (isAheadOf(parsed(there?.head), head)) return;
        const entity = { partitionKey: PARTITION, rowKey, head: JSON.stringify(head) };
        try {
          if (there) await table().updateEntity(entity, 'Replace', { etag: there.etag });
          else await createIn(table(), entity);
          return;
        } catch (error) {
          if (![409, 412].includes(describeFailure(error).status ?? 0) || round >= MOST_ROUNDS) throw error;
        }
      }
    },
  };
}

async function createIn(table: TableClient, entity: { partitionKey: string; rowKey: string; head: string }) {
  try {
    await table.createEntity(entity);
  } catch (error) {
    if (describeFailure(error).status !== 404) throw error;
    // Another instance may have made it meanwhile; the SDK takes that for success.
    await table.createTable();
    await table.createEntity(entity);
  }
}

function parsed(text: unknown): SignedHead | undefined {
  return SIGNED_HEAD.safeParse(parseJson(String(text))).data;
}
