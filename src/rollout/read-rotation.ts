import { accountsNotListed, countUnlisted, type InSight, usesLookedAfter } from '../accounts/in-sight.ts';
import type { Budget } from '../azure/pacer.ts';
import type { FleetIndex } from '../fleet/fleet-index.ts';
import { type RotationNote, type RotationNotes, unwellWith } from '../fleet/rotation-notes.ts';
import type { Keys } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { KnownOrders } from '../orders/known-orders.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { type Exemption, exemptUses } from '../settings/exemption.ts';
import { rotationGoal } from './judge-use.ts';
import { ProgressCount, type RotationProgress } from './progress.ts';
import { type RotationStage, StageCount } from './stage.ts';

/** What how far a rotation is goes by, beside the key's versions. */
export interface ComputeRotationPorts {
  readonly settings: {
    readonly refreshAutomatic: boolean;
    readonly canary: number;
    readonly drift: { readonly exemptions: readonly Exemption[] };
  };
  /** Where accounts are looked after. */
  readonly inSight: InSight;
  readonly fleet: Pick<FleetIndex, 'uses'>;
  readonly rotationNotes: RotationNotes;
  readonly control: Pick<KnownOrders, 'isOrderedOn' | 'lastReleased'>;
  /** What Azure takes of writes in one subscription and region. */
  readonly writeBudgets: readonly Budget[];
  readonly now: () => Date;
}

export interface ReadRotationPorts extends ComputeRotationPorts {
  readonly keys: Pick<Keys, 'listVersions'>;
  readonly fleet: Pick<FleetIndex, 'uses' | 'listings'>;
}

/** A rotation as it stands. */
export type RotationReading =
  /** Nothing is moved onto or off the key, or there is no version to move to. */
  | { readonly blocked: 'RevocationOpen' | 'NoUsableVersion' | 'KeyNotFound' }
  | {
      readonly blocked?: undefined;
      readonly progress: RotationProgress;
      readonly hasMoved: boolean;
      readonly stage: RotationStage;
      readonly note: RotationNote | undefined;
      /** Whether the drift check is to leave anything that uses the key where it is. */
      readonly hasExempt: boolean;
      /** Subscriptions in sight of which the accounts are not known, where nothing is left that is; absent: none. */
      readonly unlisted?: number;
    };

/**
 * Reads how far a key's rotation is: its versions from Key Vault, and one partition of the index. Where nothing is left of
 * what that knows, whether it knows everything: it may have lost what was in it.
 *
 * @throws what Key Vault or the index answers
 */
export async function readRotation(key: ManagedKey, ports: ReadRotationPorts): Promise<RotationReading> {
  const versions = await ports.keys.listVersions(key);
  const read = await computeRotation(key, versions, ports);
  if (read.blocked || read.progress.state !== 'finished') return read;
  // The progress was read and is answered, even if the listings cannot be read.
  const listings = await ports.fleet.listings().catch(() => new Map<string, Date>());
  const inSight = await ports.inSight();
  const unlisted = inSight ? countUnlisted(inSight, listings) : 0;
  return unlisted === 0 ? read : { ...read, unlisted };
}

/** Says of a finished rotation that more may use the key. */
export function finishedAsFarAsKnown(unlisted: number): string {
  return `Finished as far as is known: ${accountsNotListed(unlisted)}, and may use the key too.`;
}

/** The same of versions that were read already. */
export async function computeRotation(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  { settings, inSight, fleet, rotationNotes, control, writeBudgets, now }: ComputeRotationPorts,
): Promise<RotationReading> {
  if (versions.length === 0) return { blocked: 'KeyNotFound' };
  if (openRevocation(versions, now())) return { blocked: 'RevocationOpen' };
  const goal = rotationGoal(versions, now(), settings);
  if (!goal) return { blocked: 'NoUsableVersion' };
  const [note, subscriptions] = await Promise.all([rotationNotes.of(key.id), inSight()]);
  const progress = new ProgressCount(goal, writeBudgets, control.lastReleased(key.id));
  const stages = new StageCount({
    canaries: settings.canary,
    proven: note?.canary === goal.target.version,
    unwell: unwellWith(goal.target.version, note),
    orderedOn: control.isOrderedOn(key.id, goal.target),
  });
  const isExempt = exemptUses(settings.drift.exemptions, now());
  const isLookedAfter = usesLookedAfter(subscriptions);
  let hasExempt = false;
  for await (const use of fleet.uses(key.id)) {
    if (!isLookedAfter(use)) continue;
    const { state } = progress.add(use);
    // Nothing waits for what may stay where it is for long.
    if (isExempt(use)) hasExempt = true;
    else stages.add(use, state);
  }
  return { progress: progress.result(), hasMoved: progress.hasMoved, stage: stages.result(), note, hasExempt };
}
