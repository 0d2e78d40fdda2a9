import pMap from 'p-map';
import { describeError } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import type { KeyCatalog, Keys } from '../keys/key-client.ts';
import { findNewestUsableVersion, findNewestVersion, type KeyVersion } from '../keys/key-versions.ts';
import { createManagedKey, type ManagedKey, type ManagedVault, type ManagedVaults } from '../keys/managed-vaults.ts';
import { isNearExpiry } from '../keys/near-expiry.ts';
import type { RequestKey } from '../work/work-queue-client.ts';

export interface WatchPorts {
  readonly settings: { readonly vaults: ManagedVaults };
  readonly keyCatalog: Pick<KeyCatalog, 'names'>;
  readonly keys: Pick<Keys, 'listVersions'>;
  /** State of each key at the previous pass, by identifier in lower case. */
  readonly seenKeys: {
    all(): Promise<ReadonlyMap<string, string>>;
    put(key: string, state: string): Promise<void>;
  };
  readonly requestKey: RequestKey;
  readonly now: () => Date;
}

/**
 * Polls the keys of the Managed HSMs, which raise no events ("Managed HSM does not support Event Grid Notifications").
 * For each changed key it enqueues the same message as an event would. The worker reads the key again. Each pass lists
 * the keys of each HSM and the versions of each key.
 *
 * Never throws: logs a failed read, and the next pass repeats it.
 *
 * @param ref correlation id of this pass
 */
export async function watchHsms(ref: string, ports: WatchPorts, log: Log, signal: AbortSignal): Promise<void> {
  const hsms = ports.settings.vaults.all.filter(({ kind }) => kind === 'managedHsm');
  if (hsms.length === 0) return;

  try {
    const context = { ref, seen: await ports.seenKeys.all(), ports, log };

    // In parallel, because an unresponsive HSM must not delay the keys of another HSM.
    await Promise.all(hsms.map((hsm) => watchHsm(hsm, context, signal)));
  } catch (error) {
    const message = `The last known state of the keys of Managed HSMs cannot be read: ${describeError(error)}`;
    log({ level: 'warning', reason: 'FleetIndexUnavailable', message });
  }
}

interface WatchContext {
  readonly ref: string;
  readonly seen: ReadonlyMap<string, string>;
  readonly ports: WatchPorts;
  readonly log: Log;
}

async function watchHsm(hsm: ManagedVault, context: WatchContext, signal: AbortSignal): Promise<void> {
  const unwatched = (message: string) =>
    context.log({ level: 'error', reason: 'HsmUnwatched', message, vault: hsm.id });
  try {
    const names = await context.ports.keyCatalog.names(hsm);
    let missed = 0;
    const watch = async (name: string): Promise<void> => {
      if (signal.aborted) missed += 1;
      else await watchKey(createManagedKey(hsm, name), context);
    };
    await pMap(names, watch, { concurrency: CONCURRENCY });

    if (missed === 0) return;

    unwatched(`${missed} of the ${names.length} keys of the Managed HSM ${hsm.name} were not read in time.`);
  } catch (error) {
    unwatched(`The keys of the Managed HSM ${hsm.name} cannot be listed: ${describeError(error)}`);
  }
}

async function watchKey(key: ManagedKey, context: WatchContext): Promise<void> {
  const { seen, ports, log } = context;
  try {
    const now = ports.now();
    const state = watchedState(await ports.keys.listVersions(key), now);
    const before = seen.get(key.id.toLowerCase());
    if (state.text === before) return;

    await requestChanged(key, state, before, now, context);

    // Written last, so that an interrupted pass is repeated.
    await ports.seenKeys.put(key.id, state.text);
  } catch (error) {
    const message = `${key.id} could not be read: ${describeError(error)}`;
    log({ level: 'error', reason: 'HsmUnwatched', message, key: key.id });
  }
}

async function requestChanged(
  key: ManagedKey,
  { newest, phase }: WatchedState,
  before: string | undefined,
  now: Date,
  { ref, ports, log }: WatchContext,
): Promise<void> {
  // Only for a new version is the start time known. Other changes start now.
  const isNew = newest !== undefined && before !== undefined && !before.startsWith(newest.version);
  const cause = { by: 'hsmWatch', ref, since: (isNew ? newest.createdOn : now).toISOString() };

  await ports.requestKey(key.id, cause);

  const about = { key: key.id, version: newest?.version, cause };

  log({ level: 'info', reason: 'HsmKeyChanged', message: `${REASONS.HsmKeyChanged} It is reconciled.`, ...about });

  if (phase !== 'expired') return;

  const detail = 'Accounts that use it keep working, but Storage rejects it for new accounts.';

  log({ level: 'error', reason: 'KeyExpired', message: `${REASONS.KeyExpired} ${detail}`, ...about });
}

interface WatchedState {
  readonly newest: KeyVersion | undefined;
  readonly phase: 'fresh' | 'nearExpiry' | 'expired';
  /** Changes with every event that a key vault would raise, and when a version becomes usable or unusable. */
  readonly text: string;
}

/** The watched state of a key. Near expiry means 30 days, because the rotation policy is not read. */
function watchedState(versions: readonly KeyVersion[], now: Date): WatchedState {
  const newest = findNewestVersion(versions);
  const phase = phaseOf(newest, now);
  const usable = findNewestUsableVersion(versions, now);
  return { newest, phase, text: `${newest?.version ?? 'none'} ${usable?.version ?? 'none'} ${phase}` };
}

function phaseOf(newest: KeyVersion | undefined, now: Date): WatchedState['phase'] {
  if (!newest?.expiresOn) return 'fresh';
  if (newest.expiresOn.getTime() <= now.getTime()) return 'expired';
  return isNearExpiry(newest, {}, now) ? 'nearExpiry' : 'fresh';
}
