import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenCredential } from '@azure/identity';
import { createStorageAccounts, type StorageAccounts } from './accounts/storage-client.ts';
import { createSubscriptions, type Subscriptions } from './accounts/subscriptions-client.ts';
import { appCredential } from './azure/credential.ts';
import { Pacer, STORAGE_WRITES } from './azure/pacer.ts';
import { createKeys, type Keys, URGENT_OPTIONS, WORKER_OPTIONS } from './keys/key-client.ts';
import { type Environment, readSettings, type Settings } from './settings.ts';
import { createWorkQueue, type WorkQueue } from './work/work-queue-client.ts';

/** Everything a use-case needs from outside: settings, Azure, the queue and time. */
export interface Services {
  readonly settings: Settings;
  readonly keys: Keys;
  /** The same keys for break-glass: requests are given up early, and never retried out of sight. */
  readonly urgentKeys: Keys;
  readonly accounts: StorageAccounts;
  readonly subscriptions: Subscriptions;
  readonly queue: WorkQueue;
  /** Turns for Storage writes, per subscription and region. */
  readonly pacer: Pacer;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}

/**
 * Composition root. No call is made yet, and no token is fetched.
 *
 * @throws {@link SettingsError} naming every setting that is missing or wrong.
 */
export function createServices(environment: Environment, credential?: TokenCredential): Services {
  const settings = readSettings(environment);
  const identity = credential ?? appCredential(settings.clientId);
  return {
    settings,
    keys: createKeys(identity, WORKER_OPTIONS),
    urgentKeys: createKeys(identity, URGENT_OPTIONS),
    accounts: createStorageAccounts(identity, settings.cloud),
    subscriptions: createSubscriptions(identity, settings.cloud),
    queue: createWorkQueue(settings, () => identity),
    pacer: new Pacer(STORAGE_WRITES),
    now: () => new Date(),
    sleep: (ms) => sleep(ms),
  };
}

let shared: Services | undefined;

/**
 * The services of this instance, made when the first function needs them. Settings that are wrong must not fail the load
 * of the app: the host would then report an app without functions and say nothing of the settings.
 */
export function services(): Services {
  shared ??= createServices(process.env);
  return shared;
}
