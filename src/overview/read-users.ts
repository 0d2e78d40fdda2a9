import { countUnlisted, usesLookedAfter } from '../accounts/in-sight.ts';
import type { FleetIndex, FleetUse } from '../fleet/fleet-index.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { type ComputeRotationPorts, computeRotation } from '../rollout/read-rotation.ts';
import { viewRotation } from '../rollout/rotation-view.ts';
import type { StandingControl } from '../rollout/standing-control.ts';
import type { KeyUsersView, RotationCost, RotationState } from './key-view.ts';
import { CostCount, UseCount } from './use-count.ts';

/** Uses of one key that are counted at most; a page of the index has a thousand. */
const MOST_USES = 20_000;

export type UsersPorts = Omit<ComputeRotationPorts, 'control' | 'fleet'> & {
  readonly control: StandingControl;
  readonly fleet: Pick<FleetIndex, 'uses' | 'listings'>;
};

/** Who uses a key, how far its rotation is, and what the next one would cost: of one look at the index. */
export interface UsersRead {
  /** Undefined: nothing is known to use it, and not every subscription was listed. */
  readonly users: KeyUsersView | undefined;
  /** Subscriptions in sight that were never listed. */
  readonly unlisted: number;
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
  if (unlisted > 0 && count.uses === 0) return { unlisted, users: undefined, rotation: undefined, cost: undefined };
  return {
    unlisted,
    users: count.result(progress, complete),
    rotation:
      complete && versions.length > 0 ? stateOf(viewRotation(key, read, ports.control.pauseNow(key.id))) : undefined,
    cost: complete ? cost?.result() : undefined,
  };
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
