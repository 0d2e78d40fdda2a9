import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenCredential } from '@azure/identity';
import { auditFiles } from '../../audit/audit-client.ts';
import { auditContainer } from '../../audit/audit-storage-client.ts';
import { auditTrail } from '../../audit/audit-trail.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { readStorageSettings } from '../../settings/settings.ts';
import { KEY_WORK } from '../../work/messages.ts';
import { createWorkQueue } from '../../work/work-queue-client.ts';
import type { Operator } from '../operator.ts';
import type { AppEnvironment } from './blast-radius-of.ts';

/** How long to wait for the app's storage: nothing of importance depends on it. Milliseconds. */
const WAIT_MS = 5_000;

/** What is told to the app, where its storage is known and answers. */
export interface AppRecord {
  /** Writes to the audit trail; answers `written`, or why not. */
  audit(entry: {
    readonly action: 'key.revoke' | 'key.restore' | 'key.retire';
    readonly reason: string;
    readonly key: ManagedKey;
    readonly operator: Operator;
    readonly details: Record<string, unknown>;
  }): Promise<string>;
  /**
   * Has the app look at what depends on a restored key, and at what the file services show; answers `queued`, or why not.
   */
  enqueue(key: ManagedKey, by: 'revoke' | 'restore'): Promise<string>;
}

const UNKNOWN = 'the storage of the app is not known: set AzureWebJobsStorage__accountName';

/** The app's own storage, as the environment names it; without it every answer says so. */
export function appRecord(environment: AppEnvironment, credential: () => TokenCredential): AppRecord {
  let settings: ReturnType<typeof readStorageSettings>;
  try {
    settings = readStorageSettings(environment);
  } catch {
    return { audit: async () => UNKNOWN, enqueue: async () => UNKNOWN };
  }
  const correlationId = randomUUID();
  return {
    async audit({ action, reason, key, operator, details }) {
      const record = auditTrail(auditFiles(auditContainer(settings, credential)), {
        now: () => new Date(),
        newId: () => randomUUID(),
        sleep: (ms) => sleep(ms),
        random: Math.random,
      });
      const caller = { objectId: operator.objectId, appId: 'cmk', name: operator.name };
      const outcome = await record({ action, reason, resource: key.id, caller, correlationId, details }, WAIT_MS);
      return 'written' in outcome ? 'written' : outcome.failed;
    },
    async enqueue(key, by) {
      const timeUp = sleep(WAIT_MS, `no answer within ${WAIT_MS} ms`, { ref: false });
      const queue = createWorkQueue(settings, credential);
      const since = new Date().toISOString();
      const common = { key: key.id, cause: { by, ref: correlationId, since }, attempt: 0 };
      const send = async (): Promise<string> => {
        if (by === 'restore') await queue.send(KEY_WORK, { kind: 'key', ...common });
        const expect = by === 'revoke' ? 'blocked' : 'open';
        await queue.send(KEY_WORK, { kind: 'probe', expect, since, ...common });
        return 'queued';
      };
      const sent = send().catch(
        (error: unknown) => (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '',
      );
      return Promise.race([sent, timeUp]);
    },
  };
}
