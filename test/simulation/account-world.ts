import { type RevocableServices, readRevocable } from '../../src/identities/revocable.ts';
import { settleBelowKey } from '../../src/identities/settle-below-key.ts';
import { ManagedVaults } from '../../src/keys/managed-vaults.ts';
import { openOfPart, type RevokedPart, resourceOfPart, revokedPart } from '../../src/revocation/account-record.ts';
import { restoreAccount, revokeAccount } from '../../src/revocation/account-revocation.ts';
import { wordOf } from '../../src/revocation/account-trail.ts';
import type { BesideServices } from '../../src/revocation/record-revocation.ts';
import type { SettleAccountServices } from '../../src/revocation/settle-account.ts';
import { AtMostEvery } from '../../src/work/at-most-every.ts';
import { KEY_WORK, parseKeyQueueWork, type Work } from '../../src/work/messages.ts';
import { processWork } from '../../src/work/process.ts';
import type { WorkQueue } from '../../src/work/work-queue-client.ts';
import { VAULT } from '../support/keys.ts';
import type { AccountDeed, AccountScenario } from './account-scenario.ts';
import type { World } from './explore.ts';
import { type AccountCall, type ByHand, judgeAccountAtRest } from './judge-account.ts';
import { HSM, MemoryAccount, SCOPE } from './memory-account.ts';
import { MemoryAudit } from './memory-audit.ts';
import { MemoryQueues, type Message } from './memory-queues.ts';
import type { Way } from './memory-vault.ts';
import { Actor, Scheduler, type Transition } from './scheduler.ts';

const VAULTS = new ManagedVaults([VAULT, HSM]);
const NOON = Date.UTC(2026, 5, 1, 12);
const STEP_MS = 50;
const HOUR_MS = 3_600_000;

type AccountServices = RevocableServices & SettleAccountServices & BesideServices & { readonly queue: WorkQueue };

const oid = (n: number): string => `${String(n).padStart(8, '0')}-0000-4000-8000-000000000000`;

/** One account, or one encryption scope, revoked and restored by several at once, on two instances of the app. */
export class AccountWorld implements World {
  readonly scheduler: Scheduler;
  readonly #account: MemoryAccount;
  readonly #part: RevokedPart;
  readonly #scope: string | undefined;
  readonly #before: readonly string[];
  readonly #deeds: AccountDeed[];
  readonly #calls: AccountCall[] = [];
  readonly #byHand: ByHand[] = [];
  readonly #actors = new Map<Actor, number>();
  readonly #queues: MemoryQueues;
  readonly #audit = new MemoryAudit();
  readonly #times = new Map<unknown, number>();
  readonly #sleeps: { readonly at: number; readonly actor: Actor; readonly wake: () => void }[] = [];
  readonly #skews: readonly [number, number];
  /** Revocations whose record has stood, and those whose record a restore has taken away. */
  readonly #stood = new Set<string>();
  readonly #restored: string[][] = [];
  /** Revocations of which a look is to come that records them. */
  readonly #looked = new Set<string>();
  readonly #together: boolean;
  #kills: number;
  #drifts: number;
  #doubles: number;
  #ids = 0;
  #clock = NOON;

  constructor(scenario: AccountScenario) {
    const { faults, kinds, aim, kills, skews, driftChecks, deeds, roles, doubles = 0, together = false } = scenario;
    const options = { faults, aim, now: () => this.#clock };
    this.scheduler = new Scheduler(kinds ? { ...options, kinds } : options);
    this.#queues = new MemoryQueues(() => this.#clock);
    this.#account = new MemoryAccount(roles, () => new Date(this.#clock), scenario.hsm);
    this.#scope = scenario.scope ? SCOPE : undefined;
    this.#part = revokedPart(this.#scope);
    this.#before = this.#access;
    this.#deeds = [...deeds];
    this.#kills = kills;
    this.#together = together;
    this.#skews = skews;
    this.#drifts = driftChecks;
    this.#doubles = doubles;
  }

  tick(): void {
    this.#clock += STEP_MS;
    this.scheduler.passDeadlines();
    const now = new Date(this.#clock);
    const open = new Set(openOfPart(this.#account.tags, this.#part, now).map(({ id }) => id));
    for (const id of open) this.#stood.add(id);
    for (const entry of this.#audit.entries) if (!this.#times.has(entry)) this.#times.set(entry, this.#clock);
  }

  transitions(): Transition[] {
    const wakes = this.#sleeps
      .filter(({ at }) => at <= this.#clock)
      .map((sleep) => ({ label: `${sleep.actor.name} wakes`, actor: sleep.actor, run: () => this.#wake(sleep) }));
    const takes = this.#queues.visible.map((message) => ({
      label: `an instance takes ${message.text.slice(0, 40)}`,
      run: () => this.#take(message),
    }));
    const doubles = this.#doubles === 0 ? [] : this.#queues.visible.map((message) => this.#double(message));
    const kills =
      this.#kills === 0
        ? []
        : [...this.#actors.keys()]
            .filter((actor) => this.scheduler.isAimedAt(actor))
            .flatMap((actor) =>
              [true, false].map((effect) => ({
                label: `${actor.name} is killed, and what it called ${effect ? 'takes effect later' : 'is lost'}`,
                rare: 'harm' as const,
                run: () => this.#kill(actor, effect),
              })),
            );
    const ready = [...wakes, ...takes, ...doubles, ...kills];
    const isQuiet = wakes.length === 0 && takes.length === 0 && !this.scheduler.busy && this.#actors.size === 0;
    const [deed] = this.#deeds;
    const isTime = deed && (!deed.quiet || isQuiet) && (!deed.ended || this.#calls.at(-1)?.end !== undefined);
    if (isTime) ready.push({ label: deed.do, run: () => this.#do(deed) });
    const isStill = wakes.length === 0 && takes.length === 0 && !this.scheduler.busy;
    return isStill && !isTime ? this.#later() : ready;
  }

  check(): void {
    const [poison] = this.#queues.poison;
    if (poison) throw new Error(`A message is poison: ${poison.text}`);
    const ids = this.#audit.entries.flatMap(({ id }) => id ?? []);
    const twice = ids.find((id, n) => ids.indexOf(id) !== n);
    if (twice) throw new Error(`${twice} is recorded twice.`);
  }

  async atRest(): Promise<void> {
    for (const actor of this.#actors.keys()) throw new Error(`${actor.name} never ends.`);
    judgeAccountAtRest({
      resource: resourceOfPart(this.#account.account, this.#part),
      entries: this.#audit.entries,
      calls: this.#calls,
      byHand: this.#byHand,
      open: this.#open(),
      access: this.#access,
      before: this.#before,
      isScope: this.#scope !== undefined,
      stood: this.#stood,
      restored: this.#restored,
      looked: this.#looked,
      harms: this.scheduler.harms,
    });
  }

  get #access(): readonly string[] {
    const isScope = (one: string) => one.startsWith('scope ');
    return this.#account.access.filter((one) => isScope(one) === (this.#scope !== undefined));
  }

  #later(): Transition[] {
    const times = [
      this.scheduler.nextDeadline(),
      ...this.#sleeps.map(({ at }) => at),
      ...this.#queues.timesBut(() => false),
    ];
    const next = Math.min(...times);
    if (Number.isFinite(next)) {
      const pass = () => {
        this.#clock = Math.max(this.#clock, next);
      };
      return [{ label: `${Math.ceil((next - this.#clock) / 1000)} s pass`, run: pass }];
    }
    if (this.#drifts === 0) return [];
    return [{ label: 'a drift check', run: () => this.#driftCheck() }];
  }

  #double(message: Message): Transition {
    const label = `both instances take ${message.text.slice(0, 40)}`;
    const run = () => {
      this.#doubles -= 1;
      this.#take(message);
      this.#take(message);
    };
    return { label, run };
  }

  #driftCheck(): void {
    this.#drifts -= 1;
    this.scheduler.heal();
    this.#kills = 0;
    this.#clock += HOUR_MS;
    const now = new Date(this.#clock);
    if (openOfPart(this.#account.tags, this.#part, now).length === 0 || this.#access.length === 0) return;
    const of = { account: this.#account.account.id, ...(this.#scope === undefined ? {} : { scope: this.#scope }) };
    const cause = { by: 'drift', ref: '', since: now.toISOString() };
    this.#queues.send(KEY_WORK, { kind: 'accountRevocation', ...of, records: false, cause, attempt: 0 });
  }

  #do(deed: AccountDeed): void {
    this.#deeds.shift();
    const at = this.scheduler.history.length;
    if (deed.do === 'minutesPass') {
      this.#clock += (deed.minutes ?? 0) * 60_000;
      return;
    }
    if (deed.do === 'revoke' || deed.do === 'restore') {
      this.#call(deed.do, at, deed.again);
      return;
    }
    if (deed.do === 'plantRecord') {
      const [open] = this.#open();
      if (open) this.#account.plantRecord(open);
      return;
    }
    const isGiven = deed.do === 'giveByHand' || deed.do === 'giveMoreByHand';
    const gave = isGiven ? this.#account[deed.do]() : undefined;
    if (deed.do === 'changeIdentity') this.#account.changeIdentity();
    if (deed.do === 'takeByHand') this.#account.takeByHand();
    if (deed.do === 'enableByHand') this.#account.enableByHand();
    this.#byHand.push({ ...deed, at, gave });
  }

  #call(did: 'revoke' | 'restore', start: number, again = false): void {
    const n = this.#calls.length + 1;
    const before = this.#calls.at(-1)?.by;
    const actor = new Actor(`${did} ${n}`);
    const instance = n % 2;
    const named = openOfPart(this.#account.tags, this.#part, new Date(this.#clock))[0]?.id ?? 'none';
    const call: AccountCall = {
      did,
      actor,
      id: did === 'revoke' ? `id-${n}` : named,
      by: again && before !== undefined ? before : n,
      start,
      end: undefined,
      answer: undefined,
    };
    this.#calls.push(call);
    this.#actors.set(actor, instance);
    const services = this.#services(actor, instance);
    void this.#run(call, services)
      .catch((error: unknown) => `failed: ${(error as Error).message}`)
      .then((answer) => {
        call.answer = answer;
        call.end = this.scheduler.history.length;
        this.#actors.delete(actor);
      });
  }

  async #run({ did, id, by: n, actor }: AccountCall, services: AccountServices): Promise<string> {
    const by = {
      caller: { objectId: oid(n), appId: 'app' },
      correlationId: actor.name,
      why: 'a simulation',
      ticket: undefined,
    };
    const revocable = await readRevocable(this.#account.account, this.#part, (use) => VAULTS.keyOf(use), services);
    if (!revocable) throw new Error('no account');
    const { part, place } = revocable;
    if (did === 'revoke') {
      const { complete } = await revokeAccount(part, place, by, { ...services, newId: () => id }, () => {});
      return complete ? 'complete' : 'incomplete';
    }
    return (await restoreAccount(part, place, { revocation: id, dualControl: true }, by, services, () => {})).end;
  }

  #take(message: Message): void {
    this.#queues.take(message);
    this.#ids += 1;
    const actor = new Actor(`look ${this.#ids}`);
    const instance = this.#ids % 2;
    this.#actors.set(actor, instance);
    const services = this.#services(actor, instance);
    void processWork<Work>({
      ...services,
      queueName: KEY_WORK,
      received: { entry: JSON.parse(message.text), dequeueCount: message.dequeued },
      parse: parseKeyQueueWork,
      run: async (work) =>
        work.kind === 'accountRevocation'
          ? settleBelowKey(work, { ...services, settings: { vaults: VAULTS } }, () => {})
          : { outcome: 'done' },
      reports: new AtMostEvery(HOUR_MS),
      log: () => {},
    })
      .then(
        () => this.#queues.remove(message),
        () => this.#queues.failed(message),
      )
      .then(() => this.#actors.delete(actor));
  }

  #kill(actor: Actor, takesEffect: boolean): void {
    this.#kills -= 1;
    const killed = this.#together ? [...this.#actors.keys()] : [actor];
    this.scheduler.kill(killed, takesEffect);
    for (const one of killed) this.#actors.delete(one);
  }

  #wake(sleep: { readonly actor: Actor; readonly wake: () => void }): void {
    this.#sleeps.splice(this.#sleeps.indexOf(sleep as never), 1);
    if (!sleep.actor.dead) sleep.wake();
  }

  #services(actor: Actor, instance: number): AccountServices {
    const way: Way = (label, effect, writes) => {
      const seen = () => {
        const answer = effect();
        if (actor.name.startsWith('restore') && label.startsWith('delete cmk-revoked-')) {
          this.#restored.push([...label.matchAll(/cmk-revoked-([0-9a-z-]+)/g)].map(([, id = '']) => id));
        }
        return answer;
      };
      return this.scheduler.call(actor, label, seen, writes);
    };
    const now = () => new Date(this.#clock + (this.#skews[instance] ?? 0) * 60_000);
    const port = this.#queues.port(way);
    return {
      ...this.#account.ports(way),
      queue: {
        ...port,
        // What else is sent changes nothing here.
        send: (...[queue, work, delay]: Parameters<typeof port.send>) =>
          work.kind === 'accountRevocation'
            ? port.send(queue, work, delay).then(() => {
                if (work.records && work.done?.did === 'revoke') this.#looked.add(work.done.revocation.id);
              })
            : Promise.resolve(),
      },
      audit: this.#audit.port(way),
      accountTrail: (resource: string) =>
        way('read the audit trail', () =>
          this.#audit.entries
            .flatMap(
              (entry) =>
                wordOf(JSON.parse(JSON.stringify(entry)), resource, new Date(this.#times.get(entry) ?? this.#clock)) ??
                [],
            )
            .reverse(),
        ),
      now,
      sleep: (ms: number) =>
        new Promise<void>((wake) => {
          this.#sleeps.push({ at: this.#clock + ms, actor, wake });
        }),
    };
  }

  #open() {
    return openOfPart(this.#account.tags, this.#part, new Date(this.#clock));
  }
}
