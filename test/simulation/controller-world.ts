import { CallCapacity } from '../../src/azure/call-capacity.ts';
import { handleFleetWork, handleKeyWork, sendFor } from '../../src/controller/fleet-work.ts';
import { KeyStates } from '../../src/controller/key-states.ts';
import type { RekeyAct } from '../../src/controller/order-rekey.ts';
import { reconcileKey } from '../../src/controller/reconcile-key.ts';
import { sweepWork } from '../../src/controller/sweep.ts';
import type { FleetServices, FleetWork } from '../../src/controller/worker-ports.ts';
import { createFleetIndex, LISTINGS } from '../../src/index/fleet-index.ts';
import { formatAccountRow } from '../../src/index/fleet-keys.ts';
import { type Job, runJob } from '../../src/index/jobs.ts';
import { createUseRows, toUseRow } from '../../src/index/use-row.ts';
import { createKeyItem, SWEEP_MS, type WorkKind } from '../../src/index/work-items.ts';
import { compareAge, findNewestUsableVersion, type KeyVersion } from '../../src/keys/key-versions.ts';
import { createManagedKey, type ManagedKey } from '../../src/keys/managed-vaults.ts';
import { listOpenPauses, type Rekey, withPause, withResume } from '../../src/orders/standing-orders.ts';
import { formatRevocation, openRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import type { Cause } from '../../src/work/messages.ts';
import { DONE } from '../../src/work/outcome.ts';
import { KEY, REVOKER, VAULT, VAULTS } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import { MemoryWorkItems } from '../support/memory-work-items.ts';
import type { World } from './explore.ts';
import { type Forgery, forge, judgeForgedRecords, type RecordedMove } from './forgery.ts';
import { MemoryLeases } from './memory-leases.ts';
import { MemoryOrders } from './memory-orders.ts';
import { MemoryRollouts } from './memory-rollouts.ts';
import { type Change, MemoryStorage, rolloutOf, type UseSpec, vaultOf } from './memory-storage.ts';
import { keysOf, MemoryVault, type Way } from './memory-vault.ts';
import { Actor, type Fault, noAnswer, Scheduler, type Transition } from './scheduler.ts';
import { VirtualTimers } from './virtual-timers.ts';

/**
 * What people and Azure do, and what goes wrong at a certain moment. `during`: while such a call is under way; `after`: so
 * many seconds after the deed before it.
 */
export type ControllerDeed = Deed & { readonly during?: RegExp; readonly after?: number };

type Deed =
  /** `disableNewest`: a person disables the newest version by hand. `seconds`: so long nothing is answered then. */
  | {
      readonly do: 'newVersion' | 'disableNewest' | 'revoke' | 'restore';
      readonly key: string;
      readonly seconds?: number;
    }
  /**
   * A person pins an account to the version before, to the newest, or to one that the person makes first; deletes it, or
   * moves it to another resource group.
   */
  | { readonly do: 'pinBack' | 'pinNewest' | 'pinToNew' | 'deleteAccount' | 'regroup'; readonly account: string }
  | { readonly do: 'createAccount'; readonly spec: UseSpec }
  /** A person makes an encryption scope on the version before the newest of its account's key. */
  | { readonly do: 'createScope'; readonly account: string }
  /** No call about an account of the region is answered, until it is well again. */
  | { readonly do: 'hangRegion' | 'healRegion'; readonly region: string }
  /** The vault of a key answers nothing, until it is well again. */
  | { readonly do: 'hangVault' | 'healVault'; readonly key: string }
  /** Every key has a new version at the same moment, as those with one rotation policy do. */
  | { readonly do: 'newVersions' }
  | { readonly do: 'loseIndex' }
  /** All moves are paused, for so long or until they are resumed. */
  | { readonly do: 'pause'; readonly minutes?: number }
  | { readonly do: 'resume' }
  | { readonly do: 'rekey'; readonly from: string; readonly to: string; readonly maxFailures?: number }
  /** To the last re-key. */
  | { readonly do: `${RekeyAct}Rekey` }
  /** An operator moves an account to another key, on its newest version. */
  | { readonly do: 'moveTo'; readonly account: string; readonly key: string }
  /** The worker's instance is killed, and its calls in flight take effect. */
  | { readonly do: 'kill' }
  | { readonly do: 'loseMessages' }
  | { readonly do: 'pass'; readonly seconds: number }
  /** A writer of the work zone changes something in it: a {@link Forgery} as JSON. */
  | { readonly do: 'forge'; readonly forgery: string }
  /** The hourly check repairs its findings. */
  | { readonly do: 'driftCheck' }
  /** The next deed waits until all earlier work is done. */
  | { readonly do: 'wait' };

export interface ControllerScenario {
  readonly uses: readonly UseSpec[];
  readonly deeds: readonly ControllerDeed[];
  readonly instances: number;
  /** Accounts that go first. */
  readonly canaries: number;
  readonly faults: number;
  readonly kinds?: readonly Fault[];
  readonly aim?: RegExp;
  readonly kills: number;
  /** Messages that get lost. */
  readonly losses: number;
  /** Number of stalls: no call is answered, and the clock moves. */
  readonly stalls: number;
  /** Azure's clock against that of the app's storage. Milliseconds. */
  readonly stampSkewMs: number;
}

/** One instance, and nothing goes wrong. */
export const UNDISTURBED = { instances: 1, canaries: 0, faults: 0, kills: 0, losses: 0, stalls: 0, stampSkewMs: 0 };

const NOON = Date.UTC(2026, 5, 1, 12);
const STEP_MS = 40;
/** With more keys the calls of one pass go beside each other, and a step takes a tenth of the time. */
const MANY_KEYS = 10;
const PATCH_MS = 60_000;
const CALL_MS = 20_000;
const PASS_MS = 240_000;
/** Work of an event: no call is begun later, and no PATCH is waited for longer. */
const EVENT_MS = 14_000;
const EVENT_PATCH_MS = 18_000;
/** Invariant 2: what faults left is right again within. */
const RIGHT_AGAIN_MS = 300_000;
/** A history that takes more never ends. */
const STEPS = 12_000;
const STEPS_A_USE = 100;
const MOST_MS = 3 * 3_600_000;
/** A pause is felt within 10 s, and what is being read then is at most moved. */
const PAUSE_FELT_MS = 10_000 + CALL_MS;
/** A list is five seconds old at most, and is begun a step before. */
const LIST_MS = 5_000 + STEP_MS;
/** What is moved beside a region that hangs is moved within. */
const HELD_UP_MS = 30_000;
/** The host shows the message of a dead worker again after so long. */
const HELD_MS = 600_000;

/** No use is left to an operator. */
const ALL_FIXED = {
  autofix: ['StaleKeyVersion', 'ScopeStaleKeyVersion', 'LaggingAutomaticVersion'],
  exemptions: [],
};

interface Message {
  /** Of a key, or of subscriptions. */
  readonly key?: ManagedKey;
  readonly work: FleetWork;
  visibleAt: number;
}

class Instance {
  readonly number: number;
  readonly actors = new Set<Actor>();
  capacity = new CallCapacity();
  /** What it knows of versions, orders and rollouts; lost when it is killed. */
  states: KeyStates | undefined;
  /** By the instance, whatever their actor. */
  caller: Actor | undefined;

  constructor(number: number) {
    this.number = number;
  }
}

/** The controller over a few keys and accounts: instances, queue, sweep, people and trouble. */
export class ControllerWorld implements World {
  readonly scheduler: Scheduler;
  readonly timers = new VirtualTimers(() => this.#clock);
  readonly storage: MemoryStorage;
  readonly index = new MemoryFleetTable();
  readonly items = new MemoryWorkItems();
  readonly rollouts = new MemoryRollouts();
  readonly recorded: RecordedMove[] = [];
  readonly orders = new MemoryOrders(
    () => new Date(this.#clock),
    (rekey) => this.#judgeDone(rekey),
  );
  /** People make accounts go past their wave. */
  #isDisturbed = false;
  #isIndexLost = false;
  /** What is stored in the work zone was forged, and no drift check came since. */
  #isForged = false;
  #wasForged = false;
  /** A region in which nothing is answered. */
  #hanging: string | undefined;
  /** Keys whose vaults answer nothing. */
  readonly #unanswered = new Set<string>();
  #deedAt = NOON;
  /** No message was lost, and no call took long. */
  #hasAnswered = true;
  #broken: string | undefined;
  #pausedSince = Number.POSITIVE_INFINITY;
  readonly #canaries: number;
  readonly #stepMs: number;
  readonly mostSteps: number;
  readonly #vaults = new Map<string, MemoryVault>();
  /** By key: since when which version is the one to move to. */
  readonly #targets = new Map<string, { readonly at: number; readonly version: string | undefined }[]>();
  readonly #leases = new MemoryLeases(() => this.#clock);
  readonly #instances: Instance[];
  readonly #deeds: ControllerDeed[];
  #subscriptions: readonly string[];
  #messages: Message[] = [];
  #clock = NOON;
  #sweepAt = NOON + SWEEP_MS;
  #kills: number;
  #losses: number;
  #stalls: number;
  #actors = 0;
  /** When something last happened that has to be made up for. */
  #troubleAt = NOON;
  #trouble = '';
  #isJudged = true;

  constructor(scenario: ControllerScenario) {
    this.#deeds = [...scenario.deeds];
    this.mostSteps =
      STEPS + STEPS_A_USE * scenario.uses.reduce((sum, { scopeKeys = [] }) => sum + 1 + scopeKeys.length, 0);
    this.#kills = scenario.kills;
    this.#canaries = scenario.canaries;
    this.#losses = scenario.losses;
    this.#stalls = scenario.stalls;

    const { faults, kinds = ['fails', 'answerLost', 'late', 'hangs'], aim = /./ } = scenario;

    this.scheduler = new Scheduler({ faults, kinds, aim, now: () => this.#clock });
    this.#instances = Array.from({ length: scenario.instances }, (_, number) => new Instance(number));

    const used = scenario.uses.flatMap(({ key, scopeKeys = [] }) => [key, ...scopeKeys]);
    const keys = [...new Set([FIRST_KEY, SECOND_KEY, ...used])];

    this.#stepMs = keys.length > MANY_KEYS ? STEP_MS / 10 : STEP_MS;

    // Messages of many keys at once wait for each other.
    if (keys.length > MANY_KEYS) this.#hasAnswered = false;

    for (const [n, key] of keys.entries()) {
      this.#vaults.set(key, new MemoryVault(1, () => new Date(this.#clock), undefined, 1 + n * 500));
      this.#noteTarget(key);
    }

    this.storage = new MemoryStorage(
      scenario.uses,
      {
        wraps: (key, version) => {
          const all = this.#versions(key);
          return (version === '' ? all.at(-1) : all.find((one) => one.version === version && one.enabled))?.version;
        },
        mayTarget: (key, version) => version === '' || this.#recentTargets(key).includes(version),
        isLongRevoked: (key) => this.#revokedSince(key) < this.#clock - LIST_MS,
        isLongPaused: () => this.#isPaused() && this.#pausedSince < this.#clock - PAUSE_FELT_MS,
        isHeld: (name, from, key, version) => this.#isHeld(name, from, key, version),
        isRekeyed: (from, to, name) =>
          this.orders.mayRekey(keyId(from), keyId(to), PAUSE_FELT_MS, (order) =>
            this.#movesOf(order, name).includes(true),
          ),
        isOlder: (key, a, b) => this.#age(key, a) < this.#age(key, b),
        stampOn: () => new Date(this.#clock + scenario.stampSkewMs),
      },
      () => this.#clock,
    );

    this.#subscriptions = [...new Set(scenario.uses.map(({ subscription }) => subscription))];
    for (const subscription of this.#subscriptions) this.#want(subscription, 'list', '');
  }

  tick(): void {
    this.#clock += this.#stepMs;
    this.#passTime();
    const trouble = `${this.scheduler.harms} ${this.scheduler.landings}`;
    if (trouble !== this.#trouble) this.#happens();
    this.#trouble = trouble;
  }

  transitions(): readonly Transition[] {
    const all: Transition[] = [];
    const alive = this.#instances.filter(({ actors }) => actors.size < 6);

    for (const message of this.#messages.filter(({ visibleAt }) => visibleAt <= this.#clock)) {
      for (const instance of alive) {
        const { key, work } = message;
        const about = key?.name ?? work.subscriptions.map((id) => id.slice(-2));
        const label = `instance ${instance.number} takes ${work.cause.by} ${about}`;
        all.push({ label, run: () => this.#take(message, instance) });
      }

      if (this.#losses > 0) all.push({ label: 'a message is lost', rare: 'harm', run: () => this.#lose(message) });
    }

    const [deed] = this.#deeds;
    const isDuring = deed?.during !== undefined && this.scheduler.isUnderWay(deed.during);

    // A moment that does not come is not waited for.
    const isTime = deed !== undefined && this.#clock >= this.#deedAt + 1000 * (deed.after ?? 0);
    const isReady = isDuring || (deed?.during || deed?.do === 'wait' ? this.#isQuiet() : isTime);
    if (deed && isReady) all.push({ label: Object.values(deed).join(' '), run: () => this.#do(deed) });

    for (const instance of this.#instances.filter(({ actors }) => actors.size > 0 && this.#kills > 0)) {
      for (const lands of [true, false]) {
        const label = `instance ${instance.number} is killed${lands ? ', and its writes land' : ''}`;
        const run = () => {
          this.#kills -= 1;
          this.#kill(instance, lands);
        };
        all.push({ label, rare: 'harm', run });
      }
    }

    if (this.#stalls > 0 && this.scheduler.busy) {
      for (const seconds of [6, 25, 55]) {
        const run = () => {
          this.#stalls -= 1;
          this.#stall(seconds * 1000);
        };
        all.push({ label: `${seconds} s pass`, rare: 'harm', run });
      }
    }

    if (!this.#isOver()) all.push({ label: 'time passes', isSlow: true, run: () => this.#jump() });

    return all;
  }

  check(): void {
    const broken = this.storage.broken ?? this.#broken;
    if (broken) throw new Error(broken);
    if (this.#clock > this.#troubleAt + MOST_MS) throw new Error(`Work is left: ${JSON.stringify(this.items.all)}`);

    // A region that hangs holds up no other: longer than its PATCHes and a stage take, nothing waits.
    const hangs = this.#hanging !== undefined || this.#unanswered.size > 0;
    if (hangs && this.#clock > this.#deedAt + HELD_UP_MS) this.#judgeUses('beside a region or a vault that hangs');

    // A lease that is forged delays its subscription by an hour at most.
    const rightAgainMs = RIGHT_AGAIN_MS + (this.#wasForged ? 3_600_000 : 0);
    if (this.#isJudged || hangs || this.#clock < this.#troubleAt + rightAgainMs) return;

    // A forged row may hide a use until the next drift check.
    if (this.#isForged) return;

    this.#isJudged = true;
    this.#judgeUses('five minutes after the last trouble');
  }

  async atRest(): Promise<void> {
    this.#judgeUses('at rest');
    if (this.#wasForged) return judgeForgedRecords(this.recorded, this.storage, this.orders, this.scheduler.harms);
    if (!this.items.isEmpty) throw new Error(`Items are left: ${JSON.stringify(this.items.all)}`);
    this.#judgeRecords();
    this.#judgeAttribution();
    // A row that was written late is an old one; the drift check finds it.
    if (this.scheduler.landings === 0) await this.#judgeIndex();
  }

  #judgeUses(when: string): void {
    if (this.#isJournalLost()) return;

    for (const [name, { spec, key, current }] of this.storage.uses) {
      // Scopes are listed once a day: one whose row was taken out is hidden until then.
      if (this.#wasForged && name.includes('/') && !this.#hasRow(name)) continue;

      const isHeldUp = this.#isPaused() || spec.region === this.#hanging || this.#unanswered.has(key);
      const target = isHeldUp ? undefined : this.#target(key);
      const rekey = isHeldUp ? undefined : this.#openRekey(keyId(key));
      if (rekey && this.orders.covers(rekey, this.#use(name))) {
        throw new Error(`${when} ${name} is on ${key}, which ${rekey.id} moves it off`);
      }

      // A use on a newer version that is disabled stays there.
      if (target && this.#age(key, current) < this.#age(key, target)) {
        throw new Error(`${when} ${name} is on ${short(current)}, not on ${short(target)}`);
      }
    }
  }

  #hasRow(scope: string): boolean {
    const use = this.#use(scope);
    return this.index.all.some((row) => toUseRow(row)?.account === use.account && toUseRow(row)?.scope === use.scope);
  }

  /** What an order covers has left its source key; a roll back has to cover what the app was the last to move. */
  #judgeDone({ id, from, only }: Rekey): void {
    for (const [name, { key }] of this.storage.uses) {
      if (keyId(key) === from && (only === undefined || this.#movesOf(only, name).at(-1))) {
        this.#broken ??= `${id} is done, and ${name} is on ${key}`;
      }
    }
  }

  /** Since an order began: for each change of key of a use, whether the app sent a PATCH for it, from the one key of the order to the other. */
  #movesOf(order: string, name: string): readonly boolean[] {
    const { from, to, startedOn = '' } = this.orders.orders.rekeys.find(({ id }) => id === order) ?? {};
    const { changes = [] } = this.storage.uses.find(([other]) => other === name)?.[1] ?? {};
    return changes
      .filter((change) => change.from !== change.key && change.atMs >= Date.parse(startedOn))
      .map((change) => change.isAsked && keyId(change.from) === from && keyId(change.key) === to);
  }

  /** What the index had of a PATCH that may still land is lost with it; the drift check finds it within the hour. */
  #isJournalLost(): boolean {
    return this.#isIndexLost && this.scheduler.landings > 0;
  }

  /** Each move of the app has one id, and each id is a change that there was. That of a move to another key names the order. */
  #judgeRecords(): void {
    const ids = new Map<string, Set<string>>();

    for (const { use, to, id, rekey } of this.recorded) {
      const name = `${use} to ${to}`;
      const changes = this.storage.changes.filter(
        (change) => name === `${change.name} to ${change.key}/${change.version}`,
      );
      const isRekeyed = changes.length > 0 && changes.every(({ byApp, from, key }) => byApp && from !== key);
      if (isRekeyed && !rekey) throw new Error(`the record of ${name} lacks its order`);

      ids.set(name, (ids.get(name) ?? new Set()).add(id));
    }

    const changes = new Map<string, { all: number; owed: number }>();
    const last = new Map(this.storage.changes.map((change) => [change.name, change]));

    for (const change of this.storage.changes) {
      const name = `${change.name} to ${change.key}/${change.version}`;
      const count = changes.get(name) ?? { all: 0, owed: 0 };

      changes.set(name, count);
      count.all += 1;

      const isSeen = [...change.seenBy].some((actor) => !actor.dead);
      const isOwed = last.get(change.name) === change || (isSeen && this.scheduler.harms <= 1);
      if (change.byApp && isOwed) count.owed += 1;
    }

    for (const [name, { all, owed }] of changes) {
      const found = ids.get(name)?.size ?? 0;
      if (found < owed && !this.#isJournalLost()) {
        throw new Error(`${owed} moves of ${name} have ${found} ids in the trail`);
      }
      if (found > all) throw new Error(`${all} moves of ${name} have ${found} ids in the trail`);

      ids.delete(name);
    }

    for (const name of ids.keys()) throw new Error(`${name} is recorded, and never was`);
  }

  /** The app's own moves are those that it sent a PATCH for; what it only observed may be one of a worker that died. */
  #judgeAttribution(): void {
    for (const { use, to, isOnlyObserved } of this.recorded) {
      if (isOnlyObserved && this.scheduler.unharmed) {
        throw new Error(`${use} to ${to} is recorded as a dead worker's, and none died`);
      }

      const named = this.recorded.filter(
        (one) => one.use === use && one.to === to && !one.isOnlyObserved && !one.isPickedUp,
      );
      const moves = new Set(named.map(({ id }) => id)).size;
      const [key = '', version = ''] = to.split('/');
      const sent = this.storage.sentTo(use, key, version);
      if (moves > sent) throw new Error(`${moves} moves of ${use} to ${to} are the app's, and it sent ${sent} PATCHes`);
    }
  }

  /** The index may have the former resource group of an account: nothing tells of a move until the use is read or listed. */
  async #judgeIndex(): Promise<void> {
    const rows = this.index.all.flatMap((row) => toUseRow(row) ?? []);

    for (const [name, { spec, key, current }] of this.storage.all) {
      const id = formatAccountRow(this.storage.id(name));
      const of = rows.filter((row) => formatAccountRow(row.account) === id && row.scope === name.split('/')[1]);
      const [row] = of;

      if (
        of.length !== 1 ||
        row?.current !== current ||
        row.key.toLowerCase() !== `${vaultOf(spec)}/keys/${key}` ||
        row.wave !== spec.wave ||
        row.movedFrom !== undefined
      ) {
        throw new Error(`the index has ${JSON.stringify(of)} of ${name}, which is on ${key} ${short(current)}`);
      }
    }

    const fleet = createFleetIndex(this.index.port());
    const listings = this.#subscriptions.map((subscription) => Array.fromAsync(fleet.accounts(subscription)));
    const accounts = (await Promise.all(listings)).flat();
    const names = this.storage.all.flatMap(([name]) =>
      name.includes('/') ? [] : [formatAccountRow(this.storage.id(name))],
    );

    for (const { account, scopesReadOn, scopeKeys } of accounts) {
      const id = formatAccountRow(account);
      const scopes = this.storage.all.filter(
        ([name]) => name.includes('/') && formatAccountRow(this.storage.id(name)) === id,
      );
      const keys = new Set(scopes.map(([, { key }]) => key));

      if (!names.includes(id)) throw new Error(`the index has ${account}, which is gone`);
      if (scopesReadOn === undefined || scopeKeys.length !== keys.size) {
        throw new Error(`the index has ${scopeKeys.length} keys of scopes of ${account}`);
      }
    }

    if (accounts.length !== names.length) {
      throw new Error(`the index has ${accounts.length} of ${names.length} accounts`);
    }

    const gone = rows.find(({ account }) => !names.includes(formatAccountRow(account)));
    if (gone) throw new Error(`the index has a use of ${gone.account}, which is gone`);

    const listed = this.index.rows(LISTINGS).map(({ rowKey }) => rowKey);
    const missed = this.#subscriptions.filter((id) => !listed.includes(id));
    if (missed.length > 0) throw new Error(`${missed} are not listed`);
  }

  #want(subscription: string, kind: WorkKind, about: string, by = 'operator', delayMs = 0): void {
    const now = new Date(this.#clock);
    const cause = { by, ref: '', since: now.toISOString() };
    this.items.put({ subscription, kind, about, since: now, cause, due: new Date(this.#clock + delayMs) });
    this.#send({ subscriptions: [subscription], tries: 0, cause }, new Date(this.#clock + delayMs));
  }

  #changedKey(name: string): void {
    this.#noteTarget(name);
    this.#wantKey(name);
  }

  #wantKey(name: string): void {
    const key = createManagedKey(VAULT, name);
    const now = new Date(this.#clock);
    const cause = { by: 'event', ref: '', since: now.toISOString() };
    this.items.put(createKeyItem(key.id, cause, now));
    this.#sendKey(key, cause);
  }

  #sendKey(key: ManagedKey, cause: Cause, visibleOn?: Date): void {
    this.#messages.push({ key, work: { subscriptions: [], tries: 0, cause }, visibleAt: this.#at(visibleOn) });
  }

  #at(visibleOn: Date | undefined): number {
    return visibleOn?.getTime() ?? this.#clock;
  }

  #send(work: FleetWork, visibleOn?: Date): void {
    this.#messages.push({ work, visibleAt: this.#at(visibleOn) });
  }

  #lose(message: Message): void {
    this.#losses -= 1;
    this.#hasAnswered = false;
    this.#messages = this.#messages.filter((other) => other !== message);
    this.#happens();
  }

  #do(deed: ControllerDeed): void {
    this.#deeds.shift();
    this.#deedAt = this.#clock;

    if (!/newVersion|wait|loseIndex|Region|Vault/.test(deed.do)) this.#isDisturbed = true;

    this.#happens();

    switch (deed.do) {
      case 'newVersion':
        this.#vaults.get(deed.key)?.create();
        this.#changedKey(deed.key);
        return;
      case 'disableNewest':
        this.#vaults.get(deed.key)?.set(this.#versions(deed.key).at(-1)?.version ?? '', false);
        this.#changedKey(deed.key);
        return;
      case 'revoke':
      case 'restore':
        for (const { version, enabled } of this.#versions(deed.key)) {
          const tag = formatRevocation({ ...REVOKER, revokedOn: new Date(this.#clock), version, wasEnabled: enabled });
          const tags: Record<string, string> = deed.do === 'revoke' ? { [REVOCATION_TAG]: tag } : {};
          this.#vaults.get(deed.key)?.update(version, { enabled: deed.do === 'restore', tags });
        }

        this.#changedKey(deed.key);

        if (deed.seconds) this.#stall(deed.seconds * 1000);
        return;
      case 'pinBack':
      case 'pinNewest':
      case 'pinToNew': {
        const use = this.storage.uses.find(([name]) => name === deed.account)?.[1];
        if (!use) return;
        if (deed.do === 'pinToNew') this.#vaults.get(use.key)?.create();

        const usable = this.#versions(use.key).filter(({ enabled }) => enabled);
        const version = usable.at(deed.do === 'pinBack' ? -2 : -1) ?? usable.at(-1);
        if (version) this.storage.set(deed.account, use.key, version.version);
        if (deed.do === 'pinToNew') this.#changedKey(use.key);

        this.#want(use.spec.subscription, 'account', this.storage.id(deed.account), 'drift', 5_000);

        return;
      }
      case 'deleteAccount': {
        const use = this.storage.all.find(([name]) => name === deed.account)?.[1];

        this.storage.delete(deed.account);
        this.#want(use?.spec.subscription ?? '', 'list', '', 'drift');

        return;
      }
      // No event tells of it.
      case 'regroup':
        this.storage.regroup(deed.account);
        return;
      case 'createAccount': {
        const subscription =
          this.#subscriptions.find((id) => id === deed.spec.subscription) ?? this.#subscriptions[0] ?? '';
        const account = this.storage.create({ ...deed.spec, subscription });
        this.#want(subscription, 'account', this.storage.id(account), 'drift', 5_000);

        return;
      }
      case 'createScope': {
        const use = this.storage.uses.find(([name]) => name === deed.account)?.[1];
        const usable = this.#versions(use?.key ?? '').filter(({ enabled }) => enabled);
        const version = usable.at(-2) ?? usable.at(-1);
        if (!use || !version) return;

        this.storage.createScope(deed.account, use.key, version.version);
        this.#want(use.spec.subscription, 'scopes', this.storage.id(deed.account), 'drift', 5_000);

        return;
      }
      case 'hangRegion':
        this.#hasAnswered = false;
        this.#hanging = deed.region;
        return;
      case 'healRegion':
        this.#hanging = undefined;
        return;
      case 'hangVault':
        this.#hasAnswered = false;
        this.#unanswered.add(deed.key);
        return;
      case 'healVault':
        this.#unanswered.delete(deed.key);
        return;
      case 'newVersions':
        for (const [key, vault] of this.#vaults) {
          vault.create();
          this.#changedKey(key);
        }

        return;
      case 'loseIndex': {
        this.#isIndexLost = true;
        this.index.clear();
        for (const subscription of this.#subscriptions) this.#want(subscription, 'list', '');

        return;
      }
      case 'pause': {
        const until = deed.minutes && new Date(this.#clock + deed.minutes * 60_000).toISOString();
        const by = { id: 'pause', reason: 'test', by: { objectId: 'operator' } };
        const pause = { ...by, since: new Date(this.#clock).toISOString(), ...(until ? { until } : {}) };
        this.orders.orders = withPause(this.orders.orders, pause, new Date(this.#clock));
        this.#pausedSince = this.#clock;

        return;
      }
      case 'kill':
        for (const instance of this.#instances.filter(({ actors }) => actors.size > 0)) this.#kill(instance, true);
        return;
      case 'loseMessages':
        this.#hasAnswered = false;
        this.#messages = this.#messages.filter(({ visibleAt }) => visibleAt > this.#clock);
        return;
      case 'pass':
        this.#stall(deed.seconds * 1000);
        return;
      case 'resume':
        this.orders.orders = withResume(this.orders.orders, undefined, [], new Date(this.#clock));
        for (const key of this.#vaults.keys()) this.#wantKey(key);
        return;
      case 'rekey':
        this.orders.start(keyId(deed.from), keyId(deed.to), deed.maxFailures ?? 3);
        this.#wantKey(deed.from);
        this.#wantKey(deed.to);

        return;
      case 'pauseRekey':
      case 'resumeRekey':
      case 'rollBackRekey':
      case 'endRekey': {
        const act = deed.do.slice(0, -'Rekey'.length) as RekeyAct;
        for (const id of this.orders.act(act)) this.#wantKey(id.split('/').at(-1) ?? '');
        return;
      }
      case 'moveTo': {
        const newest = this.#versions(deed.key).at(-1)?.version;
        const { spec } = this.storage.uses.find(([name]) => name === deed.account)?.[1] ?? {};
        if (!newest || !spec || !this.#target(deed.key)) return;

        this.storage.set(deed.account, deed.key, newest);
        this.#want(spec.subscription, 'account', this.storage.id(deed.account), 'operator');

        return;
      }
      case 'wait':
        return;
      case 'forge':
        this.#isForged = true;
        this.#wasForged = true;
        this.#hasAnswered = false;

        forge(JSON.parse(deed.forgery) as Forgery, {
          index: this.index,
          items: this.items,
          leases: this.#leases,
          putKey: (key, cause) => this.#sendKey(key, cause),
          putFleet: (work) => this.#send(work),
        });

        return;
      case 'driftCheck':
        this.#isForged = this.#wasForged && this.#deeds.some((later) => later.do === 'driftCheck');
        this.#checkDrift();
        return;
    }
  }

  /** At once, as nothing but its work items is stored. */
  async #checkDrift(): Promise<void> {
    const now = new Date(this.#clock);
    const behind = this.storage.uses.filter(([, { key, current }]) => this.#target(key) !== current);
    const moves = behind.map(([name, { spec, key }]) => ({
      ...({ subscription: spec.subscription, kind: 'key', about: keyId(key), fresh: name.includes('/') } as const),
    }));

    // Of two items of one row the first is put.
    moves.sort((a, b) => Number(b.fresh) - Number(a.fresh));

    const lists = this.#subscriptions.map((subscription) => ({ subscription, kind: 'list', about: '' }) as const);
    const cause = { by: 'drift', ref: '', since: now.toISOString() };
    const wanted = [...lists, ...moves];

    await this.items.port().putNew(wanted.map((item) => ({ ...item, due: now, since: now, cause })));
    for (const { subscription } of wanted) this.#send({ subscriptions: [subscription], tries: 0, cause });
    for (const { about } of moves) this.#wantKey(about.split('/').at(-1) ?? '');
  }

  #take(message: Message, instance: Instance): void {
    message.visibleAt = this.#clock + HELD_MS;

    const end = () => {
      this.#messages = this.#messages.filter((other) => other !== message);
    };
    const { key, work } = message;
    const isEvent = work.cause.by === 'event';
    const until = new Date(this.#clock + (isEvent ? EVENT_MS : PASS_MS));
    const writesUntil = new Date(this.#clock + EVENT_PATCH_MS);
    const name = `${key ? 'key' : 'worker'}${this.#actors}`;

    this.#run(name, instance, (actor) => {
      const ports = { ...this.#ports(actor, instance), ...(isEvent ? { writesUntil } : {}) };
      const done = key
        ? handleKeyWork(key.id, () => this.#reconcileKey(key, work.cause, ports), ports)
        : handleFleetWork(work, until, ports);
      return done.then(end);
    });
  }

  async #reconcileKey(key: ManagedKey, cause: Cause, ports: FleetServices): Promise<void> {
    await sendFor(await reconcileKey(key, cause, ports), cause, ports);
  }

  #sweep(): void {
    this.#sweepAt = this.#clock + SWEEP_MS;
    const [instance] = this.#instances;
    if (!instance) return;
    this.#run(`sweep${this.#actors}`, instance, async (actor) => {
      const ports = this.#ports(actor, instance);
      const never = async () => {};
      // Jobs are forged here: those of the app have a world of their own (`test/rotation/rotation-histories.ts`).
      const sendJob = (job: Job) =>
        runJob(job, async () => DONE, { ...ports, queue: { send: never }, poison: never, log: never });
      const overdue = await sweepWork({ ...ports, sendJob }).catch(() => 0);
      if (overdue > 0 && this.#hasAnswered && this.scheduler.unharmed) {
        this.#broken = `the sweep finds what nothing lost: ${overdue}`;
      }
    });
  }

  #run(name: string, instance: Instance, work: (actor: Actor) => Promise<void>): void {
    const actor = new Actor(name);
    this.#actors += 1;
    instance.actors.add(actor);
    work(actor).finally(() => {
      actor.done = true;
      instance.actors.delete(actor);
    });
  }

  #kill(instance: Instance, lands: boolean): void {
    const actors = [...instance.actors, ...(instance.caller ? [instance.caller] : [])];
    this.scheduler.kill(actors, lands);
    for (const actor of actors) this.#leases.outlive(actor);
    Object.assign(instance, { ...new Instance(instance.number), actors: instance.actors });
    instance.actors.clear();
  }

  #stall(ms: number): void {
    this.#hasAnswered = false;
    this.#happens();
    const until = this.#clock + ms;
    // Deadlines and leases expire meanwhile.
    while (this.#clock < until) {
      this.#clock = Math.min(until, Math.max(this.#clock + STEP_MS, this.timers.next()));
      this.#passTime();
    }
  }

  #ports(actor: Actor, instance: Instance): FleetServices {
    const way: Way = (label, effect, writes = false, signal?: AbortSignal) => {
      const deadline = new AbortController();
      const timer = setTimeout(() => deadline.abort(), label.startsWith('patch') ? PATCH_MS : CALL_MS);
      signal?.addEventListener('abort', () => deadline.abort(), { once: true });
      if (signal?.aborted) return Promise.reject(noAnswer());
      return this.scheduler.call(actor, label, effect, writes, deadline.signal).finally(() => clearTimeout(timer));
    };

    const now = () => new Date(this.#clock);
    const ports: FleetServices = {
      items: this.items.port(way),
      rows: createUseRows(this.index.port(way)),
      fleet: createFleetIndex(this.index.port(way)),
      leases: this.#leases.port(actor, way),
      accounts: this.storage.port(actor, (label, effect, writes, signal) =>
        this.#isHanging(label)
          ? noAnswerWithin(label.startsWith('patch') ? PATCH_MS : CALL_MS, signal)
          : way(label, effect, writes, signal),
      ),
      keys: this.#keys(way),
      vaults: VAULTS,
      rollouts: this.rollouts.port(way),
      orders: this.orders.port(way),
      moved: this.orders.moved(way),
      inSight: async () => this.#subscriptions,
      states: this.#statesOf(instance),
      canaries: this.#canaries,
      probe: (canaries) => way(`probe ${canaries.length}`, () => 'proven' as const),
      reconcileKey: (key) => {
        const cause = { by: 'progress', ref: '', since: now().toISOString() };
        return handleKeyWork(key.id, () => this.#reconcileKey(key, cause, ports), ports);
      },
      sendKey: (id, cause, visibleOn) => {
        const key = VAULTS.key(id);
        return way('send key', () => key && this.#sendKey(key, cause, visibleOn), true);
      },
      capacity: instance.capacity,
      audit: async ({ id = '', action, reason, resource, details = {} }) => {
        const account = resource.split('/').at(-1);
        const write = () => {
          if (!action.startsWith('account.')) return;

          const { scope, to, provenBy, rekey } = details as {
            scope?: string;
            to: string;
            provenBy?: string;
            rekey?: string;
          };

          const [key, version] = to.split('/').slice(4);
          const use = `${account}${scope ? `/${scope}` : ''}`;
          this.recorded.push({
            id,
            use,
            to: `${key?.toLowerCase()}/${version}`,
            isFound: provenBy !== undefined,
            isOnlyObserved: reason === 'MoveObserved',
            isPickedUp: reason === 'PickUpObserved',
            rekey,
          });
        };

        const written = { file: '', seq: 0, hash: '' };

        return way(`${action === 'key.rotation' ? 'say' : 'audit'} ${account}`, write, true).then(
          () => ({ written }),
          () => ({ failed: 'the trail is away' }),
        );
      },
      exclusions: ALL_FIXED,
      now,
      sleep: (ms) =>
        new Promise((resolve) => {
          setTimeout(() => {
            if (!actor.dead) resolve();
          }, ms);
        }),
      log: () => {},
      send: (work, visibleOn) => way('send', () => this.#send(work, visibleOn), true),
    };

    return ports;
  }

  #isHanging(label: string): boolean {
    const name = /\bst\d+/.exec(label)?.[0];
    return this.storage.all.some(([other, { spec }]) => other === name && spec.region === this.#hanging);
  }

  #keys(way: Way): FleetServices['keys'] {
    return {
      listVersions: async (key) => {
        const vault = this.#vaults.get(key.name);
        const keyWay: Way = (label, effect, writes) =>
          this.#unanswered.has(key.name)
            ? noAnswerWithin(CALL_MS, undefined)
            : way(`${label} of ${key.name}`, effect, writes);
        const listed = vault ? await keysOf(vault, keyWay).listVersions(key) : [];
        return listed.map((version): KeyVersion => ({ ...version, id: `${key.id}/${version.version}` }));
      },
    };
  }

  /** What several functions of an instance share calls as an actor of its own. */
  #wayOf(instance: Instance): Way {
    instance.caller ??= new Actor(`shared${instance.number}`);
    const { caller } = instance;
    return (label, effect) => {
      const deadline = new AbortController();
      const timer = setTimeout(() => deadline.abort(), CALL_MS);
      return this.scheduler.call(caller, label, effect, false, deadline.signal).finally(() => clearTimeout(timer));
    };
  }

  #statesOf(instance: Instance): KeyStates {
    const way = this.#wayOf(instance);
    instance.states ??= new KeyStates({
      keys: this.#keys(way),
      orders: { read: () => way('gate orders', () => this.orders.orders) },
      moved: this.orders.moved((label, effect) => way(`gate ${label}`, effect)),
      vaults: VAULTS,
      rollouts: this.rollouts.port(way),
      now: () => new Date(this.#clock),
    });
    return instance.states;
  }

  /** Ends what time alone ends. */
  #passTime(): void {
    this.scheduler.passDeadlines();
    this.timers.pass();
    if (this.#clock >= this.#sweepAt && !this.#isOver()) this.#sweep();
  }

  /** Nothing else can happen now. */
  #jump(): void {
    const visible = this.#messages.map(({ visibleAt }) => visibleAt);
    const deedAt = this.#deedAt + 1000 * (this.#deeds[0]?.after ?? 0);
    const next = [this.timers.next(), this.scheduler.nextDeadline(), this.#sweepAt, deedAt, ...visible];
    this.#clock = Math.max(this.#clock, Math.min(...next.filter((at) => at > this.#clock)));
    this.#passTime();
  }

  #isQuiet(): boolean {
    const isIdle = this.#instances.every(({ actors }) => actors.size === 0);
    const isStill = this.#messages.every(({ visibleAt }) => visibleAt > this.#clock + SWEEP_MS);
    const isDone = this.#isPaused() || (isStill && this.items.isEmpty && !this.#openRekey());
    return isIdle && isDone && this.scheduler.nextDeadline() === Number.POSITIVE_INFINITY;
  }

  #isOver(): boolean {
    return this.#deeds.length === 0 && this.#isQuiet() && this.#isJudged;
  }

  /** Whether those that go first are not on that version yet. */
  #isHeld(name: string, from: string, key: string, version: string): boolean {
    const rollout = rolloutOf(from, key, version);
    const accounts = this.storage.uses.filter(([other, use]) => use.key === from && !other.includes('/'));
    const isOfRollout = (change: Change) => rolloutOf(change.from, change.key, change.version) === rollout;
    const reached = new Set(this.storage.changes.filter(isOfRollout).map((change) => change.name));
    const asked = this.storage.asked.get(rollout) ?? new Set();
    const firsts = new Set([...asked, name].map((one) => one.split('/')[0]));
    if (this.#canaries > 0 && reached.size === 0 && firsts.size > this.#canaries) return true;

    const waveOf = (spec: UseSpec) => Number(spec.wave ?? 1_001);
    const own = this.storage.uses.find(([other]) => other === name)?.[1].spec;

    // A wave continues with one failure, and does not wait for uses that people set back.
    const before = accounts.filter(([other, { spec }]) => own && waveOf(spec) < waveOf(own) && !reached.has(other));
    const mayFail = this.scheduler.unharmed ? 0 : 1;

    return firsts.size > this.#canaries && before.length > mayFail && !this.#isDisturbed;
  }

  /** Something happens that has to be made up for. */
  #happens(): void {
    this.#troubleAt = this.#clock;
    this.#isJudged = false;
  }

  #versions(key: string): readonly KeyVersion[] {
    return this.#vaults.get(key)?.versions ?? [];
  }

  /** An order that neither key of blocks. */
  #openRekey(from?: string): Rekey | undefined {
    const isUsable = (id: string) => this.#target(id.split('/').at(-1) ?? '') !== undefined;
    return this.orders.moving.find(
      (rekey) => (from === undefined || rekey.from === from) && isUsable(rekey.from) && isUsable(rekey.to),
    );
  }

  #use(name: string): { readonly account: string; readonly scope?: string } {
    const [, scope] = name.split('/');
    return { account: this.storage.id(name), ...(scope ? { scope } : {}) };
  }

  #isPaused(): boolean {
    return listOpenPauses(this.orders.orders, new Date(this.#clock)).length > 0;
  }

  #target(key: string): string | undefined {
    const now = new Date(this.#clock);
    const versions = this.#versions(key);
    return openRevocation(versions, now) ? undefined : findNewestUsableVersion(versions, now)?.version;
  }

  #noteTarget(key: string): void {
    const targets = this.#targets.get(key) ?? [];
    this.#targets.set(key, [...targets, { at: this.#clock, version: this.#target(key) }]);
  }

  /** Those that a list of the last seconds may have shown. */
  #recentTargets(key: string): readonly (string | undefined)[] {
    const targets = this.#targets.get(key) ?? [];
    return targets
      .filter((_, n) => (targets[n + 1]?.at ?? Number.POSITIVE_INFINITY) >= this.#clock - LIST_MS)
      .map(({ version }) => version);
  }

  #revokedSince(key: string): number {
    const { at, version } = this.#targets.get(key)?.at(-1) ?? {};
    return version === undefined && at !== undefined ? at : Number.POSITIVE_INFINITY;
  }

  #age(key: string, version: string): number {
    return [...this.#versions(key)].sort(compareAge).findIndex((one) => one.version === version);
  }
}

function keyId(name: string): string {
  return createManagedKey(VAULT, name).id;
}

function noAnswerWithin(ms: number, signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(noAnswer()), ms);
    signal?.addEventListener('abort', () => reject(noAnswer()), { once: true });
  });
}

function short(version: string): string {
  return `v${Number.parseInt(version, 16)}`;
}

export const FIRST_KEY = KEY.name;
export const SECOND_KEY = 'other-key';
