import { FleetNotes, reconcileAndNote } from '../../src/accounts/reconcile-and-note.ts';
import { lookAtKey } from '../../src/accounts/reconcile-key.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { LIMITS, OWN_STORAGE_MS } from '../../src/azure/limits.ts';
import { lastName } from '../../src/azure/resource-id.ts';
import { SharedReads } from '../../src/azure/shared-reads.ts';
import { Turns } from '../../src/azure/turns.ts';
import type { Account } from '../../src/fleet/account.ts';
import { createFleetIndex } from '../../src/fleet/create-fleet-index.ts';
import { IndexBuilding } from '../../src/fleet/index-building.ts';
import { createRotationNotes } from '../../src/fleet/rotation-notes.ts';
import type { Keys } from '../../src/keys/key-client.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { KnownOrders } from '../../src/orders/known-orders.ts';
import { NO_ORDERS, openPauses, type StandingOrders, withPause, withResume } from '../../src/orders/standing-orders.ts';
import type { KeyTrail } from '../../src/revocation/key-trail.ts';
import { restore } from '../../src/revocation/restore.ts';
import { openRevocation } from '../../src/revocation/revocation.ts';
import { revoke } from '../../src/revocation/revoke.ts';
import { settleRevocation } from '../../src/revocation/settle-revocation.ts';
import { followRotation } from '../../src/rollout/follow-rotation.ts';
import { readRotation } from '../../src/rollout/read-rotation.ts';
import { createRollout } from '../../src/rollout/rollout.ts';
import { viewRotation } from '../../src/rollout/rotation-view.ts';
import { rotateWhenDue } from '../../src/rotation/rotate-when-due.ts';
import type { Exemption } from '../../src/settings/exemption.ts';
import { DEFAULT_AUTOFIX } from '../../src/settings/fixable.ts';
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
import { processWork } from '../../src/work/process.ts';
import { requestByMessage } from '../../src/work/work-queue-client.ts';
import { KEY, PUBLIC, SUBSCRIPTION, VAULTS } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import { type AppScenario, type Deed, describeDeed, OTHER } from './app-scenario.ts';
import { checkDrift } from './drift-check.ts';
import type { World } from './explore.ts';
import { forgedMessage, PEOPLE } from './forged-message.ts';
import { type AtRest, BEGUN_MS, CLOCKS_MS, judgeAtRest } from './judge-app.ts';
import { MemoryAudit } from './memory-audit.ts';
import { MemoryFleet } from './memory-fleet.ts';
import { MemoryLeases } from './memory-leases.ts';
import { MemoryQueues, type Message } from './memory-queues.ts';
import { keysOf, keysOfBoth, MemoryVault, type Way } from './memory-vault.ts';
import { PortLimits } from './port-limits.ts';
import { Actor, type Fault, Scheduler, type Transition } from './scheduler.ts';
import { spoilIndex } from './spoil-index.ts';
import { VirtualTimers } from './virtual-timers.ts';

const NOON = Date.UTC(2026, 5, 1, 12);
const STEP_MS = 50;
/** Number of the first version of the key that a re-key moves to. */
const OTHER_FIRST = 500;
/** Drift checks after everything else at the least, an hour apart each. */
const DRIFT_CHECKS = 3;
const HOUR_MS = 3_600_000;
/** Calls to the API that depend on Key Vault alone: when it has answered, they may wait so long for all else together. */
const BREAK_GLASS = /^(revoke|restore) /;
const VAULT = /^(list \d|get v|patch v)/;
const MOST_WAIT_MS = 3_000;
const FAULTS: readonly Fault[] = ['fails', 'answerLost', 'late', 'hangs'];

interface Instance {
  readonly number: number;
  readonly skewMs: number;
  actors: Set<Actor>;
  /** What it knows of pauses, over all that it does; lost when it is killed. */
  control: KnownOrders;
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
  readonly timers = new VirtualTimers(() => this.#clock);
  readonly #instances: Instance[];
  readonly #deeds: Deed[];
  readonly #queues = new MemoryQueues(() => this.#clock);
  readonly #sleeps: Timer[] = [];
  /** How long a call to the API waited for something else than Key Vault while nothing else happened. Milliseconds. */
  readonly #waited = new Map<Actor, number>();
  readonly #leases = new MemoryLeases(() => this.#clock);
  readonly index = new MemoryFleetTable();
  readonly #audit = new MemoryAudit();
  readonly #originalVersions: number;
  readonly #nearExpiry: boolean;
  readonly #canary: number;
  #orders: StandingOrders = NO_ORDERS;
  readonly #exempt: readonly string[];
  readonly #checks: number;
  /** What each of them has in hand. */
  readonly #works = new WeakMap<Actor, Work>();
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
  /** Calls about the key, in turn, and what the last of them has proved at its end. */
  readonly #asked: ('revoke' | 'restore')[] = [];
  #ended: 'revoked' | 'restored' | undefined;
  #clock = NOON;
  /** When the last deed was done, or the last drift check. */
  #quietSince = NOON;
  #kills: number;
  #cuts: number;
  #drifts = 0;
  #ids = 0;
  #actors = 0;

  constructor(scenario: AppScenario) {
    const { faults, kinds, aim, slow } = scenario;
    this.scheduler = new Scheduler({ faults, kinds: kinds ?? FAULTS, aim, slow, now: () => this.#clock });
    const expiresOn = scenario.nearExpiry ? new Date(NOON + 10 * 24 * HOUR_MS) : undefined;
    this.vault = new MemoryVault(scenario.versions, () => new Date(this.#clock), expiresOn);
    this.other = new MemoryVault(1, () => new Date(this.#clock), undefined, OTHER_FIRST);
    this.fleet = new MemoryFleet(this.vault, scenario.accounts, scenario.waves, {
      name: OTHER.name,
      vault: this.other,
    });
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
    this.#cuts = scenario.cuts ?? 0;
    this.#leases.flaky = scenario.flaky ?? 0;
    this.#nearExpiry = scenario.nearExpiry ?? false;
    this.#during = scenario.during;
    this.#canary = scenario.canary ?? 0;
    this.#graphBlind = scenario.graphBlind ?? false;
    this.#atOnce = scenario.atOnce ?? false;
    this.#exempt = (scenario.exempt ?? []).flatMap((n) => this.fleet.names[n] ?? []);
    // Beside an exempt account each stage takes a check of its own, and a canary that is seen not to serve one more. The last
    // one finds everything moved, and what the index has wrong put right.
    const stages = this.#exempt.length > 0 ? 2 + scenario.accounts.length : 0;
    this.#checks = scenario.noDriftCheck ? 0 : DRIFT_CHECKS + stages;
    this.#originalVersions = this.vault.versions.length;
  }

  /** What is in the audit trail. */
  get entries(): readonly AuditEntry[] {
    return this.#audit.entries;
  }

  tick(): void {
    this.#clock += STEP_MS;
    for (const instance of this.#instances) this.#knowsOfPause(instance);
    this.scheduler.passDeadlines();
    this.timers.pass();
  }

  transitions(): Transition[] {
    const sleeps = this.#sleeps.filter(({ at }) => at <= this.#clock);
    const takes = this.#queues.visible.flatMap((message) =>
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
    const cuts = this.#instances.filter(
      ({ actors }) => this.#cuts > 0 && [...actors].some((actor) => this.scheduler.isAimedAt(actor)),
    );
    ready.push(
      ...cuts.flatMap((instance) =>
        [25, 45, 200].map((seconds) => ({
          label: `instance ${instance.number} is cut off from the storage for ${seconds} s`,
          rare: 'harm' as const,
          run: () => this.#cut(instance, seconds),
        })),
      ),
    );
    const isQuiet = ready.length === 0 && !this.scheduler.busy;
    const [next] = this.#deeds;
    const isTooEarly = next?.do === 'timePasses' && next.quietly === true && !isQuiet;
    const deed = isTooEarly ? undefined : next;
    const isIts = !this.#during || this.scheduler.harms > this.#harms || this.scheduler.isUnderWay(this.#during);
    if (deed && (isQuiet || isIts)) {
      return [{ label: describeDeed(deed), run: () => this.#do(deed) }, ...ready];
    }
    return isQuiet ? this.#later() : ready;
  }

  check(): void {
    if (this.fleet.broken) throw new Error(this.fleet.broken);
    if (this.#late) throw new Error(this.#late);
    if (this.#queues.poison.length > 0) throw new Error(`A message is poison: ${this.#queues.poison[0]?.text}`);
  }

  async atRest(): Promise<void> {
    for (const actor of this.#instances.flatMap(({ actors }) => [...actors])) {
      throw new Error(`${actor.name} never ends, and waits for: ${this.scheduler.waitsFor(actor)}`);
    }
    judgeAtRest(this.#rest());
    await this.#judgeRotation();
  }

  #judgeSoFar(): void {
    try {
      judgeAtRest(this.#rest());
    } catch (error) {
      this.#late ??= `A day before the end: ${error}`;
    }
  }

  #rest(): AtRest {
    return {
      entries: this.#audit.entries,
      vault: this.vault,
      fleet: this.fleet,
      other: this.other,
      now: new Date(this.#clock),
      restores: this.#restores,
      asked: this.#asked,
      ended: this.#ended,
      made: this.vault.versions.length - this.#originalVersions - this.#peopleMade,
      wanted: this.#nearExpiry ? 1 : 0,
      exempt: this.#exempt,
    };
  }

  /** What goes on by itself is finished; what does not says of whom it waits for that the check is to leave them. */
  async #judgeRotation(): Promise<void> {
    const [instance] = this.#instances;
    if (!instance || this.#checks === 0) return;
    const ports = this.#ports(instance, new Actor('at rest'), true);
    const { state, waitingUses = [], failedUses = [] } = viewRotation(KEY, await readRotation(KEY, ports), undefined);
    // Of an account that there is not nothing can be said.
    const names = this.fleet.names.filter((name) => !this.#exempt.includes(name));
    const others = [...waitingUses, ...failedUses].filter(({ account }) => names.includes(lastName(account)));
    if (others.length > 0)
      throw new Error(`The rotation is ${state} at rest, and these are not exempt: ${JSON.stringify(others)}`);
  }

  /** Nothing can happen now: time passes to the next thing, or a drift check comes. */
  #later(): Transition[] {
    const times = [
      this.scheduler.nextDeadline(),
      this.timers.next(),
      ...this.#sleeps.map(({ at }) => at),
      ...this.#queues.timesBut(() => false),
    ];
    const next = Math.min(...times);
    if (this.#deeds.length === 0 && openPauses(this.#orders, new Date(this.#clock - CLOCKS_MS)).length > 0) {
      return [{ label: 'an operator ends every pause', run: () => this.#resume() }];
    }
    // What waits for its turn in the queue has to wait for it no longer than for a drift check.
    const isDue = this.#deeds.length === 0 && next - this.#quietSince > HOUR_MS && this.#drifts < this.#checks;
    if (Number.isFinite(next) && !isDue) {
      return [{ label: `${Math.ceil((next - this.#clock) / 1000)} s pass`, run: () => this.#pass(next) }];
    }
    if (this.#drifts >= this.#checks) return [];
    return [
      {
        label: 'a drift check',
        run: () => {
          this.#drifts += 1;
          this.#quietSince = this.#clock;
          this.scheduler.heal();
          this.#kills = 0;
          // Whom nobody waits for may be wrong in the index for a day: that holds up nobody.
          const isLast = this.#exempt.length > 0 && this.#drifts === this.#checks;
          if (isLast) this.#judgeSoFar();
          this.#goTo(this.#clock + (isLast ? 25 : 1) * HOUR_MS);
          void this.#driftCheck(this.#instances[0], true);
        },
      },
    ];
  }

  /** The clock goes there. What hangs is given up in its own time on the way, and what is late takes effect: an hour later nothing of it is left. */
  #goTo(to: number): void {
    const nextDue = (): number => Math.min(this.timers.next(), this.scheduler.nextDeadline());
    for (let due = nextDue(); due <= to; due = nextDue()) {
      this.#clock = Math.max(this.#clock, due);
      this.timers.pass();
      this.scheduler.passDeadlines();
    }
    this.#clock = to;
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
      case 'lateEvent':
        this.#event(0);
        return;
      case 'spoilIndex':
        spoilIndex(this.index, deed.how);
        return;
      case 'nearExpiryEvent':
        this.#queues.send(KEY_WORK, { kind: 'rotate', key: KEY.id, cause: cause('event'), attempt: 0 });
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
        this.#queues.send(KEY_WORK, { kind: 'key', key: KEY.id, cause: cause('operator'), attempt: 0 });
        return;
      case 'driftCheck':
        void this.#driftCheck(this.#instances[this.#actors % this.#instances.length], false);
        return;
      case 'loseMessages':
        this.#queues.lose(deed.kind);
        return;
      case 'rotateOther':
        this.other.create();
        this.#queues.send(KEY_WORK, { kind: 'key', key: OTHER.id, cause: cause('event'), attempt: 0 });
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
      case 'forge': {
        const versions = { key: this.vault.versions, other: this.other.versions };
        const { account } = this.fleet.of(this.fleet.names[deed.forgery.by % this.fleet.names.length] ?? '');
        const { queue, message } = forgedMessage(deed.forgery, versions, account, new Date(this.#clock));
        this.#queues.send(queue, message as Work);
        return;
      }
      case 'put':
        this.#queues.send(deed.queue, deed.message as Work);
        return;
      case 'writeLeases':
        this.#leases.write(deed.state);
        return;
      case 'loseTrail':
        this.#audit.entries.splice(0);
        return;
      case 'revokeOther':
        this.#call('revoke', OTHER, this.other);
        return;
      case 'restoreOther':
        this.#call('restore', OTHER, this.other);
        return;
      case 'timePasses':
        this.#goTo(this.#clock + deed.seconds * 1000);
        return;
      default:
        this.#call(deed.do);
    }
  }

  #resume(): void {
    this.#isControlOut = false;
    this.#orders = withResume(this.#orders, undefined, [], new Date(this.#clock));
  }

  #control(skewMs: number): KnownOrders {
    const read = async (): Promise<StandingOrders> => {
      if (this.#isControlOut) throw new Error('no answer');
      return this.#orders;
    };
    return new KnownOrders({ read }, () => new Date(this.#clock + skewMs));
  }

  /** Whether the instance has known of a pause for longer than what it had begun before may take. */
  #knowsOfPause(instance: Instance): boolean {
    if (!instance.control.pauseNow(KEY.id)) instance.pausedSince = undefined;
    else instance.pausedSince ??= this.#clock;
    return instance.pausedSince !== undefined && this.#clock - instance.pausedSince > BEGUN_MS;
  }

  #call(what: 'revoke' | 'restore', key = KEY, vault = this.vault): void {
    const instance = this.#instances[0] as Instance;
    const actor = this.#actor(instance, what);
    const ports = this.#ports(instance, actor);
    const objectId = PEOPLE[what === 'revoke' ? 0 : 1] ?? '';
    const call = { caller: { objectId, appId: 'app' }, correlationId: 'call', why: 'a simulation', ticket: undefined };
    const open = openRevocation(vault.versions, new Date(this.#clock));
    if (what === 'restore') this.#restores += 1;
    if (key === KEY) this.#asked.push(what);
    const run =
      what === 'revoke'
        ? revoke(key, call, { ...ports, dependents: async () => undefined }, () => {})
        : restore(
            key,
            open?.id ?? 'none',
            call,
            {
              ...ports,
              requestKey: requestByMessage(ports.queue),
              dualControl: true,
              readiness: async () => ({ accounts: [], warnings: [] }),
            },
            () => {},
          );
    void run
      .then(
        (result) => {
          if (key !== KEY || !result) return;
          if ('end' in result) this.#ended = result.end === 'restored' ? 'restored' : undefined;
          else this.#ended = result.complete ? 'revoked' : undefined;
        },
        () => {},
      )
      .then(() => instance.actors.delete(actor));
  }

  #take(instance: Instance, message: Message): void {
    this.#queues.take(message);
    const entry = JSON.parse(message.text) as Work;
    const actor = this.#actor(instance, entry.kind);
    void this.#process(message.queue, entry, message.dequeued, instance, actor)
      .then(
        () => this.#queues.remove(message),
        () => this.#queues.failed(message),
      )
      .then(() => instance.actors.delete(actor));
  }

  /** As the function does it, with the first accounts of a key looked at in place. */
  async #process(queue: string, entry: Work, dequeueCount: number, instance: Instance, actor: Actor): Promise<void> {
    const ports = this.#ports(instance, actor);
    this.#works.set(actor, entry);
    const log = () => {};
    const accounts = new AtOnce(ports.heldMessages, 2);
    const atOnce = (account: AccountWork) =>
      accounts.begin(ACCOUNT_WORK, account, () => {
        const other = this.#actor(instance, 'account at once');
        return this.#process(ACCOUNT_WORK, account, 1, instance, other).finally(() => instance.actors.delete(other));
      });
    const run = async (work: Work): Promise<Outcome> => {
      if (work.kind === 'account') return reconcileAndNote(work, ports, log);
      if (work.kind === 'key') return lookAtKey(work, { ...ports, ...(this.#atOnce ? { atOnce } : {}) }, log);
      if (work.kind === 'rotate') return rotateWhenDue(work, ports, log);
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
      this.#queues.send(KEY_WORK, work);
      return;
    }
    const actor = this.#actor(instance, 'event');
    const look = new AtOnce(this.#ports(instance, actor).heldMessages, 1);
    void look
      .begin(KEY_WORK, work, () => this.#process(KEY_WORK, work, 1, instance, actor))
      // It is delivered again.
      .catch(() => this.#queues.send(KEY_WORK, work))
      .then(() => look.settled())
      .then(() => instance.actors.delete(actor));
  }

  /** @param atOnce its own calls are answered then and there: nothing can happen beside them */
  async #driftCheck(instance: Instance | undefined, atOnce: boolean): Promise<void> {
    if (!instance) return;
    const actor = this.#actor(instance, 'drift check');
    await checkDrift(this.#ports(instance, actor, atOnce)).catch((error: unknown) => {
      this.#late ??= `A drift check fails: ${error}`;
    });
    instance.actors.delete(actor);
  }

  /** Whether the drift check has sent somebody to an account that it is to leave. */
  #isLeftBy(actor: Actor, { name }: Account): boolean {
    const work = this.#works.get(actor);
    return work?.cause.by === 'drift' && this.#exempt.includes(name);
  }

  #kill(instance: Instance): void {
    this.#kills -= 1;
    for (const actor of instance.actors) {
      this.scheduler.kill([actor], true);
      this.#leases.outlive(actor);
    }
    instance.actors = new Set();
    instance.control = this.#control(instance.skewMs);
    instance.pausedSince = undefined;
    instance.memory = memory();
  }

  #cut(instance: Instance, seconds: number): void {
    this.#cuts -= 1;
    this.scheduler.harms += 1;
    for (const actor of instance.actors) {
      actor.cutAt = this.#clock;
      actor.cutUntil = this.#clock + seconds * 1000;
    }
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

  #ports(instance: Instance, actor: Actor, atOnce = false) {
    const to = atOnce ? AT_ONCE : new PortLimits(this.scheduler, actor, () => this.#clock);
    const isUrgent = BREAK_GLASS.test(actor.name);
    const own = to.ownStorage(OWN_STORAGE_MS);
    const now = () => new Date(this.#clock + instance.skewMs);
    const fleet = createFleetIndex(this.index.port(to.azure(LIMITS.ownTables, true)));
    const toVault = to.azure(isUrgent ? LIMITS.breakGlass : LIMITS.keyWork);
    const vault = keysOfBoth(keysOf(this.vault, toVault), OTHER.name, keysOf(this.other, toVault));
    const { lists, turns, schedule } = instance.memory;
    const keys = isUrgent ? vault : sharing(vault, lists);
    const settings = {
      vaults: VAULTS,
      cloud: PUBLIC,
      subscriptions: [SUBSCRIPTION],
      refreshAutomatic: true,
      scopeDiscovery: 'dependents',
      canary: this.#canary,
      drift: { autofix: DEFAULT_AUTOFIX, exemptions: this.#exempt.flatMap(exemptionsOf) },
    } as unknown as Settings;
    const queue = this.#queues.port(own);
    const { control } = instance;
    const rotationNotes = createRotationNotes(this.index.port(to.azure(LIMITS.ownTables, true)));
    const inSight = async () => [SUBSCRIPTION];
    const rollout = { settings, inSight, keys, fleet, rotationNotes, control, writeBudgets: [], queue, now };
    return {
      ...rollout,
      rollout: createRollout(rollout),
      probeCanaries: async () => {
        this.#probes += 1;
        return { failing: this.#probes === 1 ? ['st1'] : [], unseen: [] };
      },
      accounts: this.fleet.port(actor, to.azure(LIMITS.storageManagement), {
        isPaused: () => this.#knowsOfPause(instance),
        isLeft: (account) => this.#isLeftBy(actor, account),
      }),
      subscriptions: { list: async () => [SUBSCRIPTION], seen: async () => ({ ids: [SUBSCRIPTION], vanished: [] }) },
      fleetNotes: new FleetNotes({ fleet, now }),
      building: new IndexBuilding(),
      accountsOfKey: this.#graphBlind
        ? { using: async function* () {} }
        : this.fleet.newer(to.azure(LIMITS.resourceGraph)),
      heldMessages: this.#queues.heldPort(own),
      leases: this.#leases.port(actor, own),
      audit: this.#audit.port(own),
      keyTrail: ((key) => own('read the audit trail', () => this.#audit.eventsOf(key))) satisfies KeyTrail,
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
}

/** Of what is done by itself every call is answered then and there. */
const AT_ONCE = (() => {
  const way: Way = async (_, effect) => effect();
  return { azure: () => way, ownStorage: () => way };
})();

function exemptionsOf(name: string): Exemption[] {
  const codes = ['StaleKeyVersion', 'LaggingAutomaticVersion'] as const;
  return codes.map((code) => ({ resource: `*/${name}`, code, reason: 'a simulation', until: '2099-01-01' }));
}

/** The messages of one instance share their lists of versions, as the app's own client has it. */
function sharing(keys: Keys, lists: SharedReads<KeyVersion[]>): Keys {
  return { ...keys, listVersions: async (key) => [...(await lists.read(key.id, () => keys.listVersions(key)))] };
}

function cause(by: string): { by: string; ref: string; since: string } {
  return { by, ref: '', since: '' };
}
