import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { PauseOrder } from '../orders/standing-orders.ts';
import { REASONS } from '../reasons.ts';
import type { RotationProgress } from './progress.ts';
import type { RotationReading } from './read-rotation.ts';
import { holdOfStage, isHeld } from './rollout.ts';
import type { RotationStage } from './stage.ts';

/** How a rotation stands, as everybody is told it. */
export interface RotationView extends Partial<RotationProgressView> {
  /** Key identifier without a version. */
  readonly key: string;
  /**
   * `finished`, `underWay`, `stuck` as they are computed; `paused` by an operator; `held` for the sake of canaries or waves;
   * `blocked`: the key is revoked, or has no version to move to.
   */
  readonly state: RotationProgress['state'] | 'paused' | 'held' | 'blocked';
  /** Why it is paused, held or blocked: a reason code. */
  readonly reason?: string;
  /** The reason in words, and what an administrator has to change before a retry can succeed. */
  readonly detail?: string;
  readonly pause?: PauseOrder;
  readonly stage?: Pick<RotationStage, 'name' | 'state' | 'counts'>;
  /** Subscriptions of which the accounts were not listed yet, where all that is known is where it should be. */
  readonly unlisted?: number;
}

type RotationProgressView = Omit<RotationProgress, 'state'>;

/** The one place in which it is decided what the state of a rotation is called. */
export function viewRotation(key: ManagedKey, read: RotationReading, pause: PauseOrder | undefined): RotationView {
  const paused = pause ? { pause } : {};
  if (read.blocked) return { key: key.id, state: 'blocked', reason: read.blocked, ...paused };
  const { state, ...progress } = read.progress;
  const { name, state: stageState, counts } = read.stage;
  const stage = name === 'rest' ? {} : { stage: { name, state: stageState, counts } };
  const unlisted = read.unlisted === undefined ? {} : { unlisted: read.unlisted };
  const view = { key: key.id, ...progress, ...stage, ...paused, ...unlisted };
  const { moved, waiting, failed, left } = progress;
  // Nothing known is nothing finished, while nobody may look.
  const isEmpty = moved + waiting + failed + left === 0;
  if (state === 'finished' && !(pause && isEmpty)) return { ...view, state };
  if (pause) return { ...view, state: 'paused', reason: 'Paused', detail: pause.reason };
  const toChange = progress.failures?.IdentityAssignmentDenied ? REASONS.IdentityAssignmentDenied : undefined;
  if (name !== 'rest' && isHeld(read.stage)) {
    const { reason, detail } = holdOfStage(read.stage);
    return { ...view, state: 'held', reason, detail: toChange ? `${detail} ${toChange}` : detail };
  }
  return { ...view, state, ...(toChange ? { detail: toChange } : {}) };
}
