import pMap from 'p-map';
import { Dispatcher, moveCalls, sendAccount } from '../accounts/dispatcher.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { known } from '../azure/read-or-why.ts';
import { parseStorageAccountId, scopeResource } from '../azure/resource-id.ts';
import type { PacedPlace, Turns } from '../azure/turns.ts';
import type { FleetUse } from '../fleet/fleet-index.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import type { KnownOrders } from '../orders/known-orders.ts';
import { listedPause, openPauses } from '../orders/standing-orders.ts';
import { judgeUse, rotationGoal } from '../rollout/judge-use.ts';
import { computeRotation, type ReadRotationPorts } from '../rollout/read-rotation.ts';
import { viewRotation } from '../rollout/rotation-view.ts';
import type { RotationStage } from '../rollout/stage.ts';
import { exemptUses, MOVES } from '../settings/exemption.ts';
import type { Settings } from '../settings/settings.ts';
import { type Cause, KEY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import type { KeySubject } from './checks/subjects.ts';
import { isFixed } from './fixes.ts';
import type { DriftReport, Finding } from './report.ts';

/** Keys whose uses are read from the index at the same time. */
const CONCURRENCY = 4;
/** What is fixed has so long before it counts as stuck. */
const FIXED_SECONDS = 60;

/** A rotation that nothing goes on with by itself. */
export interface UnfinishedRotation {
  readonly key: ManagedKey;
  /** Whether anything that uses the key is exempt: found to be behind or not, as it may be by the time of the look. */
  readonly hasExempt: boolean;
  /** Whether anything waits for canaries or a wave: an exempt account that an event has put to work, for instance. */
  readonly hasStage: boolean;
  /** What of these canaries or this wave is not moved, by the index. */
  readonly awaited: readonly Pick<FleetUse, 'account' | 'scope' | 'location'>[];
}

export type RotationServices = ReadRotationPorts & {
  readonly control: KnownOrders;
  readonly queue: Pick<WorkQueue, 'send'>;
};

/** Tells each key that has users how far its rotation is, by what the check has just written. What cannot be read is not known. */
export async function readRotations(
  keys: readonly KeySubject[],
  services: RotationServices,
  log: Log,
): Promise<UnfinishedRotation[]> {
  const unfinished: UnfinishedRotation[] = [];
  await services.control.refresh(log, true);
  let failure: string | undefined;
  await pMap(
    keys,
    async (subject) => {
      const { key, usage } = subject;
      const versions = known(subject.versions) ?? [];
      // Of a key that nobody uses the index may have rows that came late: whoever looks at them takes them away.
      const mayBeUsed = !usage.used && usage.incomplete;
      if (versions.length === 0 || mayBeUsed || failure !== undefined) return;
      try {
        const read = await computeRotation(key, versions, services);
        const view = viewRotation(key, read, services.control.pauseNow(key.id));
        if (usage.used) subject.rotation = view;
        // Whatever goes on is followed by whoever began it.
        if (view.state === 'stuck' || view.state === 'held') {
          const { hasExempt, stage } = read.blocked ? { hasExempt: false } : read;
          const hasStage = view.stage !== undefined;
          const awaited = stage && hasStage ? await awaitedBy(key, versions, stage, services) : [];
          unfinished.push({ key, hasExempt, hasStage, awaited });
        }
      } catch (error) {
        failure = describe(describeFailure(error));
      }
    },
    { concurrency: CONCURRENCY },
  );
  if (failure !== undefined) {
    const message = `How far rotations are cannot be read: ${failure}`;
    log({ level: 'info', reason: 'FleetIndexUnavailable', message });
  }
  return unfinished;
}

/** Of what is exempt nothing is awaited, an exempt scope of a canary for instance. */
async function awaitedBy(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  { admits }: RotationStage,
  { fleet, settings, now }: RotationServices,
): Promise<FleetUse[]> {
  const goal = rotationGoal(versions, now(), settings);
  const isExempt = exemptUses(settings.drift.exemptions, now());
  const awaited: FleetUse[] = [];
  for await (const use of fleet.uses(key.id)) {
    if (!goal || isExempt(use) || !admits(use.account)) continue;
    if (['waiting', 'failed'].includes(judgeUse(use, goal).state)) awaited.push(use);
  }
  return awaited;
}

/** Of a key and check; with more the index is not wrong, but they cannot be seen. */
const MOST_LOOKED_AT = 100;
/** What looks are ordered by. */
type LookServices = Pick<RotationServices, 'queue' | 'now'> & { readonly schedule: Turns };

/**
 * Has somebody look at what is under way: what would have followed it may be lost. One look too many changes nothing, but
 * it puts everything to work that uses the key, at once or when a canary serves again: not what the check is not to fix.
 */
export async function followUnfinished(
  rotations: readonly UnfinishedRotation[],
  findings: readonly Finding[],
  report: string,
  services: LookServices & { readonly settings: Pick<Settings, 'drift'> },
): Promise<void> {
  const { queue, now, settings } = services;
  const at = now().toISOString();
  const cause = { by: 'drift', ref: report, since: at };
  const behind = Map.groupBy(findings, ({ action }) => (action?.kind === 'account' ? action.key : undefined));
  // A queue that is out of reach is said by what is fixed; the next check does it again.
  await pMap(
    rotations,
    async (rotation) => {
      const waiting = behind.get(rotation.key.id) ?? [];
      const look = lookOf(rotation, waiting, settings.drift.autofix);
      if (look === 'none') return;
      const isLate = look === 'afterFixes';
      if (isLate) await lookAtAwaited(rotation, waiting, cause, services);
      const due = new Date(now().getTime() + (isLate ? FIXED_SECONDS * 1_000 : 0)).toISOString();
      const work = {
        kind: 'rotation',
        key: rotation.key.id,
        since: at,
        due,
        ...(isLate ? { onlyLooks: true } : {}),
        cause,
        attempt: 0,
      } as const;
      await queue.send(KEY_WORK, work, isLate ? FIXED_SECONDS : 0).catch(() => {});
    },
    { concurrency: CONCURRENCY },
  );
}

/**
 * What is awaited and not found to be behind is not where the index has it, or cannot be read: a look at it puts the index
 * right, and moves nothing that the check is to leave. All others of the key would wait for it, a day at the most.
 */
async function lookAtAwaited(
  { key, awaited }: UnfinishedRotation,
  found: readonly Finding[],
  cause: Cause,
  services: LookServices,
): Promise<void> {
  const behind = new Set(found.map(({ resource }) => resource.toLowerCase()));
  const unfound = awaited.filter(
    ({ account, scope }) => !behind.has((scope ? scopeResource(account, scope) : account).toLowerCase()),
  );
  const looks = new Dispatcher<PacedPlace & Pick<FleetUse, 'account'>>(
    services,
    () => moveCalls({}),
    (use, turn) => {
      const { account, location } = use;
      return sendAccount({ kind: 'account', account, location, key: key.id, cause, attempt: 0 }, use, turn, services);
    },
  );
  const accounts = [...new Map(unfound.map((use) => [use.account, use])).values()];
  try {
    for (const { account, location } of accounts.slice(0, MOST_LOOKED_AT)) {
      const subscriptionId = parseStorageAccountId(account)?.subscriptionId;
      if (subscriptionId) await looks.dispatch({ account, location, subscriptionId });
    }
  } catch {
    // The next check does it again.
  }
}

/**
 * `whole`: all that waits is put to work once more. `afterFixes`: what is fixed has been, and nothing else is touched.
 *
 * @param waiting the findings of what is behind on the key
 */
function lookOf(
  { hasExempt, hasStage }: UnfinishedRotation,
  waiting: readonly Finding[],
  autofix: Settings['drift']['autofix'],
): 'whole' | 'afterFixes' | 'none' {
  const fixed = waiting.filter((finding) => isFixed(finding, autofix));
  const mayAll = MOVES.every((reason) => autofix.includes(reason));
  if (mayAll && fixed.length === waiting.length && !hasExempt) return 'whole';
  return fixed.length > 0 || (mayAll && hasStage) ? 'afterFixes' : 'none';
}

export function pausesOf({ control, now }: Pick<RotationServices, 'control' | 'now'>): DriftReport['pauses'] {
  return openPauses(control.state, now()).map(listedPause);
}
