import type { RecordAudit } from '../../src/audit/audit-trail.ts';
import { Journal } from '../../src/audit/journal.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { unretireVersion } from '../../src/cli/procedures/key/key-retire.ts';
import type { Operation } from '../../src/cli/procedures/operator-azure.ts';
import { KeyUsage } from '../../src/drift/checks/key-usage.ts';
import type { KeySubject } from '../../src/drift/checks/subjects.ts';
import { findOpenRevocations, parseKeyRecord } from '../../src/drift/gather/known-revocations.ts';
import type { Keys } from '../../src/keys/key-client.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import type { KeyEffect } from '../../src/probe/effect.ts';
import type { RetireServices } from '../../src/retirement/evidence.ts';
import { finishRetirements, retireUnused } from '../../src/retirement/retire-versions.ts';
import { keepRevoked } from '../../src/revocation/keep-revoked.ts';
import {
  findKeptRevokedId,
  type KeptTrail,
  type KeyTrail,
  parseRevocationEvent,
  type RevocationEvent,
} from '../../src/revocation/key-trail.ts';
import { restore } from '../../src/revocation/restore.ts';
import { isNewer, type RevocationStamp, readRevocation } from '../../src/revocation/revocation.ts';
import { revoke } from '../../src/revocation/revoke.ts';
import { verifyRevocation } from '../../src/revocation/verify-revocation.ts';
import type { RevocationWork } from '../../src/work/messages.ts';
import type { RequestKey, WorkQueue } from '../../src/work/work-queue-client.ts';
import { KEY, VAULTS, versionName } from '../support/keys.ts';
import type { FiniteWorld } from './explore.ts';
import { judgeEffect, judgeNames, takeKeyMessage } from './forged-key-message.ts';
import { keysOf, MemoryVault, type Way } from './memory-vault.ts';
import { Actor, type Fault, Scheduler, type Transition } from './scheduler.ts';
import { VirtualTimers } from './virtual-timers.ts';

const NOON = Date.UTC(2026, 5, 1, 12);
const MINUTE = 60_000;

interface Timing {
  readonly after?: Part['do'];
  readonly during?: Part['do'];
}

/**
 * An actor that does something once: at any time, after another one ended, or while another one runs. Actors of the same
 * name act in the given order. `look`: with `late` a verification pass, which also disables what a late write enabled.
 * `rewrite`: another tool replaces a version's tags and enables it, as Terraform does, or only the tags. `retire`,
 * `unretire`: of the first version, which no account uses. `forged`: a message of a writer of the queue, as JSON.
 */
export type Part = Timing &
  (
    | { readonly do: 'revoke' | 'restore' | 'retire' | 'unretire'; readonly skew?: number }
    | { readonly do: 'look'; readonly late?: boolean; readonly skew?: number }
    | { readonly do: 'forged'; readonly message: string }
    | { readonly do: 'rotate' }
    | { readonly do: 'disable' | 'enable'; readonly version: number }
    | { readonly do: 'rewrite'; readonly version: number; readonly tagsOnly?: boolean }
  );

export interface KeyScenario {
  readonly versions: number;
  /** Versions that are disabled from the start. */
  readonly off?: readonly number[];
  readonly parts: readonly Part[];
  readonly faults?: number;
  readonly kinds?: readonly Fault[];
  readonly aim?: RegExp;
  /** The app's queue is unreachable: no verification pass is queued. */
  readonly noQueue?: boolean;
  /** The app's queue never answers. */
  readonly hangingQueue?: boolean;
  /** How many of the app's processes may be killed. */
  readonly kills?: number;
}

interface Call {
  readonly part: Part;
  readonly actor: Actor | undefined;
  readonly start: number;
  end: number | undefined;
  /** The answer; undefined without one. */
  answer: string | undefined;
  id: string;
  /** Of the caller. */
  objectId: string;
  /** Versions that a restore says it left disabled. */
  left?: readonly string[];
  /** When a retirement last read the key. */
  listed?: number;
}

interface Services {
  readonly keys: Keys;
  readonly now: () => Date;
  readonly sleep: () => Promise<void>;
  readonly audit: RecordAudit;
  readonly keyTrail: KeyTrail;
  readonly keptTrail: KeptTrail;
  readonly requestKey: RequestKey;
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly effects: { kept: KeyEffect | undefined };
}

/** Delay of the check after the last step. */
const LATER_MINUTES = 1;

/** After this time nothing is in flight, whatever the clocks. */
const FORGED_AGAIN_MINUTES = 20;
const NO_CALL = { actor: undefined, start: 0, end: undefined, answer: undefined, id: '', objectId: '' };

const WHY = { correlationId: 'call', why: 'a simulation', ticket: undefined };

const RETIRE = { version: versionName(1), readMs: 60_000, disable: true, proof: 'person' } as const;
/** No account uses the key, and everything can be read. */
const UNUSED = {
  settings: { subscriptions: [] },
  resourceGraph: { query: async function* () {} },
  deletedAccounts: { deleted: async function* () {} },
} as unknown as Omit<RetireServices, 'keys' | 'now' | 'sleep'>;

const oid = (n: number): string => `${String(n).padStart(8, '0')}-0000-4000-8000-000000000000`;

/** One key, revoked and restored by several at once; see {@link FiniteWorld}. */
export class KeyWorld implements FiniteWorld {
  readonly scheduler: Scheduler;
  readonly timers?: VirtualTimers;
  readonly vault: MemoryVault;
  readonly calls: Call[] = [];
  readonly #parts: Part[];
  readonly #messages: RevocationWork[] = [];
  readonly #trail: RevocationEvent[] = [];
  readonly #entries: AuditEntry[] = [];
  readonly #effects: { kept: KeyEffect | undefined } = { kept: undefined };
  readonly #original: readonly boolean[];
  #kills: number;
  readonly #stamps = new Map<string, RevocationStamp>();
  readonly #noQueue: boolean;
  /** Of the timers. Milliseconds. */
  #clock = NOON;
  #ids = 0;
  #flap: string | undefined;
  readonly #opened = new Map<string, Call>();
  readonly #openedAt = new Map<string, number>();
  /** When the actor that retired the first version had read the key. */
  #retiredBy: number | undefined;
  /** When a restore first enabled that version. */
  #firstOpened: number | undefined;

  constructor(scenario: KeyScenario) {
    const { versions, off = [], parts, faults = 0, kinds, aim, noQueue = false, kills = 0 } = scenario;
    this.#noQueue = noQueue;
    if (scenario.hangingQueue) this.timers = new VirtualTimers(() => this.#clock);
    this.scheduler = new Scheduler({ faults, ...(kinds ? { kinds } : {}), ...(aim ? { aim } : {}) });
    this.vault = new MemoryVault(versions, () => new Date(NOON));
    for (const n of off) this.vault.set(this.vault.versions[n - 1]?.version ?? '', false);
    this.#parts = [...parts];
    this.#kills = kills;
    this.#original = this.vault.versions.map(({ enabled }) => enabled);
  }

  transitions(): Transition[] {
    const starts = this.#parts
      .filter((part, index) => !this.#parts.slice(0, index).some((other) => other.do === part.do))
      .filter(({ after }) => !after || this.calls.some(({ part, end }) => part.do === after && end !== undefined))
      .filter(({ during }) => !during || this.calls.some(({ part, actor }) => part.do === during && actor?.isAtIt))
      .map((part) => ({
        label: `${part.do} begins`,
        begins: `${part.do} ${this.#calls(part.do).length + 1}`,
        run: () => this.#start(part),
      }));

    const kills =
      this.#kills === 0 ? [] : this.calls.filter(({ actor, end }) => actor && end === undefined && !actor.dead);
    const next = this.timers?.next() ?? Number.POSITIVE_INFINITY;

    return [
      ...starts,
      ...(Number.isFinite(next) ? [{ label: 'time passes', isSlow: true, run: () => this.#passTime(next) }] : []),
      ...kills.flatMap(({ actor }) =>
        [true, false].map((effect) => ({
          rare: 'harm' as const,
          label: `${actor?.name} is killed, ${effect ? 'and what it called takes effect later' : 'and what it called is lost'}`,
          run: () => {
            this.#kills -= 1;
            if (actor) this.scheduler.kill([actor], effect);
          },
        })),
      ),
    ];
  }

  /**
   * Of a call that ended, only the fields of its check and its effects count, as its answers decide nothing more. Of a
   * pending call, all answers count.
   */
  fingerprint(): string {
    const restores = this.#calls('restore');
    const before = (time: number | undefined) =>
      restores.filter(({ start }) => time !== undefined && start < time).length;
    const opened = [...this.#opened].sort().map(([version, restore]) => `${version}${restores.indexOf(restore)}`);

    const lines = this.calls.map((call) => {
      const { part, actor, start, end, answer, id } = call;
      if (!actor) return `${part.do} ${before(start)}`;
      const isOver = end !== undefined || actor.dead;
      const kept = isOver ? JSON.stringify(this.#stamps.get(id)) : actor.memory;
      const openedBefore = isOver ? '' : this.#versionsOpenedBefore(call);
      const order = part.do === 'revoke' ? before(end) : before(start);
      return [actor.name, id, actor.dead, answer, kept, order, openedBefore].join(' ');
    });

    return [...this.#rest(), ...opened, ...lines].join('\n');
  }

  #rest(): readonly string[] {
    // A pass depends only on its key, so that one message is equal to many.
    const looks = `${this.#messages.length > 0}`;
    const trail = this.#noQueue ? [] : this.#trail.map(describeEvent).sort();
    const state = [this.vault.fingerprint(), this.scheduler.fingerprint(), JSON.stringify(this.#parts), this.#kills];
    const opened = this.#firstOpened ?? 0;
    for (const { listed } of this.#calls('retire')) state.push(String(listed !== undefined && listed > opened));
    if (this.#retiredBy !== undefined) state.push(`retired ${this.#isRetired()}`);
    return [...state.map(String), looks, ...trail];
  }

  #calls(what: Part['do']): readonly Call[] {
    return this.calls.filter(({ part }) => part.do === what);
  }

  #passTime(until: number): void {
    this.#clock = until;
    this.timers?.pass();
  }

  /** Throws for a state that only a fault may cause, even for a moment. */
  check(): void {
    if (this.#flap) throw new Error(this.#flap);
  }

  async atRest(): Promise<void> {
    const waiting = this.calls.find(({ actor, end }) => actor && !actor.dead && end === undefined);
    if (waiting) throw new Error(`${waiting.actor?.name} is never answered.`);

    this.scheduler.landAll();

    const services = this.#services(async (_label, effect) => effect(), LATER_MINUTES);

    // Some verification passes run soon, and some after everything in flight has ended.
    for (let looks = 1; looks <= 2; looks += 1) {
      for (const message of this.#messages.slice(0, 1)) {
        const { outcome } = await verifyRevocation(message, { ...services, settings: { vaults: VAULTS } }, () => {});
        if (outcome !== 'done') throw new Error('A verification pass failed.');
      }

      await keepRevoked(KEY, services, () => {}, { alsoLate: true });
    }

    if (this.#calls('retire').length > 0) await this.#finishRetirements(services);

    await this.#takeForgedAgain();
    this.#judge();
  }

  /** When records that are missing are written. */
  async #takeForgedAgain(): Promise<void> {
    const forged = this.#calls('forged');
    const later = this.#services(async (_label, effect) => effect(), FORGED_AGAIN_MINUTES);
    for (const { part } of forged) await this.#run(part, { ...NO_CALL, part }, 0, later);
    if (forged.length === 0) return;
    judgeNames(this.#entries, this.calls);
    judgeEffect(
      this.#effects.kept,
      [...this.#stamps.values()].map(({ revokedOn }) => revokedOn),
    );
  }

  /** The next drift check, when its previous run must have ended. */
  async #finishRetirements(services: Services): Promise<void> {
    const later = { ...UNUSED, ...services, now: () => new Date(NOON + 20 * MINUTE) };
    for await (const { outcome } of finishRetirements(KEY, RETIRE.readMs, later)) {
      if (outcome === 'notUndone') throw new Error('A retirement that was broken off was not finished.');
    }
  }

  #start(part: Part): void {
    this.#parts.splice(this.#parts.indexOf(part), 1);

    const start = this.scheduler.history.length;

    if (part.do === 'rotate' || part.do === 'disable' || part.do === 'enable' || part.do === 'rewrite') {
      this.calls.push({ part, actor: undefined, start, end: start, answer: 'done', id: '', objectId: '' });

      if (part.do === 'rotate') {
        this.vault.create();
        return;
      }

      const version = this.vault.versions[part.version - 1]?.version ?? '';
      if (part.do === 'rewrite') this.vault.update(version, { tags: {} });
      if (part.do !== 'rewrite' || !part.tagsOnly) this.vault.set(version, part.do !== 'disable');

      return;
    }

    const n = this.#calls(part.do).length + 1;
    const actor = new Actor(`${part.do} ${n}`);
    const call: Call = { part, actor, start, end: undefined, answer: undefined, id: '', objectId: '' };

    this.calls.push(call);

    const services = this.#services(this.#watched(call, actor), ('skew' in part && part.skew) || 0);

    this.#run(part, call, n, services)
      .catch((error: unknown) => `failed: ${(error as Error).message}`)
      .then((answer) => {
        call.answer = answer;
        call.end = this.scheduler.history.length;
        actor.done = true;
      });
  }

  /** The access of one call to the vault. It records what a restore enables, and what a later pass disables. */
  #watched(call: Call, actor: Actor): Way {
    return (label, effect, writes) =>
      this.scheduler.call(
        actor,
        label,
        () => {
          const before = this.vault.versions;
          const answer = effect();

          if (call.part.do === 'retire') {
            if (label === 'list 0') call.listed = this.scheduler.history.length;
            if (/^patch v1 .*unsettled/.test(label)) this.#retiredBy = call.listed;
          }

          if (call.part.do === 'forged') this.#judgeForged(before);

          for (const version of this.vault.versions) {
            const was = before.find((other) => other.version === version.version);
            if (!was || was.enabled === version.enabled) continue;

            if (version.enabled && call.part.do === 'restore') {
              this.#opened.set(version.version, call);
              this.#openedAt.set(version.version, this.scheduler.history.length);
              if (version.version === RETIRE.version) this.#firstOpened ??= this.scheduler.history.length;
            }

            if (!version.enabled && call.part.do === 'look') this.#judgeLook(call, version.version);
          }

          return answer;
        },
        writes,
      );
  }

  /** What a forged message leads to is what calls have asked for. */
  #judgeForged(before: readonly KeyVersion[]): void {
    const isOpened = this.vault.versions.some(({ enabled }, n) => enabled && before[n]?.enabled !== true);
    const isShut = this.vault.versions.some(({ enabled }, n) => !enabled && before[n]?.enabled === true);
    if (this.vault.versions.length > before.length) this.#flap = 'A forged message has a version made.';
    if (isOpened && this.#calls('restore').length === 0) this.#flap = 'A forged message opens a version.';
    if (isShut && this.#calls('revoke').length === 0) this.#flap = 'A forged message shuts a version.';
  }

  /** By a retirement that was not under way when a restore has enabled the version, but read the key before or after that. */
  #isRetired(): boolean {
    const opened = this.#firstOpened;
    return this.#retiredBy !== undefined && (opened === undefined || this.#retiredBy > opened);
  }

  #judgeLook(look: Call, version: string): void {
    const restore = this.#opened.get(version);

    // A restore does not mark a key of one version, and with clocks that differ a restore seems old.
    const isOne = this.vault.versions.length === 1 || 'skew' in look.part;
    if (!restore || isOne || !this.scheduler.unharmed) return;

    const newer = this.calls.some(
      ({ part, end }) => part.do === 'revoke' && (end === undefined || end >= restore.start),
    );
    if (!newer && look.start > restore.start && this.#openedBefore(look, version)) {
      this.#flap = `A look that began later disables version ${version}, which a restore had enabled.`;
    }
  }

  #versionsOpenedBefore(look: Call): string {
    return [...this.#opened.keys()]
      .filter((version) => this.#openedBefore(look, version))
      .sort()
      .join();
  }

  #openedBefore(look: Call, version: string): boolean {
    return (this.#openedAt.get(version) ?? Number.POSITIVE_INFINITY) <= look.start;
  }

  async #run(part: Part, call: Call, n: number, services: Services): Promise<string> {
    if (part.do === 'look') {
      await keepRevoked(KEY, services, () => {}, { alsoLate: part.late ?? false });
      return 'looked';
    }

    if (part.do === 'forged') return takeKeyMessage(JSON.parse(part.message), services);

    if (part.do === 'retire') {
      const answers: string[] = [];
      for await (const { outcome } of retireUnused(KEY, RETIRE, { ...UNUSED, ...services })) answers.push(outcome);
      return answers.join();
    }

    if (part.do === 'unretire') {
      const journal = new Journal({ dryRun: false });
      const operator = async () => ({ objectId: oid(80 + n) });
      const azure = { ...services, operator } as unknown as Operation['azure'];
      const app = { audit: services.audit };

      return String((await unretireVersion(KEY, { version: RETIRE.version, app }, { azure, journal })).enabled);
    }

    if (part.do === 'revoke') {
      this.#ids += 1;

      const id = `id-${this.#ids}`;

      call.id = id;
      call.objectId = oid(n);

      const by = { caller: { objectId: call.objectId, appId: 'app' }, ...WHY };
      const result = await revoke(
        KEY,
        by,
        { ...services, newId: () => id, dependents: async () => undefined },
        () => {},
      );
      if (result) this.#stamps.set(id, result.stamp);

      return result?.complete ? 'complete' : 'incomplete';
    }

    call.id = readRevocation(this.vault.versions, services.now()).open?.id ?? 'none';
    call.objectId = oid(90 + n);

    const by = { caller: { objectId: call.objectId, appId: 'app' }, ...WHY };
    const readiness = async () => ({ accounts: [], warnings: [] });
    const result = await restore(KEY, call.id, by, { ...services, dualControl: true, readiness }, () => {});

    call.left = [...result.left.lost, ...result.left.others];

    return result.end;
  }

  #services(way: Way, skew = 0): Services {
    return {
      keys: keysOf(this.vault, way),
      now: () => new Date(NOON + skew * MINUTE),
      sleep: async () => {},
      // Written at once: how the trail fails is for the other worlds to judge.
      audit: async (entry) => {
        this.#entries.push(entry);
        this.#trail.push(...[parseRevocationEvent(JSON.parse(JSON.stringify(entry)), KEY) ?? []].flat());
        return { written: { file: 'f', seq: 1, hash: 'h' } };
      },
      keyTrail: async () => this.#trail,
      keptTrail: async () => new Set(this.#entries.flatMap((entry) => findKeptRevokedId(entry, KEY) ?? [])),
      // The uses of the key are for the world of the controller.
      requestKey: async () => {},
      effects: this.#effects,
      queue: {
        send: async (_queue, work) => {
          if (this.timers) return new Promise(() => {});
          if (this.#noQueue) throw new Error('the queue is out of reach');
          if (work.kind === 'revocation') this.#messages.push(work);
        },
      },
    };
  }

  #isNewer(id: string, than: string): boolean {
    const [a, b] = [id, than].map((one) => this.#stamps.get(one));
    return a !== undefined && b !== undefined && isNewer(a, b);
  }

  /** Whether the drift check finds a revocation of which no version has a record. */
  #findsLost(): boolean {
    const subject: KeySubject = {
      key: KEY,
      state: 'present',
      versions: { value: this.vault.versions },
      policy: { value: { rotates: false } },
      material: { value: undefined },
      usage: new KeyUsage(),
    };

    const entries = this.#entries.map((entry) => JSON.parse(JSON.stringify(entry)) as AuditEntry);
    const events = entries.flatMap((entry) => parseKeyRecord(entry) ?? []);
    findOpenRevocations([], events, [subject], new Date(NOON));

    return subject.lostRevocation !== undefined;
  }

  /** A restore names the versions that it leaves disabled, so that its caller need not search for them. */
  #judgeLeft(restores: readonly Call[]): void {
    for (const { left } of restores) {
      if (!left) continue;
      const unnamed = this.vault.versions.filter(({ version, enabled }) => !enabled && !left.includes(version));
      if (unnamed.length === 0) continue;
      throw new Error(
        `A restore leaves these versions disabled and does not name them: ${unnamed.map(({ id }) => id)}.`,
      );
    }
  }

  #judge(): void {
    const revokes = this.calls.filter(({ part }) => part.do === 'revoke');
    const restores = this.calls.filter(({ part }) => part.do === 'restore');
    const { open } = readRevocation(this.vault.versions, new Date(NOON));
    const begun = restores.filter(
      ({ answer }) => !['NothingToRestore', 'OtherRevocation', 'SecondPersonNeeded'].includes(answer ?? ''),
    );
    const enabled = this.vault.versions
      .filter((version) => version.enabled)
      .map(({ version }) => Number.parseInt(version, 16));

    for (const revoke of revokes) {
      if (revoke.answer !== 'complete' || begun.some(({ start }) => start > revoke.start)) continue;

      if (this.#calls('rewrite').length > 0) {
        if (!open && !this.#findsLost()) throw new Error('Revoked, and after other tags nothing at rest shows it.');
        continue;
      }

      if (enabled.length > 0) throw new Error(`Revoked, and at rest these versions are open: ${enabled}.`);
      if (!open) throw new Error('Revoked, and at rest no revocation is on record.');
    }

    if (this.#calls('rewrite').length > 0) this.#judgeLeft(restores);

    const last = restores.findLast(({ answer }) => answer === 'Restored');

    // Of two restores at once, the other one has said that a version is off: a late write came between its read and write.
    if (restores.some(({ answer }) => answer === 'RestoreIncomplete')) return;
    if (!last || revokes.some(({ start, end }) => start > last.start || end === undefined || end > last.start)) return;

    // A newer revocation than the one that was named is still open, whichever record was lost.
    if (revokes.some(({ id, answer }) => answer === 'complete' && this.#isNewer(id, last.id))) return;
    if (open) throw new Error(`Restored, and at rest a revocation is open: ${open.id}.`);

    for (const [index, version] of this.vault.versions.entries()) {
      const byHand = this.calls.findLast(({ part }) => 'version' in part && part.version === index + 1);

      // With several calls it is unknown which one read the version before a person changed it, and writes after that.
      const isOne = this.calls.filter(({ part }) => part.do === 'revoke' || part.do === 'look').length === 1;
      if (byHand && (byHand.start > last.start || !isOne)) continue;
      if (index === 0 && !version.enabled && this.#isRetired()) continue;

      const was = byHand ? this.vault.onAtRecord.get(version.version) : (this.#original[index] ?? true);
      if (was !== undefined && version.enabled !== was) {
        throw new Error(
          `Restored, and at rest version ${index + 1} is ${version.enabled ? 'on' : 'off'}, and was not.`,
        );
      }
    }
  }
}

function describeEvent({ carriers, ...event }: RevocationEvent): string {
  return JSON.stringify({ ...event, carriers: [...carriers].sort() });
}
