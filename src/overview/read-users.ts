import { countUnlisted, usesLookedAfter } from '../accounts/in-sight.ts';
import type { FleetIndex, FleetUse } from '../fleet/fleet-index.ts';
import { sameKeyName } from '../keys/key-identifier.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { KnownOrders } from '../orders/known-orders.ts';
import { type ComputeRotationPorts, computeRotation } from '../rollout/read-rotation.ts';
import { viewRotation } from '../rollout/rotation-view.ts';
import type { Settings } from '../settings/settings.ts';
import type { KeyUsersView, RotationCost, RotationState } from './key-view.ts';
import { CostCount, UseCount } from './use-count.ts';

/** Uses of one key that are counted at most; a page of the index has a thousand. */
const MOST_USES = 20_000;

export type UsersPorts = Omit<ComputeRotationPorts, 'settings' | 'control' | 'fleet'> & {
  readonly settings: ComputeRotationPorts['settings'] & Pick<Settings, 'scopeDiscovery'>;
  readonly control: KnownOrders;
  readonly fleet: Pick<FleetIndex, 'uses' | 'listings' | 'unasked'>;
};

/** Who uses a key, how far its rotation is, and what the next one would cost: of one look at the index. */
export interface UsersRead {
  /** Undefined: nothing is known to use it, and not every subscription, or not the scopes of every account, was listed. */
  readonly users: KeyUsersView | undefined;
  /** Subscriptions in sight that were never listed. */
  readonly unlisted: number;
  /** Whether accounts in sight were never asked for their encryption scopes. */
  readonly hasUnasked: boolean;
  /** Undefined when not all uses were counted. */
  readonly rotation: RotationState | undefined;
  readonly cost: RotationCost | undefined;
}

/**
 * @param versions none: it is not known which is the newest
 * @param signal when it aborts, what was counted by then is the answer, as far as it is right
 * @throws what the index answers
 */
export async function readUsers(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  ports: UsersPorts,
  signal: AbortSignal,
): Promise<UsersRead> {
  const { settings, writeBudgets, now } = ports;
  const count = new UseCount();
  const cost = versions.length > 0 ? CostCount.of(versions, settings, writeBudgets, now()) : undefined;
  const inSight = await ports.inSight();
  const isLookedAfter = usesLookedAfter(inSight);
  const unlisted = countUnlisted(inSight, await ports.fleet.listings());
  const hasUnasked = await anyUnasked(key, isLookedAfter, ports);
  let complete = unlisted === 0;
  const uses = async function* (id: string): AsyncGenerator<FleetUse> {
    for await (const use of ports.fleet.uses(id)) {
      if (count.uses >= MOST_USES || signal.aborted) {
        complete = false;
        return;
      }
      count.add(use);
      if (isLookedAfter(use)) cost?.add(use);
      yield use;
    }
  };
  const fleet: Pick<FleetIndex, 'uses'> = { uses };
  const read = await computeRotation(key, versions, { ...ports, fleet });
  // Where nothing is moved, nobody has looked at the uses.
  if (read.blocked) for await (const _ of uses(key.id));
  const progress = read.blocked || !complete ? undefined : read.progress;
  const about = { unlisted, hasUnasked };
  if ((unlisted > 0 || hasUnasked) && count.uses === 0) {
    return { ...about, users: undefined, rotation: undefined, cost: undefined };
  }
  return {
    ...about,
    users: count.result(progress, complete && !hasUnasked),
    rotation:
      complete && versions.length > 0 ? stateOf(viewRotation(key, read, ports.control.pauseNow(key.id))) : undefined,
    cost: complete ? cost?.result() : undefined,
  };
}

/** Where scopes are looked for on dependents alone, those of other accounts are never asked for. */
async function anyUnasked(
  key: ManagedKey,
  isLookedAfter: (use: Pick<FleetUse, 'account'>) => boolean,
  { settings, fleet }: Pick<UsersPorts, 'settings' | 'fleet'>,
): Promise<boolean> {
  for await (const account of fleet.unasked()) {
    if (!isLookedAfter(account)) continue;
    if (settings.scopeDiscovery === 'all' || (account.key && sameKeyName(account.key, key.id))) return true;
  }
  return false;
}

function stateOf(view: ReturnType<typeof viewRotation>): RotationState {
  const { state, reason, detail, startedOn, progressOn, expectedEnd } = view;
  return {
    state,
    ...(reason ? { reason } : {}),
    ...(detail ? { detail } : {}),
    ...(startedOn ? { startedOn } : {}),
    ...(progressOn ? { progressOn } : {}),
    ...(expectedEnd ? { expectedEnd } : {}),
  };
}
