import { REASONS, type Reason } from '../errors/reasons.ts';
import { DAY_MS, hasBeenSince } from '../formats/spans.ts';
import { selectManagedUses } from '../index/fleet-keys.ts';
import { hasUses } from '../index/use-row.ts';
import { createKeyItem, type NewWorkItem, type WorkItem } from '../index/work-items.ts';
import { findNewestUsableVersion, findNextActivation } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { Cause } from '../work/messages.ts';
import { recordRollout } from './audit-records.ts';
import {
  type Causes,
  type DecisionInput,
  findObstacle,
  type Obstacle,
  planRollouts,
  type Rollout,
  type Rollouts,
  replacesItems,
  selectCauses,
} from './decide-key.ts';
import type { RolloutDecision } from './decide-rollout.ts';
import { retryKey } from './fleet-work.ts';
import { formatNameOfUse } from './moved-uses.ts';
import { findOpenRekey, hasFailedSince, type OpenRekey, stopRekey, verifyRekey } from './reconcile-rekey.ts';
import type { FleetServices } from './worker-ports.ts';

/** Maximum attempts while other instances decide at the same time. */
const MOST_ROUNDS = 3;
/** Number of passes that may end before a first list, which then counts as failed. */
const MOST_BUSY = 10;

/** A work item whose subscription wants a pass. */
export type WantedPass = Pick<NewWorkItem, 'subscription'>;

/** `again`: another instance decided first, or the orders changed. `later`: the key's work item remains. */
interface Decided {
  readonly next: 'done' | 'again' | 'later';
  readonly wanted: readonly WantedPass[];
}

/**
 * Decides on the uses of a key, and puts its work items. Changes no account, and sends no message for the items.
 * Level-triggered and safe to run concurrently. Finishes the key's own work item only after all decisions are stored.
 *
 * @returns the items whose subscriptions want a pass, perhaps several of one subscription
 * @throws the SDK's errors: the item remains, and the sweep finds it
 */
export async function reconcileKey(
  key: ManagedKey,
  cause: Cause,
  ports: FleetServices,
): Promise<readonly WantedPass[]> {
  const item = await ports.items.ofKey(key.id);
  const wanted: WantedPass[] = [];

  for (let round = 1; round <= MOST_ROUNDS; round += 1) {
    const decided = await decideOnce(key, cause, item, ports);
    wanted.push(...decided.wanted);

    if (decided.next === 'again') continue;
    if (decided.next === 'done' && item) await ports.items.finish(item);
    return wanted;
  }

  // Another instance decided first at each try, perhaps from an older state, so a worker decides again later.
  await decideLater(key, cause, 'Busy', item, ports);

  return wanted;
}

/** Reads, decides and stores: each line is one of these steps. */
async function decideOnce(
  key: ManagedKey,
  cause: Cause,
  item: WorkItem | undefined,
  ports: FleetServices,
): Promise<Decided> {
  const input = await readKey(key, ports);
  const causes = selectCauses(cause, item, input.target, input.stored);

  const obstacle = findObstacle(key, input);
  if (obstacle?.is === 'noTarget') return storeNoTarget(key, obstacle, input, ports);
  if (obstacle?.is === 'paused') return postponePaused(key, obstacle, item, ports);

  const subscriptions = await ports.inSight();
  const lists = await requestLists(subscriptions ?? [], causes.origin, ports);
  if (!lists.isListed) {
    await decideLater(key, causes.origin, 'FleetNotListed', item, ports);
    return { next: 'later', wanted: lists.wanted };
  }

  const { open } = input;
  const orderStored = open && (await ports.rollouts.read(open.rekey.id));
  const rollouts = planRollouts(key, input, orderStored, causes.origin, ports.canaries);
  const failures = await countUses(key, rollouts, open, subscriptions, ports);

  if (open && failures >= open.rekey.maxFailures) {
    await stopRekey(open, failures, ports);
    return { next: 'again', wanted: lists.wanted };
  }

  const stored = await storeRollouts(key, rollouts, causes, ports);

  return { next: stored.next, wanted: [...lists.wanted, ...stored.wanted] };
}

async function readKey(key: ManagedKey, ports: FleetServices): Promise<DecisionInput> {
  // Read the row before the versions. Another instance may decide from a newer list. Either this row has that decision,
  // or the ETag conflicts at this instance's write.
  const stored = await ports.rollouts.read(key.id);
  const versions = await ports.keys.listVersions(key);
  const orders = await ports.orders.read();
  const at = ports.now();
  const isRevoked = openRevocation(versions, at) !== undefined;

  return {
    stored,
    versions,
    orders,
    at,
    isRevoked,
    activation: findNextActivation(versions, at)?.toISOString(),
    open: await findOpenRekey(key, versions, orders, ports),
    target: isRevoked ? undefined : findNewestUsableVersion(versions, at),
  };
}

/** Stores a row without a target, unless only a writer of the queue knows the name of the key. */
async function storeNoTarget(
  key: ManagedKey,
  { reason, row }: Extract<Obstacle, { readonly is: 'noTarget' }>,
  { versions, stored }: DecisionInput,
  { rows, rollouts, log }: FleetServices,
): Promise<Decided> {
  const isUnknown = versions.length === 0 && !stored && !(await hasUses(rows, key.id));
  if (isUnknown) {
    log({ level: 'info', reason: 'KeyNotFound', message: REASONS.KeyNotFound, key: key.id });
    return { next: 'done', wanted: [] };
  }

  log({ level: reason === 'RevocationOpen' ? 'warning' : 'error', reason, message: REASONS[reason], key: key.id });

  const isStored = await rollouts.put(key.id, row, stored?.etag);

  return { next: isStored ? 'done' : 'again', wanted: [] };
}

/** Postpones the key's item, which detects the pause's end if the operator's request fails. */
async function postponePaused(
  key: ManagedKey,
  { due }: Extract<Obstacle, { readonly is: 'paused' }>,
  item: WorkItem | undefined,
  { items, log }: FleetServices,
): Promise<Decided> {
  log({ level: 'info', reason: 'Paused', message: REASONS.Paused, key: key.id });

  if (item) await items.postpone(item, { due, attempts: item.attempts, reason: 'Paused' });

  return { next: 'later', wanted: [] };
}

/** Keeps the key's item, so that a worker decides again. */
async function decideLater(
  key: ManagedKey,
  cause: Cause,
  reason: Reason,
  item: WorkItem | undefined,
  ports: FleetServices,
): Promise<void> {
  const at = ports.now();
  if (!item) await ports.items.putNew([createKeyItem(key.id, cause, at)]);

  const own = item ?? (await ports.items.ofKey(key.id));

  // `progress` is a follow-up cause: postponed items of subscriptions stay postponed.
  if (own) await retryKey(own, { by: 'progress', ref: '', since: at.toISOString() }, reason, ports);
}

/**
 * Counts the key's uses, each for its rollout.
 *
 * @returns number of uses whose move by the order failed
 */
async function countUses(
  key: ManagedKey,
  { own, ordered }: Rollouts,
  open: OpenRekey | undefined,
  subscriptions: readonly string[] | undefined,
  ports: FleetServices,
): Promise<number> {
  const isManaged = selectManagedUses(subscriptions);
  const left = new Set<string>();
  let failures = 0;

  for await (const row of ports.rows.of(key.id)) {
    if (!isManaged(row)) continue;

    if (!open?.covers(row)) {
      own?.count.add(row);
      continue;
    }

    ordered?.count.add(row);
    left.add(formatNameOfUse(row));

    if (hasFailedSince(row, open.rekey)) failures += 1;
  }

  if (!ordered) return failures;

  for await (const use of ports.moved.of(ordered.name)) {
    if (!left.has(formatNameOfUse(use))) ordered.count.addMoved(use);
  }

  return failures;
}

/** Decides on the stages of both rollouts, stores them, and puts the items that they admit. */
async function storeRollouts(
  key: ManagedKey,
  { own, ordered }: Rollouts,
  causes: Causes,
  ports: FleetServices,
): Promise<Decided> {
  const wanted: WantedPass[] = [];

  if (own) {
    const decision = await decideStage(own, ports);
    const items = await storeRollout(own, decision, key, causes, ports);
    if (!items) return { next: 'again', wanted };

    wanted.push(...items);
  }

  if (ordered) {
    const decision = await decideStage(ordered, ports);
    const items = await storeRollout(ordered, decision, key, causes, ports);
    if (!items) return { next: 'again', wanted };

    const verified = await verifyRekey(ordered.open, decision, causes.cause, ports);
    wanted.push(...items, ...verified.wanted);

    // Decide again after an order is done: the key has its own rollout again.
    if (verified.isDone) return { next: 'again', wanted };
  }

  return { next: 'done', wanted };
}

/** Decides on the stage, and probes the canaries first if that needs a proof. */
async function decideStage({ count, target }: Rollout, ports: FleetServices): Promise<RolloutDecision> {
  const decision = count.decide();
  if (!decision.needsProof) return decision;

  const proof = await ports.probe(decision.row.canaries, target.id);

  return count.decide(proof);
}

/**
 * Stores a decision: first the record of its news, then the row, then the items.
 *
 * @returns the items whose subscriptions want a pass; undefined if another instance decided first
 */
async function storeRollout(
  { name, target, stored, activation }: Rollout,
  decision: RolloutDecision,
  key: ManagedKey,
  causes: Causes,
  ports: FleetServices,
): Promise<readonly WantedPass[] | undefined> {
  const { row, news, isWider } = decision;

  // If storing the row fails, the next decision appends the record again with the same id. `verifyRekey` records the end
  // of an order.
  const isEndOfOrder = name !== key.id && news === 'RotationFinished';
  if (news && !isEndOfOrder) await recordRollout(news, key, target, decision, ports);

  // Only this line widens a stage.
  const isStored = await ports.rollouts.put(name, { ...row, activation, cause: causes.origin }, stored?.etag);
  if (!isStored) return undefined;

  if (isWider && row.unfinished > 0) {
    const about = { key: key.id, target: row.target, stage: row.stage, unfinished: row.unfinished };
    const message = `${REASONS.StageWidened} Stage: ${row.stage}.`;
    ports.log({ level: 'info', reason: 'StageWidened', message, ...about });
  }

  const item = createKeyItem(key.id, causes.origin, ports.now());
  const items = decision.subscriptions.map((subscription): NewWorkItem => ({ ...item, subscription }));

  if (!replacesItems(decision, causes)) return ports.items.putNew(items);

  await ports.items.put(items);

  return items;
}

/**
 * Requests lists of subscriptions whose last list is older than a day.
 *
 * @returns whether the index has all subscriptions: a stage needs all uses. A subscription whose first list failed does
 *   not delay the decision. With it, the items whose subscriptions want a pass
 */
export async function requestLists(
  subscriptions: readonly string[],
  cause: Cause,
  { items, fleet, now }: Pick<FleetServices, 'items' | 'fleet' | 'now'>,
): Promise<{ readonly isListed: boolean; readonly wanted: readonly WantedPass[] }> {
  if (subscriptions.length === 0) return { isListed: true, wanted: [] };

  const listings = await fleet.listings();
  const at = now();
  const due = subscriptions.filter((id) => !hasBeenSince(listings.get(id.toLowerCase()), at.getTime() - DAY_MS, at));
  const list = { kind: 'list', about: '', due: at, since: at, cause } as const;

  const wanted = await items.putNew(due.map((subscription) => ({ ...list, subscription })));

  const unlisted = new Set(due.map((id) => id.toLowerCase()).filter((id) => !listings.has(id)));
  if (unlisted.size === 0) return { isListed: true, wanted };

  for await (const { kind, subscription, attempts, reason } of items.all()) {
    if (kind === 'list' && attempts > (reason === 'Busy' ? MOST_BUSY : 0)) unlisted.delete(subscription.toLowerCase());
  }

  return { isListed: unlisted.size === 0, wanted };
}
