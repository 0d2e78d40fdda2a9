import { setTimeout as sleep } from 'node:timers/promises';
import { subscribeApp } from '../local/azure/app-setup.ts';
import { benchFleet } from '../local/azure/bench-fleet.ts';
import { addResourceGroup } from '../local/azure/fleet.ts';
import { rotateKey } from '../local/azure/key-vault/keys.ts';
import { BUDGET_SHARE } from '../src/azure/limiter.ts';
import { budgetSeconds, type Share } from './budget.ts';
import type { Requests } from './requests.ts';
import { withRig } from './rig.ts';

export interface RotationOptions {
  readonly accounts: number;
  readonly subscriptions?: number;
  readonly regions?: readonly string[];
  /** So many keys rotate at the same moment. */
  readonly keys?: number;
  readonly instances?: number;
  /** Kills the app without warning when half of the accounts have moved, and starts it again. */
  readonly killHalfway?: boolean;
  /** Calls about accounts of this region hang until the accounts of all others have moved. */
  readonly hanging?: string;
  /** So many encryption scopes of one account, each on a key of its own, which does not rotate. */
  readonly scopes?: number;
  /** So long each PATCH takes, in milliseconds. */
  readonly patchMs?: number;
  /** So long each request to Key Vault takes, in milliseconds. */
  readonly vaultMs?: number;
}

export interface RotationBench {
  readonly accounts: number;
  /** From the rotation in Key Vault (which raises the event) to the PATCH of the last account, or of the last that answers. */
  readonly seconds: number;
  /** The same to the PATCH of the first one. */
  readonly firstSeconds: number;
  /** So many of these were skipped on the clock, while the app waited for a time to come; and of `untilEmpty`. */
  readonly skipped: number;
  readonly skippedUntilEmpty: number;
  /** What the documented budgets need at the least, and the share of them that is the app's. */
  readonly leastSeconds: number;
  readonly leastSecondsOfShare: number;
  /** Until nothing was left in the queues. */
  readonly untilEmpty: number;
  /** Until the last account had moved, and until the queues were empty. */
  readonly moved: Requests;
  readonly all: Requests;
  /** The most writes of one subscription and region within an hour, by the local Azure's own count. */
  readonly mostWritesAnHour: number;
  readonly peakMiB: number | undefined;
  /** Messages that ended in the poison queues. */
  readonly poisoned: number;
}

const REGIONS = ['westeurope', 'northeurope', 'uksouth'];
const LIMIT_SECONDS = 4 * 3_600;
/** Rotates keys that many accounts depend on, and watches until the last one has moved, and then until all is done. */
export async function benchRotation(options: RotationOptions): Promise<RotationBench> {
  const { accounts: size, subscriptions = 1, regions = REGIONS.slice(0, 1), keys = 1, scopes = 0 } = options;
  const { instances = 1 } = options;

  return withRig({ instances }, async (rig) => {
    const { world } = rig.azure;
    const { vault, keyNames, accounts } = benchFleet(world, { accounts: size, subscriptions, regions, keys, scopes });
    const [first] = world.subscriptions.values();
    if (first) subscribeApp(world, vault, addResourceGroup(world, first, 'rg-cmk'));

    await rig.start({ CMK_VAULTS: vault.id });

    // Versions of one second are told apart by one request more for each list, and no two rotations are a second apart.
    await sleep(1_000);

    const inHanging = accounts.filter(({ location }) => location === options.hanging);

    rig.azure.faults.add([
      ...inHanging.map(({ name }) => ({ match: { path: `/storageAccounts/${name}[/?]` }, hang: true })),
      ...(options.patchMs === undefined ? [] : [{ match: { method: 'PATCH' }, delayMs: options.patchMs }]),
      ...(options.vaultMs === undefined ? [] : [{ match: { host: '*.vault.azure.net' }, delayMs: options.vaultMs }]),
    ]);

    const started = rig.seconds();
    const versions = new Set(keyNames.map((name) => rotateKey(world, vault, name).version));
    const left = new Set(accounts.filter((account) => !inHanging.includes(account)));
    const awaited = left.size;
    let firstSeconds: number | undefined;
    const areMoved = (): boolean => {
      for (const account of left) {
        if (versions.has(account.encryption.keyvaultproperties?.keyversion ?? '')) left.delete(account);
      }
      if (left.size < awaited) firstSeconds ??= rig.seconds() - started;
      return left.size === 0;
    };

    if (options.killHalfway) {
      await rig.until(() => areMoved() || left.size <= size / 2, LIMIT_SECONDS);
      await rig.kill();
      await rig.restart();
    }

    await rig.until(areMoved, LIMIT_SECONDS);

    const seconds = rig.seconds() - started;
    const skipped = rig.skipped();
    const moved = rig.requests();

    rig.azure.faults.clear();
    for (const account of inHanging) left.add(account);

    await rig.until(async () => areMoved() && (await rig.empty()), LIMIT_SECONDS);

    const shares: Share[] = [...world.subscriptions.keys()].map((id) => ({
      accounts: Object.fromEntries(
        regions.map((region) => [
          region,
          accounts.filter((account) => account.id.startsWith(`/subscriptions/${id}/`) && account.location === region)
            .length,
        ]),
      ),
      lists: 1,
    }));

    const places = new Map(accounts.map(({ id, location }) => [id.toLowerCase(), `${id.split('/')[2]}/${location}`]));

    return {
      accounts: size,
      seconds,
      firstSeconds: firstSeconds ?? seconds,
      skipped,
      leastSeconds: budgetSeconds(shares),
      leastSecondsOfShare: budgetSeconds(shares, BUDGET_SHARE),
      untilEmpty: rig.seconds() - started,
      skippedUntilEmpty: rig.skipped(),
      moved,
      all: rig.requests(),
      mostWritesAnHour: mostAnHour(
        rig.azure.requests
          .since(0)
          .filter(({ method, status }) => method === 'PATCH' && status === 200)
          .map(({ path, time }) => ({
            place: places.get(path.replace(/[?].*$/, '').toLowerCase()) ?? 'other',
            at: Date.parse(time),
          })),
      ),
      peakMiB: rig.peakMiB(),
      poisoned: (await rig.count('fleet-work-poison')) + (await rig.count('key-work-poison')),
    };
  });
}

function mostAnHour(writes: readonly { readonly place: string; readonly at: number }[]): number {
  let most = 0;

  for (const place of new Set(writes.map((write) => write.place))) {
    const times = writes.filter((write) => write.place === place).map(({ at }) => at);
    let first = 0;

    for (const [index, at] of times.entries()) {
      while ((times[first] ?? at) <= at - 3_600_000) first += 1;
      most = Math.max(most, index - first + 1);
    }
  }

  return most;
}
