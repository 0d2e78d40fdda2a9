import pMap from 'p-map';
import { CallCapacity } from '../azure/call-capacity.ts';
import type { TokenCredential } from '../azure/credential.ts';
import { CONCURRENCY, LIMITS } from '../azure/limits.ts';
import { storageClock } from '../azure/storage-clock.ts';
import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import type { FleetTable } from '../index/fleet-table-client.ts';
import { getQueueOfJob, type Job } from '../index/jobs.ts';
import { createRolloutStore } from '../index/rollout-row.ts';
import { createUseRows } from '../index/use-row.ts';
import { createKeyItem, createWorkItems } from '../index/work-items.ts';
import { createKeys, type Keys } from '../keys/key-client.ts';
import { findNextActivation, type KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { canNeedRotation } from '../keys/near-expiry.ts';
import { findPause } from '../orders/standing-orders.ts';
import { type KeepRevokedServices, keepRevoked } from '../revocation/keep-revoked.ts';
import { findKeptRevoked } from '../revocation/record-found.ts';
import { LOOKED_BACK_MS } from '../revocation/verify-revocation.ts';
import type { Settings } from '../settings/settings.ts';
import { type Cause, FLEET_WORK, KEY_WORK } from '../work/messages.ts';
import type { RequestKey, WorkQueue } from '../work/work-queue-client.ts';
import { findStrongestCause } from './decide-key.ts';
import { handleFleetWork, handleKeyWork, runFirstPasses, sendFor } from './fleet-work.ts';
import { KeyStates } from './key-states.ts';
import { createMovedUses } from './moved-uses.ts';
import { reconcileKey, requestLists, type WantedPass } from './reconcile-key.ts';
import { SingleFlight } from './single-flight.ts';
import { sweepWork } from './sweep.ts';
import type { FleetServices, FleetWork } from './worker-ports.ts';

/** Time limit of a pass, below the host's limit. Milliseconds. */
const PASS_MS = 4 * 60_000;
/** Calls for an event start within this time, since Event Grid's timeout is 30 s. Milliseconds. */
const EVENT_MS = 14_000;
/** PATCHes for an event end within this time. Milliseconds. */
const EVENT_PATCH_MS = 18_000;
/** Shortest interval between decisions on a key. Milliseconds. */
const PROGRESS_MS = 10_000;
/** Shortest interval after a decision, as a factor of its duration. */
const PROGRESS_FACTOR = 20;
/** Event Grid may be faster than Key Vault's list. Delays before the key is reconciled again. Milliseconds. */
const UNLISTED_MS = [10_000, 20_000, 30_000] as const;

type OwnPorts = 'items' | 'rows' | 'fleet' | 'moved' | 'inSight' | 'rollouts' | 'orders' | 'leases' | 'accounts';
/** Services that the controller calls. */
export interface ControllerPorts extends Pick<FleetServices, OwnPorts | 'audit' | 'now' | 'sleep'> {
  readonly settings: Settings;
  /** Returns the ids of the managed subscriptions. Throws the SDK's errors. */
  readonly subscriptions: () => Promise<readonly string[]>;
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly keys: Keys;
  readonly probe: (canaries: readonly string[], target: string, log: Log) => ReturnType<FleetServices['probe']>;
}

/**
 * Handles events, messages and timers. Each instance has one controller.
 *
 * From the event to the PATCH: `reconcileKey` puts work items. `reconcileSubscription` acquires the lease. `Pass` reads
 * items and gates each use. `reconcileUse` reads, plans (`planKeyUse`) and writes the use. `PassResults` records it.
 */
export class Controller {
  readonly #services: ControllerPorts;
  readonly #states: KeyStates;
  readonly #capacity = new CallCapacity();
  readonly queues: ReturnType<typeof createQueues>;
  /** By key: the earliest time of the next decision, by `performance.now()`, and whether a message exists for it. */
  readonly #progress = new Map<string, { nextMs: number; isSent: boolean }>();
  /** By key. Separate from the decisions, because their calls to the app's own storage must not delay a revocation. */
  readonly #preparations = new SingleFlight<string | undefined, void>();
  /** By key. Concurrent decisions on a key would only repeat each other's calls. */
  readonly #decisions = new SingleFlight<Cause, readonly WantedPass[]>();

  constructor(services: ControllerPorts) {
    this.#services = services;
    this.#states = new KeyStates({ ...services, vaults: services.settings.vaults });
    this.queues = createQueues(services);
  }

  /** Requests lists of subscriptions that the index lacks, so that it includes a key's users before the first event. */
  async buildIndex(): Promise<void> {
    const { subscriptions, now } = this.#services;
    const cause = { by: 'start', ref: '', since: now().toISOString() };
    const { wanted } = await requestLists(await subscriptions(), cause, this.#services);
    await sendFor(wanted, cause, this.queues);
  }

  readonly requestKey: RequestKey = async (key, cause) => {
    const failures: unknown[] = [];
    const noted = (error: unknown) => {
      failures.push(error);
    };

    await this.#putItem(key, cause).catch(noted);
    await this.queues.sendKey(key, cause).catch(noted);

    if (failures.length > 1) throw failures[0];
  };

  /** Requests some keys. `all` requests every key with a work item, such as a key whose pause ended. */
  readonly requestKeys = async (keys: readonly string[] | 'all', cause: Cause): Promise<void> => {
    const all = new Set(keys === 'all' ? [] : keys);
    if (keys === 'all') {
      for await (const { kind, about } of this.#services.items.all()) {
        if (kind === 'key') all.add(about);
      }
    }

    await pMap(all, (key) => this.requestKey(key, cause), { concurrency: CONCURRENCY });
  };

  /**
   * Reconciles a key and its first subscriptions, and sends messages for the others.
   *
   * @param version the event's key version
   * @throws the SDK's errors: the work item remains, and Event Grid sends the event again
   */
  async handleEvent(key: ManagedKey, cause: Cause, log: Log, version?: string): Promise<void> {
    const { now } = this.#services;
    const startedMs = now().getTime();
    const item = this.#putItem(key.id, cause);
    item.catch(() => {});
    await this.#prepareKey(key, cause, log, version);
    await item;
    const writesUntil = new Date(startedMs + EVENT_PATCH_MS);
    await this.#reconcileInPlace(key, cause, new Date(startedMs + EVENT_MS), { ...this.#ports(log), writesUntil });
  }

  /** Reconciles a key for a message. Never throws. */
  async handleKeyMessage(about: string, cause: Cause, log: Log): Promise<void> {
    const { settings, items } = this.#services;
    const run = async () => {
      const key = settings.vaults.key(about);
      if (!key) {
        log({ level: 'warning', reason: 'VaultNotManaged', message: REASONS.VaultNotManaged, key: about });
        const item = await items.ofKey(about);
        if (item) await items.finish(item);
        return;
      }
      await this.#prepareKey(key, cause, log);
      await this.#reconcileInPlace(key, cause, this.#passEnd(), this.#ports(log));
    };

    await handleKeyWork(about, run, this.#ports(log));
  }

  /** Runs a pass over each managed subscription of a message. Never throws. */
  async handleFleetMessage(work: FleetWork, log: Log): Promise<void> {
    const managed = this.#services.settings.subscriptions?.map((id) => id.toLowerCase());
    // A message cannot add a subscription to the managed ones.
    const own = work.subscriptions.filter((id) => managed?.includes(id.toLowerCase()) ?? true);
    await handleFleetWork({ ...work, subscriptions: own }, this.#passEnd(), this.#ports(log));
  }

  /** Sends messages for overdue work. Throws the SDK's errors. */
  async sweep(log: Log): Promise<void> {
    const overdue = await sweepWork({ ...this.#services, ...this.queues, vaults: this.#services.settings.vaults });
    if (overdue > 0) log({ level: 'warning', reason: 'WorkOverdue', message: REASONS.WorkOverdue, overdue });
  }

  async #putItem(key: string, cause: Cause): Promise<void> {
    const { items, now } = this.#services;
    await items.put([createKeyItem(key, cause, now())]);
  }

  /**
   * Disables new versions of a revoked key, and requests the rotation of a key that may need it.
   *
   * @param version the event's key version
   */
  #prepareKey(key: ManagedKey, cause: Cause, log: Log, version?: string): Promise<void> {
    return this.#preparations.run(key.id, version?.toLowerCase(), async (eventVersions) => {
      const ports: KeepRevokedServices = { ...this.#services, now: () => new Date() };
      // This step calls only Key Vault.
      const { open, versions } = await keepRevoked(key, ports, log, { alsoLate: true });
      if (open) await this.#requestAuditRecords(key, versions, cause);
      else await this.#requestRotation(key, versions, cause, log);

      const listed = new Set<string | undefined>(versions.map((one) => one.version));
      const isUnlisted = eventVersions.some((one) => one !== undefined && !listed.has(one));
      if (isUnlisted) await this.#requestLaterReconciles(key, cause);
    });
  }

  /** Requests later reconciles of a key whose list lacks an event's version. */
  async #requestLaterReconciles(key: ManagedKey, cause: Cause): Promise<void> {
    const dues = UNLISTED_MS.map((ms) => new Date(this.#services.now().getTime() + ms));
    await Promise.all(dues.map((due) => this.queues.sendKey(key.id, cause, due)));
  }

  /** Requests audit records of versions that appeared while the key was revoked: the process that disabled them may have died. */
  async #requestAuditRecords(key: ManagedKey, versions: readonly KeyVersion[], cause: Cause): Promise<void> {
    const { queue, now } = this.#services;
    const since = new Date(now().getTime() - LOOKED_BACK_MS);
    if (findKeptRevoked(versions, since, now()).length === 0) return;
    await queue.send(KEY_WORK, { kind: 'revocation', key: key.id, cause, attempt: 0 });
  }

  async #requestRotation(key: ManagedKey, versions: readonly KeyVersion[], cause: Cause, log: Log): Promise<void> {
    const { orders, queue, now } = this.#services;
    const activation = findNextActivation(versions, now());

    // A sweep reconciles the key then: the rollout row has the time.
    if (activation) {
      const message = `${REASONS.VersionNotYetActive} Active from ${activation.toISOString()}.`;
      log({ level: 'info', reason: 'VersionNotYetActive', message, key: key.id, cause });
    }

    // A paused key's item remains, and the end of the pause requests the key again.
    if (canNeedRotation(versions, now()) && !findPause(await orders.read(), key.id, now())) {
      await queue.send(KEY_WORK, { kind: 'rotate', key: key.id, cause });
    }
  }

  #passEnd(): Date {
    return new Date(this.#services.now().getTime() + PASS_MS);
  }

  /** Decides on a key, reconciles its first subscriptions, and sends messages for the others. */
  async #reconcileInPlace(key: ManagedKey, cause: Cause, until: Date, ports: FleetServices): Promise<void> {
    const wanted = await this.#decide(key, cause, ports);

    // Another caller whose decision served this one runs and sends its passes.
    if (wanted) await runFirstPasses(wanted, cause, until, ports);
  }

  #decide(key: ManagedKey, cause: Cause, ports: FleetServices): Promise<readonly WantedPass[] | undefined> {
    return this.#decisions.run(key.id, cause, (causes) => reconcileKey(key, findStrongestCause(causes), ports));
  }

  /**
   * Decides whether a worker's moves complete a stage. Workers call this after each pass. Limits the frequency to one
   * concurrent decision on a key, with an interval between decisions.
   */
  async #reconcileProgress(key: ManagedKey, log: Log): Promise<void> {
    const { now } = this.#services;
    const cause: Cause = { by: 'progress', ref: '', since: now().toISOString() };
    const begunMs = performance.now();
    const known = this.#progress.get(key.id);
    if (known && known.nextMs > begunMs) {
      if (known.isSent) return;

      known.isSent = true;
      await this.queues.sendKey(key.id, cause, new Date(now().getTime() + known.nextMs - begunMs)).catch(() => {});

      return;
    }

    const next = { nextMs: begunMs + PROGRESS_MS, isSent: false };

    this.#progress.set(key.id, next);

    const ports = this.#ports(log);

    const decide = async () => {
      const wanted = await this.#decide(key, cause, ports);
      if (wanted) await sendFor(wanted, cause, ports);
    };

    await handleKeyWork(key.id, decide, ports);

    const endedMs = performance.now();

    next.nextMs = Math.max(next.nextMs, endedMs + (endedMs - begunMs) * PROGRESS_FACTOR);
  }

  #ports(log: Log): FleetServices {
    const { settings, probe } = this.#services;

    return {
      ...this.#services,
      ...this.queues,
      log,
      vaults: settings.vaults,
      canaries: settings.canary,
      states: this.#states,
      capacity: this.#capacity,
      exclusions: settings.drift,
      probe: (canaries, target) => probe(canaries, target, log),
      reconcileKey: (key) => this.#reconcileProgress(key, log),
    };
  }
}

function createQueues({ queue, now }: Pick<ControllerPorts, 'queue' | 'now'>) {
  const secondsUntil = (visibleOn: Date | undefined) =>
    visibleOn ? Math.max(0, (visibleOn.getTime() - now().getTime()) / 1000) : 0;

  return {
    async send({ subscriptions, tries, cause }: FleetWork, visibleOn?: Date): Promise<void> {
      const due = visibleOn ? { due: visibleOn.toISOString() } : {};
      const work = { kind: 'subscriptions', subscriptions, tries, cause, ...due } as const;
      await queue.send(FLEET_WORK, work, secondsUntil(visibleOn));
    },
    sendKey: (key: string, cause: Cause, visibleOn?: Date) =>
      queue.send(KEY_WORK, { kind: 'key', key, cause }, secondsUntil(visibleOn)),
    sendJob: (hint: Job, visibleOn?: Date) => queue.send(getQueueOfJob(hint), hint, secondsUntil(visibleOn)),
  };
}

/** Each instance calls this once. Calls no service. @param zones tables of the work zone and the control zone */
export function createController(
  settings: Settings,
  identity: TokenCredential,
  zones: { readonly work: FleetTable; readonly control: FleetTable },
  ports: Omit<ControllerPorts, 'settings' | 'items' | 'rows' | 'rollouts' | 'moved' | 'keys' | 'now'>,
) {
  const items = createWorkItems(zones.work);
  const rows = createUseRows(zones.work);
  const rollouts = createRolloutStore(zones.control);
  const moved = createMovedUses(zones.control);
  const { now } = storageClock;
  const keys = createKeys(identity, LIMITS.keyWork);
  const controller = new Controller({ ...ports, rows, items, rollouts, moved, settings, keys, now });
  const { requestKey, requestKeys } = controller;
  const stores = { workItems: items, useRows: rows, rollouts, moved };

  return { ...stores, controller, fleetQueue: controller.queues, requestKey, requestKeys };
}
