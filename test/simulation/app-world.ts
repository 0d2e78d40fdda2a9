import { FleetScans } from '../../src/accounts/fleet-scan.ts';
import { accountKeyUse, usesKey } from '../../src/accounts/key-use.ts';
import { planKeyUse } from '../../src/accounts/plan.ts';
import { FleetNotes, reconcileAndNote } from '../../src/accounts/reconcile-and-note.ts';
import { reconcileKey } from '../../src/accounts/reconcile-key.ts';
import { StandingRekeys } from '../../src/accounts/standing-rekeys.ts';
import type { RecordAudit } from '../../src/audit/audit-trail.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { timeBoxed, untilAborted } from '../../src/azure/deadline.ts';
import { LIMITS, OWN_STORAGE_MS } from '../../src/azure/limits.ts';
import { SharedReads } from '../../src/azure/shared-reads.ts';
import { Turns } from '../../src/azure/turns.ts';
import { createFleetIndex } from '../../src/fleet/create-fleet-index.ts';
import { IndexBuilding } from '../../src/fleet/index-building.ts';
import { createRotationNotes } from '../../src/fleet/rotation-notes.ts';
import type { Keys } from '../../src/keys/key-client.ts';
import { type KeyVersion, newestUsableVersion } from '../../src/keys/key-versions.ts';
import { managedKey } from '../../src/keys/managed-vaults.ts';
import { mayNeedRotation } from '../../src/keys/near-expiry.ts';
import { carryOutRekey } from '../../src/rekey/carry-out.ts';
import { changeRekey, type RekeyChange } from '../../src/rekey/control-rekey.ts';
import { obstacleOf, versionObstacle } from '../../src/rekey/obstacle.ts';
import { reviveRekeys } from '../../src/rekey/revive.ts';
import { startRekey } from '../../src/rekey/start-rekey.ts';
import { needsLook } from '../../src/revocation/keep-revoked.ts';
import { restore } from '../../src/revocation/restore.ts';
import { openRevocation } from '../../src/revocation/revocation.ts';
import { revoke } from '../../src/revocation/revoke.ts';
import { settleRevocation } from '../../src/revocation/settle-revocation.ts';
import { followRotation } from '../../src/rollout/follow-rotation.ts';
import { type ControlState, NO_CONTROL, standingPauses, withPause, withResume } from '../../src/rollout/pause.ts';
import { createRollout } from '../../src/rollout/rollout.ts';
import { StandingControl } from '../../src/rollout/standing-control.ts';
import { rotateWhenDue } from '../../src/rotation/rotate-when-due.ts';
import type { Settings } from '../../src/settings/settings.ts';
import { AtMostEvery } from '../../src/work/at-most-every.ts';
import { AtOnce } from '../../src/work/at-once.ts';
import {
  ACCOUNT_WORK,
  type AccountWork,
  KEY_WORK,
  type KeyWork,
  parseAccountWork,
  parseKeyQueueWork,
  type Work,
} from '../../src/work/messages.ts';
import type { Outcome } from '../../src/work/outcome.ts';
import { MAX_DEQUEUE_COUNT, processWork } from '../../src/work/process.ts';
import type { HeldMessages, WorkQueue } from '../../src/work/work-queue-client.ts';
import { KEY, PUBLIC, SUBSCRIPTION, VAULTS } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import { MemoryRekeys } from '../support/memory-rekeys.ts';
import type { World } from './explore.ts';
import { MemoryFleet } from './memory-fleet.ts';
import { MemoryLeases } from './memory-leases.ts';
import { keysOf, keysOfBoth, MemoryVault, type Way } from './memory-vault.ts';
import { PortLimits } from './port-limits.ts';
import { Actor, type Fault, Scheduler, type Transition } from './scheduler.ts';
import { type Spoil, spoilIndex } from './spoil-index.ts';
import { VirtualTimers } from './virtual-timers.ts';

const NOON = Date.UTC(2026, 5, 1, 12);
const STEP_MS = 50;
/** The key that a re-key moves to, and the number of its first version. */
const OTHER = managedKey(KEY.vault, 'new-key');
const OTHER_FIRST = 500;
/** A message that a killed host held comes back after this; one that failed, after the other (host.json). Milliseconds. */
const HELD_MS = 600_000;
const FAILED_MS = 15_000;
/** Drift checks after everything else, an hour apart each. */
const DRIFT_CHECKS = 3;
const HOUR_MS = 3_600_000;
/** Calls to the API that depend on Key Vault alone: when it has answered, they may wait so long for all else together. */
const BREAK_GLASS = /^(revoke|restore) /;
const VAULT = /^(list \d|get v|patch v)/;
const MOST_WAIT_MS = 3_000;
const FAULTS: readonly Fault[] = ['fails', 'answerLost', 'late', 'hangs'];
/** By so much clocks may differ, and so long may what was begun go on. Milliseconds. */
const CLOCKS_MS = 5 * 60_000;
const BEGUN_MS = 3 * 60_000;

export interface AppScenario {
  readonly instances: number;
  readonly accounts: readonly ('pinned' | 'automatic')[];
  readonly versions: number;
  /** What people and callers do, in this order, at any time. */
  readonly deeds: readonly Deed[];
  readonly faults: number;
  readonly kinds?: readonly Fault[];
  /** Calls that may go wrong, and during which a process may be killed. */
  readonly aim: RegExp;
  readonly kills: number;
  /** Minutes by which each instance's clock is off. */
  readonly skews: readonly number[];
  /**
   * Deeds come when nothing else happens, when something went wrong since the last one, or while such a call is under way;
   * without it at any time.
   */
  readonly during?: RegExp;
  /** Accounts that go first; their file services do not serve the first time that they are asked. */
  readonly canary?: number;
  readonly waves?: readonly (string | undefined)[];
  /** The newest version nears its expiry. */
  readonly nearExpiry?: boolean;
  /** Resource Graph shows nothing: it follows changes when it likes. */
  readonly graphBlind?: boolean;
  /** Events are looked into where they arrive, and not from the queue. */
  readonly atOnce?: boolean;
  /** No drift check comes to find what was lost: messages alone have to see to it. */
  readonly noDriftCheck?: boolean;
}

export type Deed =
  | { readonly do: 'rotate'; readonly events: number }
  | { readonly do: 'pin'; readonly account: number; readonly version: number }
  | { readonly do: 'unpin' | 'switchKey' | 'rotateAndPin'; readonly account: number }
  | { readonly do: 'timePasses'; readonly seconds: number }
  | { readonly do: 'pause'; readonly seconds: number | undefined }
  | { readonly do: 'resume' | 'controlLost' }
  | { readonly do: 'spoilIndex'; readonly how: Spoil }
  | { readonly do: 'startRekey' | 'rotateOther' }
  | { readonly do: 'changeRekey'; readonly how: RekeyChange }
  | { readonly do: 'nearExpiryEvent' | 'revoke' | 'restore' | 'disableNewest' };

interface Message {
  readonly queue: string;
  readonly text: string;
  visibleAt: number;
  dequeued: number;
}

interface Instance {
  readonly number: number;
  readonly skewMs: number;
  actors: Set<Actor>;
  /** What it knows of pauses, over all that it does; lost when it is killed. */
  control: StandingControl;
  /** Since when it has known of the pause that stands. */
  pausedSince: number | undefined;
  /** What a process has in memory, and loses when it is killed. */
  memory: Memory;
}

interface Memory {
  readonly lists: SharedReads<KeyVersion[]>;
  readonly turns: Turns;
  readonly schedule: Turns;
}

const memory = (): Memory => ({ lists: new SharedReads(), turns: new Turns(1), schedule: new Turns(1) });

interface Timer {
  readonly at: number;
  readonly actor: Actor;
  readonly wake: () => void;
}

/** The app over one key and its accounts: several instances, their queues, people and trouble. */
export class AppWorld implements World {
  readonly scheduler: Scheduler;
  readonly vault: MemoryVault;
  readonly fleet: MemoryFleet;
  readonly other: MemoryVault;
  readonly rekeys = new MemoryRekeys();
  readonly timers = new VirtualTimers(() => this.#clock);
  readonly #instances: Instance[];
  readonly #deeds: Deed[];
  readonly #messages: Message[] = [];
  readonly #poison: Message[] = [];
  readonly #sleeps: Timer[] = [];
  /** How long a call to the API waited for something else than Key Vault while nothing else happened. Milliseconds. */
  readonly #waited = new Map<Actor, number>();
  readonly #leases = new MemoryLeases(() => this.#clock);
  readonly index = new MemoryFleetTable();
  readonly #audit: AuditEntry[] = [];
  readonly #originalVersions: number;
  readonly #nearExpiry: boolean;
  readonly #canary: number;
  #orders: ControlState = NO_CONTROL;
  #isControlOut = false;
  #probes = 0;
  readonly #graphBlind: boolean;
  readonly #atOnce: boolean;
  #peopleMade = 0;
  #late: string | undefined;
  readonly #during: RegExp | undefined;
  /** What had gone wrong by the last deed. */
  #harms = 0;
  #restores = 0;
  /** A re-key is being started, and there is nothing to change of it yet. */
  #starting = false;
  #clock = NOON;
  /** When the last deed was done, or the last drift check. */
  #quietSince = NOON;
  #kills: number;
  #drifts: number;
  #ids = 0;
  #actors = 0;

  constructor(scenario: AppScenario) {
    const { faults, kinds, aim } = scenario;
    this.scheduler = new Scheduler({ faults, kinds: kinds ?? FAULTS, aim, now: () => this.#clock });
    const expiresOn = scenario.nearExpiry ? new Date(NOON + 10 * 24 * HOUR_MS) : undefined;
    this.vault = new MemoryVault(scenario.versions, () => new Date(this.#clock), expiresOn);
    this.other = new MemoryVault(1, () => new Date(this.#clock), undefined, OTHER_FIRST);
    this.fleet = new MemoryFleet(this.vault, scenario.accounts, scenario.waves, {
      name: OTHER.name,
      vault: this.other,
    });
    this.fleet.mayRekey = (from, to) =>
      this.rekeys.orders.some(({ state }) =>
        from === KEY.name && to === OTHER.name ? state !== 'checking' : state === 'takingBack' || state === 'takenBack',
      );
    this.#instances = Array.from({ length: scenario.instances }, (_, number) => ({
      number: number + 1,
      skewMs: (scenario.skews[number] ?? 0) * 60_000,
      actors: new Set<Actor>(),
      control: this.#control((scenario.skews[number] ?? 0) * 60_000),
      pausedSince: undefined,
      memory: memory(),
    }));
    this.#deeds = [...scenario.deeds];
    this.#kills = scenario.kills;
    this.#nearExpiry = scenario.nearExpiry ?? false;
    this.#during = scenario.during;
    this.#canary = scenario.canary ?? 0;
    this.#graphBlind = scenario.graphBlind ?? false;
    this.#atOnce = scenario.atOnce ?? false;
    this.#drifts = scenario.noDriftCheck ? DRIFT_CHECKS : 0;
    this.#originalVersions = this.vault.versions.length;
  }

  tick(): void {
    this.#clock += STEP_MS;
    for (const instance of this.#instances) this.#knowsOfPause(instance);
    this.scheduler.passDeadlines();
    this.timers.pass();
  }

  transitions(): Transition[] {
    const sleeps = this.#sleeps.filter(({ at }) => at <= this.#clock);
    const takes = this.#messages
      .filter(({ visibleAt }) => visibleAt <= this.#clock)
      .flatMap((message) =>
        this.#instances
          .filter(({ actors }) => actors.size < 3)
          .map((instance) => ({
            label: `instance ${instance.number} takes ${message.text.slice(0, 60)}`,
            run: () => this.#take(instance, message),
          })),
      );
    const kills = this.#instances.filter(
      ({ actors }) => this.#kills > 0 && [...actors].some((actor) => this.scheduler.isAimedAt(actor)),
    );
    const ready = [
      ...sleeps.map((timer) => ({
        label: `${timer.actor.name} wakes`,
        actor: timer.actor,
        run: () => this.#wake(timer),
      })),
      ...takes,
      ...kills.map((instance) => ({
        label: `instance ${instance.number} is killed, and what it called takes effect later`,
        rare: 'harm' as const,
        run: () => this.#kill(instance),
      })),
    ];
    const isQuiet = ready.length === 0 && !this.scheduler.busy;
    const [next] = this.#deeds;
    const isTooEarly = next?.do === 'changeRekey' && this.#starting && this.rekeys.orders[0]?.state !== 'moving';
    const deed = isTooEarly ? undefined : next;
    const isIts = !this.#during || this.scheduler.harms > this.#harms || this.scheduler.isUnderWay(this.#during);
    if (deed && (isQuiet || isIts)) {
      return [{ label: describe(deed), run: () => this.#do(deed) }, ...ready];
    }
    return isQuiet ? this.#later() : ready;
  }

  check(): void {
    if (this.fleet.broken) throw new Error(this.fleet.broken);
    if (this.#late) throw new Error(this.#late);
    if (this.#poison.length > 0) throw new Error(`A message is poison: ${this.#poison[0]?.text}`);
  }

  async atRest(): Promise<void> {
    for (const actor of this.#instances.flatMap(({ actors }) => [...actors])) {
      throw new Error(`${actor.name} never ends, and waits for: ${this.scheduler.waitsFor(actor)}`);
    }
    const ids = this.#audit.flatMap(({ id }) => id ?? []);
    for (const id of new Set(ids)) {
      // Whoever restores twice at the same moment is on record twice: each of the calls did a part.
      const most = id.startsWith('key.restore/') ? Math.max(this.#restores, 1) : 1;
      const count = ids.filter((other) => other === id).length;
      if (count > most) throw new Error(`${id} is recorded ${count} times.`);
    }
    const now = new Date(this.#clock);
    if (openRevocation(this.vault.versions, now)) {
      const enabled = this.vault.versions.filter((version) => version.enabled);
      if (enabled.length > 0) throw new Error('A revocation is open at rest, and a version is enabled.');
      return;
    }
    this.#rekeyAtRest(now);
    for (const name of this.fleet.names) {
      const { account, moves, byPeople } = this.fleet.of(name);
      const { keyName, keyVersion, currentVersionedKeyIdentifier: used } = account.encryption.keyVaultProperties ?? {};
      if (keyName !== KEY.name && keyName !== OTHER.name) continue;
      const { versions } = keyName === KEY.name ? this.vault : this.other;
      const newest = newestUsableVersion(versions, now)?.version;
      // Storage takes the newest version of all for an automatic account, usable or not: it is left alone then.
      if (keyVersion === '' && !versions.at(-1)?.enabled) continue;
      const order = (one: string | undefined) => versions.findIndex(({ version }) => version === one);
      // A version that is newer than every usable one is not moved back.
      if (newest && order(used?.split('/').at(-1)) < order(newest))
        throw new Error(`${name} is left on ${used} at rest.`);
      const recorded = this.#audit.filter(
        ({ action, resource, reason }) =>
          /^account\.(move|rekey)$/.test(action) &&
          resource === account.id &&
          /^(Moved|Refreshed|Rekeyed)$/.test(reason),
      );
      const wrong = byPeople === 0 ? recorded.length !== moves : recorded.length > moves + byPeople;
      if (wrong) throw new Error(`${name} moved ${moves} times, and ${recorded.length} moves are recorded.`);
    }
    const made = this.vault.versions.length - this.#originalVersions - this.#peopleMade;
    const wanted = this.#nearExpiry ? 1 : 0;
    if (made !== wanted) throw new Error(`The app made ${made} versions, and ${wanted} were needed.`);
  }

  /** Everything is where the order says, unless a person has put it elsewhere. */
  #rekeyAtRest(now: Date): void {
    const order = this.rekeys.orders.find(({ state }) => state !== 'checking' && state !== 'ended');
    if (!order || order.paused) return;
    const listed = { key: KEY, versions: this.vault.versions };
    const other = { key: OTHER, versions: this.other.versions };
    const obstacle = order.state.startsWith('tak')
      ? versionObstacle(other, listed, now)
      : versionObstacle(listed, other, now);
    if (order.state === 'moving' || order.state === 'takingBack') {
      if (obstacle) return;
      throw new Error(`The re-key is ${order.state} at rest: ${JSON.stringify(order)}`);
    }
    const wanted = order.state === 'done' ? OTHER.name : KEY.name;
    for (const name of this.fleet.names) {
      const { account, byPeople } = this.fleet.of(name);
      const is = account.encryption.keyVaultProperties?.keyName;
      if (byPeople === 0 && is !== wanted) throw new Error(`${name} is on ${is}, and the re-key is ${order.state}.`);
    }
  }

  /** Nothing can happen now: time passes to the next thing, or a drift check comes. */
  #later(): Transition[] {
    const times = [
      this.scheduler.nextDeadline(),
      this.timers.next(),
      ...this.#sleeps.map(({ at }) => at),
      ...this.#messages.filter((message) => !this.#isWaitingRekey(message)).map(({ visibleAt }) => visibleAt),
    ];
    const next = Math.min(...times);
    if (this.#deeds.length === 0 && standingPauses(this.#orders, new Date(this.#clock - CLOCKS_MS)).length > 0) {
      return [{ label: 'an operator ends every pause', run: () => this.#resume() }];
    }
    // What waits for its turn in the queue has to wait for it no longer than for a drift check.
    const isDue = this.#deeds.length === 0 && next - this.#quietSince > HOUR_MS && this.#drifts < DRIFT_CHECKS;
    if (Number.isFinite(next) && !isDue) {
      return [{ label: `${Math.ceil((next - this.#clock) / 1000)} s pass`, run: () => this.#pass(next) }];
    }
    if (this.#drifts >= DRIFT_CHECKS) return [];
    return [
      {
        label: 'a drift check',
        run: () => {
          this.#drifts += 1;
          this.#quietSince = this.#clock;
          this.scheduler.heal();
          this.#kills = 0;
          this.#clock += HOUR_MS;
          this.#driftCheck();
        },
      },
    ];
  }

  /** It asks again for as long as a key is revoked, which may be for good; a pause ends. */
  #isWaitingRekey({ text }: Message): boolean {
    return (
      text.includes('"kind":"rekey"') &&
      this.rekeys.orders.some(({ waits, paused }) => (waits && waits.reason !== 'Paused') || paused)
    );
  }

  /** Nothing happens until then. Break-glass depends on Key Vault and the token alone (invariant 10). */
  #pass(to: number): void {
    for (const { actors } of this.#instances) {
      for (const actor of actors) {
        const waitsFor = this.scheduler.waitsFor(actor);
        const isHeldUp = waitsFor.length > 0 && !waitsFor.some((label) => VAULT.test(label));
        if (!BREAK_GLASS.test(actor.name) || !isHeldUp) continue;
        const waited = (this.#waited.get(actor) ?? 0) + Math.max(0, to - this.#clock);
        this.#waited.set(actor, waited);
        if (waited > MOST_WAIT_MS) this.#late ??= `${actor.name} waits ${waited} ms for: ${waitsFor}`;
      }
    }
    this.#clock = Math.max(this.#clock, to);
  }

  #do(deed: Deed): void {
    this.#deeds.shift();
    this.#harms = this.scheduler.harms;
    this.#quietSince = this.#clock;
    const account = 'account' in deed ? (this.fleet.names[deed.account % this.fleet.names.length] ?? '') : '';
    switch (deed.do) {
      case 'rotate':
        this.vault.create();
        this.#peopleMade += 1;
        for (let n = 0; n < deed.events; n += 1) this.#event(n);
        return;
      case 'spoilIndex':
        spoilIndex(this.index, deed.how);
        return;
      case 'nearExpiryEvent':
        this.#send(KEY_WORK, { kind: 'rotate', key: KEY.id, cause: cause('event'), attempt: 0 });
        return;
      case 'pin':
        this.fleet.set(
          account,
          KEY.name,
          this.vault.versions[deed.version % this.vault.versions.length]?.version ?? '',
        );
        return;
      case 'rotateAndPin':
        this.#peopleMade += 1;
        this.fleet.set(account, KEY.name, this.vault.create().version);
        return;
      case 'disableNewest':
        this.vault.set(this.vault.versions.at(-1)?.version ?? '', false);
        this.#send(KEY_WORK, { kind: 'key', key: KEY.id, cause: cause('operator'), attempt: 0 });
        return;
      case 'startRekey':
        this.#startRekey();
        return;
      case 'changeRekey':
        this.#changeRekey(deed.how);
        return;
      case 'rotateOther':
        this.other.create();
        this.#send(KEY_WORK, { kind: 'key', key: OTHER.id, cause: cause('event'), attempt: 0 });
        return;
      case 'unpin':
        this.fleet.set(account, KEY.name, '');
        return;
      case 'switchKey':
        this.fleet.set(account, 'other-key', 'f'.repeat(32));
        return;
      case 'pause': {
        const until =
          deed.seconds === undefined ? {} : { until: new Date(this.#clock + deed.seconds * 1000).toISOString() };
        const now = new Date(this.#clock);
        const pause = { id: 'p', reason: 'a simulation', by: { objectId: 'o' }, since: now.toISOString(), ...until };
        this.#orders = withPause(this.#orders, pause, now);
        return;
      }
      case 'resume':
        this.#resume();
        return;
      case 'controlLost':
        this.#isControlOut = true;
        return;
      case 'timePasses':
        this.#clock += deed.seconds * 1000;
        return;
      default:
        this.#call(deed.do);
    }
  }

  #resume(): void {
    this.#isControlOut = false;
    this.#orders = withResume(this.#orders, {
      id: 'r',
      reason: 'a simulation',
      by: { objectId: 'o' },
      at: new Date(this.#clock).toISOString(),
    });
  }

  #control(skewMs: number): StandingControl {
    const read = async (): Promise<ControlState> => {
      if (this.#isControlOut) throw new Error('no answer');
      return this.#orders;
    };
    return new StandingControl({ read }, () => new Date(this.#clock + skewMs));
  }

  /** Whether the instance has known of a pause for longer than what it had begun before may take. */
  #knowsOfPause(instance: Instance): boolean {
    if (!instance.control.pauseNow(KEY.id)) instance.pausedSince = undefined;
    else instance.pausedSince ??= this.#clock;
    return instance.pausedSince !== undefined && this.#clock - instance.pausedSince > BEGUN_MS;
  }

  #call(what: 'revoke' | 'restore'): void {
    const instance = this.#instances[0] as Instance;
    const actor = this.#actor(instance, what);
    const ports = this.#ports(instance, actor);
    const objectId = `0000000${what === 'revoke' ? 1 : 2}-0000-4000-8000-000000000000`;
    const call = { caller: { objectId, appId: 'app' }, correlationId: 'call', why: 'a simulation', ticket: undefined };
    const open = openRevocation(this.vault.versions, new Date(this.#clock));
    if (what === 'restore') this.#restores += 1;
    const run =
      what === 'revoke'
        ? revoke(KEY, call, { ...ports, dependents: async () => undefined }, () => {})
        : restore(
            KEY,
            open?.id ?? 'none',
            call,
            { ...ports, dualControl: true, readiness: async () => ({ accounts: [], warnings: [] }) },
            () => {},
          );
    void run.catch(() => {}).then(() => instance.actors.delete(actor));
  }

  #startRekey(): void {
    const instance = this.#instances[0] as Instance;
    const actor = this.#actor(instance, 'start of a re-key');
    const ports = this.#ports(instance, actor);
    const check = async () => {
      const obstacle = await obstacleOf(KEY, OTHER, ports);
      const problems = obstacle ? [{ ...obstacle, fix: '' }] : [];
      return { problems, warnings: [], accounts: 0, withoutRole: [] };
    };
    const request = { from: KEY, to: OTHER, reason: 'a simulation', ticket: undefined, maxFailures: 3 };
    this.#starting = true;
    void startRekey(request, PERSON, { ...ports, check }, () => {})
      .catch(() => {})
      .then(() => {
        this.#starting = false;
        instance.actors.delete(actor);
      });
  }

  #changeRekey(how: RekeyChange): void {
    const order = this.rekeys.orders[0];
    if (!order) return;
    const instance = this.#instances[0] as Instance;
    const actor = this.#actor(instance, how);
    const ports = this.#ports(instance, actor);
    void changeRekey(order.id, how, 'a simulation', PERSON, { ...ports, vaults: VAULTS }, () => {})
      .catch(() => {})
      .then(() => instance.actors.delete(actor));
  }

  #take(instance: Instance, message: Message): void {
    message.visibleAt = this.#clock + HELD_MS;
    message.dequeued += 1;
    const entry = JSON.parse(message.text) as Work;
    const actor = this.#actor(instance, entry.kind);
    void this.#process(message.queue, entry, message.dequeued, instance, actor)
      .then(
        () => this.#remove(message),
        () => this.#failed(message),
      )
      .then(() => instance.actors.delete(actor));
  }

  /** As the function does it, with the first accounts of a key looked at in place. */
  async #process(queue: string, entry: Work, dequeueCount: number, instance: Instance, actor: Actor): Promise<void> {
    const ports = this.#ports(instance, actor);
    const log = () => {};
    const accounts = new AtOnce(ports.heldMessages, 2);
    const atOnce = (account: AccountWork) =>
      accounts.begin(ACCOUNT_WORK, account, () => {
        const other = this.#actor(instance, 'account at once');
        return this.#process(ACCOUNT_WORK, account, 1, instance, other).finally(() => instance.actors.delete(other));
      });
    const run = async (work: Work): Promise<Outcome> => {
      if (work.kind === 'account') return reconcileAndNote(work, ports, log);
      if (work.kind === 'key') return reconcileKey(work, { ...ports, ...(this.#atOnce ? { atOnce } : {}) }, log);
      if (work.kind === 'rotate') return rotateWhenDue(work, ports, log);
      if (work.kind === 'rekey') return carryOutRekey(work, ports, log);
      if (work.kind === 'rotation') return followRotation(work, ports, log);
      return work.kind === 'revocation' ? settleRevocation(work, ports, log) : { outcome: 'done' };
    };
    await processWork<Work>({
      ...ports,
      queueName: queue === KEY_WORK ? KEY_WORK : ACCOUNT_WORK,
      received: { entry, dequeueCount },
      parse: queue === KEY_WORK ? parseKeyQueueWork : parseAccountWork,
      run,
      reports: new AtMostEvery(HOUR_MS),
      log,
    });
    await accounts.settled();
  }

  /** Event Grid delivers: the look begins in place, or waits in the queue. */
  #event(number: number): void {
    const work: KeyWork = { kind: 'key', key: KEY.id, cause: cause('event'), attempt: 0 };
    const instance = this.#instances[number % this.#instances.length];
    if (!this.#atOnce || !instance) {
      this.#send(KEY_WORK, work);
      return;
    }
    const actor = this.#actor(instance, 'event');
    const look = new AtOnce(this.#ports(instance, actor).heldMessages, 1);
    void look
      .begin(KEY_WORK, work, () => this.#process(KEY_WORK, work, 1, instance, actor))
      // It is delivered again.
      .catch(() => this.#send(KEY_WORK, work))
      .then(() => look.settled())
      .then(() => instance.actors.delete(actor));
  }

  /** What the drift check does about the key: it writes the index, and puts to work what is not as it should be. */
  #driftCheck(): void {
    const now = new Date(this.#clock);
    const [instance] = this.#instances;
    const { versions } = this.vault;
    const work = { key: KEY.id, cause: cause('drift'), attempt: 0 };
    if (needsLook(versions, now)) this.#send(KEY_WORK, { kind: 'key', alsoLate: true, ...work });
    if (mayNeedRotation(versions, now)) this.#send(KEY_WORK, { kind: 'rotate', ...work });
    for (const name of this.fleet.names) {
      const { account } = this.fleet.of(name);
      const use = accountKeyUse(account.encryption);
      const isOther = usesKey(use, OTHER);
      if (!isOther && !usesKey(use, KEY)) continue;
      const listed = isOther ? this.other.versions : versions;
      if (!use || !planKeyUse(use, listed, now, { refreshAutomatic: true }).write) continue;
      const { id, location } = account;
      const key = isOther ? OTHER.id : KEY.id;
      this.#send(ACCOUNT_WORK, { kind: 'account', account: id, location, ...work, key });
    }
    const at = now.toISOString();
    this.#send(KEY_WORK, { kind: 'rotation', since: at, due: at, ...work });
    if (instance) void this.#writeIndex(instance);
  }

  async #writeIndex(instance: Instance): Promise<void> {
    const actor = this.#actor(instance, 'drift check');
    const { accounts, fleet, now } = this.#ports(instance, actor);
    const scan = new FleetScans({ fleet, now }).of(SUBSCRIPTION);
    for await (const account of accounts.list(SUBSCRIPTION)) await scan.saw({ account, scopes: undefined });
    await scan.end(true);
    // The drift check goes on without what it cannot read.
    await reviveRekeys(this.#ports(instance, actor)).catch(() => {});
    instance.actors.delete(actor);
  }

  #remove(message: Message): void {
    const at = this.#messages.indexOf(message);
    if (at >= 0) this.#messages.splice(at, 1);
  }

  /** As the host does it. */
  #failed(message: Message): void {
    message.visibleAt = this.#clock + FAILED_MS;
    if (message.dequeued < MAX_DEQUEUE_COUNT) return;
    this.#remove(message);
    this.#poison.push(message);
  }

  #kill(instance: Instance): void {
    this.#kills -= 1;
    this.#starting = false;
    for (const actor of instance.actors) {
      this.scheduler.kill(actor, true);
      this.#leases.outlive(actor);
    }
    instance.actors = new Set();
    instance.control = this.#control(instance.skewMs);
    instance.pausedSince = undefined;
    instance.memory = memory();
  }

  #wake(timer: Timer): void {
    this.#sleeps.splice(this.#sleeps.indexOf(timer), 1);
    if (!timer.actor.dead) timer.wake();
  }

  #actor(instance: Instance, what: string): Actor {
    this.#actors += 1;
    const actor = new Actor(`${what} ${this.#actors} on instance ${instance.number}`);
    instance.actors.add(actor);
    return actor;
  }

  #ports(instance: Instance, actor: Actor) {
    const to = new PortLimits(this.scheduler, actor);
    const isUrgent = BREAK_GLASS.test(actor.name);
    const own = to.ownStorage(OWN_STORAGE_MS);
    const now = () => new Date(this.#clock + instance.skewMs);
    const fleet = createFleetIndex(this.index.port(to.azure(LIMITS.ownTables)));
    const toVault = to.azure(isUrgent ? LIMITS.breakGlass : LIMITS.keyWork);
    const vault = keysOfBoth(keysOf(this.vault, toVault), OTHER.name, keysOf(this.other, toVault));
    const rekeys = this.rekeys.port(to.azure(LIMITS.ownTables));
    const { lists, turns, schedule } = instance.memory;
    const keys = isUrgent ? vault : sharing(vault, lists);
    const settings = {
      vaults: VAULTS,
      cloud: PUBLIC,
      subscriptions: [SUBSCRIPTION],
      refreshAutomatic: true,
      scopeDiscovery: 'dependents',
      canary: this.#canary,
      access: { rekeyApprovals: 0 },
    } as unknown as Settings;
    const queue = this.#queue(own);
    const { control } = instance;
    const rotationNotes = createRotationNotes(this.index.port(to.azure(LIMITS.ownTables)));
    const rollout = { settings, keys, fleet, rotationNotes, control, writeBudgets: [], queue, now };
    return {
      ...rollout,
      rollout: createRollout(rollout),
      probeCanaries: async () => {
        this.#probes += 1;
        return { failing: this.#probes === 1 ? ['st1'] : [] };
      },
      accounts: this.fleet.port(actor, to.azure(LIMITS.storageManagement), () => this.#knowsOfPause(instance)),
      subscriptions: { list: async () => [SUBSCRIPTION], seen: async () => ({ ids: [SUBSCRIPTION], vanished: [] }) },
      fleetNotes: new FleetNotes({ fleet, now }),
      rekeys,
      standingRekeys: new StandingRekeys(rekeys, { vaults: VAULTS, approvals: 0 }, now),
      building: new IndexBuilding(),
      accountsOfKey: this.#graphBlind
        ? { using: async function* () {} }
        : this.fleet.newer(to.azure(LIMITS.resourceGraph)),
      heldMessages: this.#heldMessages(own),
      leases: this.#leases.port(actor, own),
      audit: this.#auditPort(own),
      turns,
      schedule,
      random: () => 0.5,
      dependents: async () => ({ answer: 'some' as const }),
      newId: () => {
        this.#ids += 1;
        return `id-${this.#ids}`;
      },
      sleep: (ms: number) =>
        new Promise<void>((wake) => {
          this.#sleeps.push({ at: this.#clock + ms, actor, wake });
        }),
    };
  }

  #queue(way: Way): WorkQueue {
    return {
      send: (queue, work, delaySeconds = 0) =>
        way(`send ${work.kind} in ${Math.ceil(delaySeconds)} s`, () => this.#send(queue, work, delaySeconds), true),
      poison: (queue, text) =>
        way(
          `poison ${text}`,
          () => {
            this.#poison.push({ queue, text, visibleAt: 0, dequeued: 0 });
          },
          true,
        ),
    };
  }

  #heldMessages(way: Way): HeldMessages {
    return {
      hold: async (queue, work, seconds) => {
        const hold = () => this.#push(queue, JSON.stringify(work), seconds);
        const message = await way(`send ${work.kind} and hold it`, hold, true);
        // Somebody else has it in hand.
        const remove = () => (message.dequeued === 0 ? this.#remove(message) : undefined);
        return { remove: () => way(`take ${work.kind} out`, remove, true) };
      },
    };
  }

  #send(queue: string, work: Work, delaySeconds = 0): void {
    this.#push(queue, JSON.stringify(work), delaySeconds);
  }

  #push(queue: string, text: string, delaySeconds: number): Message {
    const message = { queue, text, visibleAt: this.#clock + delaySeconds * 1000, dequeued: 0 };
    this.#messages.push(message);
    return message;
  }

  #auditPort(way: Way): RecordAudit {
    return async (entry, timeoutMs, unlessSince) => {
      try {
        const label = `audit ${entry.reason} of ${entry.resource.split('/').at(-1)}`;
        const write = way(
          label,
          () => {
            const known = unlessSince && this.#audit.some(({ id }) => id !== undefined && id === entry.id);
            if (!known) this.#audit.push(entry);
          },
          true,
        );
        // An entry whose time is up is still tried.
        const isWritten = await timeBoxed((signal) => untilAborted(write, signal), timeoutMs);
        if (!isWritten) return { failed: 'no answer in time' };
        return { written: { file: 'trail', seq: 1, hash: '' } };
      } catch {
        return { failed: 'no answer' };
      }
    };
  }
}

/** The messages of one instance share their lists of versions, as the app's own client has it. */
function sharing(keys: Keys, lists: SharedReads<KeyVersion[]>): Keys {
  return { ...keys, listVersions: async (key) => [...(await lists.read(key.id, () => keys.listVersions(key)))] };
}

const PERSON = {
  caller: { objectId: '00000003-0000-4000-8000-000000000000', appId: 'app' },
  correlationId: 'call',
};

function cause(by: string): { by: string; ref: string; since: string } {
  return { by, ref: '', since: '' };
}

function describe(deed: Deed): string {
  return Object.values(deed).join(' ');
}
