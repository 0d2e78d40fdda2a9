import { describe, expect, it } from 'vitest';
import { createFleetIndex } from '../../src/fleet/create-fleet-index.ts';
import type { FleetIndex } from '../../src/fleet/fleet-index.ts';
import { createRotationNotes, unwellOf, unwellWith } from '../../src/fleet/rotation-notes.ts';
import type { LogRecord } from '../../src/log.ts';
import { KnownOrders } from '../../src/orders/known-orders.ts';
import { NO_ORDERS, type StandingOrders, withPause } from '../../src/orders/standing-orders.ts';
import type { Reason } from '../../src/reasons.ts';
import { type FollowPorts, followRotation } from '../../src/rollout/follow-rotation.ts';
import { readRotation } from '../../src/rollout/read-rotation.ts';
import { createRollout, type RolloutPorts } from '../../src/rollout/rollout.ts';
import { type RotationView, viewRotation } from '../../src/rollout/rotation-view.ts';
import type { Exemption } from '../../src/settings/exemption.ts';
import type { Work } from '../../src/work/messages.ts';
import { day, KEY, keyVersion, SUBSCRIPTION, VAULTS, versionName } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import { accountId, fleetUse } from './rollout-fixture.ts';

const MINUTE_MS = 60_000;

/** A key of which one account does not get onto its new version, and the messages about it. Looks at the key move nothing. */
class StuckRotation {
  readonly table = new MemoryFleetTable();
  readonly recorded: string[] = [];
  /** When the key was looked at, in minutes. */
  readonly looks: number[] = [];
  mayWrite = true;
  mayList = true;
  /** Accounts that the drift check is to leave where they are. */
  readonly exemptions: Exemption[] = [];
  control: StandingOrders = NO_ORDERS;
  /** Canaries that do not serve when they are asked. */
  failing: string[] = [];
  /** Those of which nothing can be told. */
  unseen: string[] = [];
  readonly said: LogRecord[] = [];
  /** By how much the clock of every other message is ahead. */
  skewMs = 0;
  /** Where accounts are looked after; undefined: not known. */
  inSight: readonly string[] | undefined;
  #handled = 0;
  #nowMs = day(200).getTime();
  #messages: { readonly work: Work; readonly atMs: number }[] = [];
  readonly #fleet: FleetIndex;
  readonly #ports: FollowPorts & RolloutPorts;
  readonly #startMs = this.#nowMs;

  #newest: number;

  /** @param newest the day on which its new version was made: yesterday's rotation is stuck at once */
  constructor(canary = 0, newest = 199) {
    this.#newest = newest;
    const now = () => new Date(this.#nowMs + (this.#handled % 2) * this.skewMs);
    const port = this.table.port(async (_, effect, writes) => {
      if (writes && !this.mayWrite) throw Object.assign(new Error('no'), { statusCode: 403 });
      return effect();
    });
    const index = createFleetIndex(port);
    const listings = async () => {
      if (!this.mayList) throw Object.assign(new Error('no'), { statusCode: 403 });
      return index.listings();
    };
    this.#fleet = { ...index, listings };
    this.#ports = {
      ...{ fleet: this.#fleet, rotationNotes: createRotationNotes(port) },
      settings: { refreshAutomatic: true, canary, vaults: VAULTS, drift: { exemptions: this.exemptions } },
      inSight: async () => this.inSight,
      keys: { listVersions: async () => [keyVersion(100), keyVersion(this.#newest)] },
      control: new KnownOrders({ read: async () => this.control }, now),
      queue: {
        send: async (_, work, seconds = 0) => {
          this.#messages.push({ work, atMs: this.#nowMs + seconds * 1000 });
        },
      },
      audit: async ({ reason }) => {
        this.recorded.push(reason);
        return { written: 'now' } as never;
      },
      probeCanaries: async () => ({ failing: this.failing, unseen: this.unseen }),
      ...{ writeBudgets: [], now },
    };
  }

  /** How many messages there are. */
  get waiting(): number {
    return this.#messages.length;
  }

  /** @param waves the tags of accounts; none: two accounts without one */
  async write(waves: readonly string[] = ['', '']): Promise<void> {
    const uses = waves.map((wave, n) => fleetUse(n + 1, wave ? { wave } : {}));
    await this.#fleet.write(uses.map((use) => ({ put: 'use', use })));
  }

  async begin(): Promise<void> {
    await this.write();
    await this.#look();
  }

  /** The key is looked at because of something that happened at that time (ISO 8601). */
  async seeKey(since: string): Promise<void> {
    await this.#look(false, undefined, since);
  }

  /** The key is looked at, and others than its canaries are held back. */
  async holdBack(atOnce?: () => Promise<boolean>): Promise<void> {
    await this.#look(true, atOnce);
  }

  /** What kept accounts from their version is mended: they move. */
  async mend(accounts = [1, 2], reason?: Reason): Promise<void> {
    const pinned = versionName(this.#newest);
    const outcome = reason && ({ result: 'done', reason, at: new Date(this.#nowMs).toISOString() } as const);
    const use = { pinned, current: pinned, ...(outcome ? { outcome } : {}) };
    await this.#fleet.write(accounts.map((n) => ({ put: 'use', use: fleetUse(n, use) })));
  }

  /** The key gets a new version, made on that day. */
  rotate(newest: number): void {
    this.#newest = newest;
  }

  /** The drift check has had moved what it may, and has somebody look, and put nothing to work. */
  async look(moved: number): Promise<void> {
    const [pinned, at] = [versionName(this.#newest), new Date(this.#nowMs).toISOString()];
    const outcome = { result: 'done', reason: 'StaleKeyVersion', at } as const;
    await this.#fleet.write([{ put: 'use', use: fleetUse(moved, { pinned, current: pinned, outcome }) }]);
    const cause = { by: 'drift', ref: '', since: at };
    const work = { kind: 'rotation', key: KEY.id, since: at, due: at, onlyLooks: true, cause, attempt: 0 } as const;
    this.#messages.push({ work, atMs: this.#nowMs });
  }

  /** As everybody is told it. */
  async view(): Promise<RotationView> {
    return viewRotation(KEY, await readRotation(KEY, this.#ports), undefined);
  }

  /** Why an account waits. */
  async waitsFor(n: number): Promise<string | undefined> {
    const versions = await this.#ports.keys.listVersions(KEY);
    return (await createRollout(this.#ports).stage(KEY, () => {}, versions)).hold(accountId(n))?.reason;
  }

  /** All moves are paused for so many hours from now on. */
  pause(hours: number): void {
    const now = new Date(this.#nowMs);
    const until = new Date(this.#nowMs + hours * 60 * MINUTE_MS).toISOString();
    const pause = { id: 'p', reason: 'a change freeze', by: { objectId: 'o' }, since: now.toISOString(), until };
    this.control = withPause(NO_ORDERS, pause, now);
  }

  exempt(n: number): void {
    const said = { reason: 'CHG-1', until: '2099-01-01' };
    this.exemptions.push({ resource: accountId(n), code: 'StaleKeyVersion', ...said });
  }

  /** The accounts of all subscriptions are known whole. */
  async list(): Promise<void> {
    await this.#fleet.listed(SUBSCRIPTION, new Date(this.#nowMs));
  }

  async lose(n: number): Promise<void> {
    await this.#fleet.write([{ drop: 'use', of: fleetUse(n) }]);
  }

  /** Lets so many minutes pass. */
  async pass(minutes: number): Promise<void> {
    const endMs = this.#nowMs + minutes * MINUTE_MS;
    for (;;) {
      this.#messages.sort((a, b) => a.atMs - b.atMs);
      const [next] = this.#messages;
      if (!next || next.atMs > endMs) break;
      this.#messages.shift();
      this.#handled += 1;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      if (next.work.kind === 'key') await this.#look();
      if (next.work.kind === 'rotation') await this.#follow(next.work);
      if (this.#messages.length > 1_000) throw new Error('There are a thousand messages.');
    }
    this.#nowMs = endMs;
  }

  async #look(holdsBack = false, atOnce?: () => Promise<boolean>, since = ''): Promise<void> {
    this.looks.push((this.#nowMs - this.#startMs) / MINUTE_MS);
    const versions = await this.#ports.keys.listVersions(KEY);
    const cause = { by: 'test', ref: '', since };
    await createRollout(this.#ports).follow(KEY, versions, cause, () => {}, { holdsBack, atOnce });
  }

  async #follow(work: Extract<Work, { kind: 'rotation' }>): Promise<void> {
    const outcome = await followRotation(work, this.#ports, (record) => this.said.push(record));
    if (outcome.outcome !== 'retry') return;
    this.#messages.push({ work: { ...work, attempt: work.attempt + 1 }, atMs: this.#nowMs + 15_000 });
  }
}

it.each([0, 5])(
  'one that is stuck is put to work once more, and not for ever (clocks %i minutes apart)',
  async (apart) => {
    const rotation = new StuckRotation();
    rotation.skewMs = apart * MINUTE_MS;
    await rotation.begin();
    await rotation.pass(24 * 60);
    expect(rotation.recorded).toContain('RotationStuck');
    expect(rotation.looks.length).toBeLessThanOrEqual(3);
  },
);

it('one of which nothing is left but rows that were wrong has no end to be told', async () => {
  const rotation = new StuckRotation();
  await rotation.begin();
  await rotation.lose(1);
  await rotation.lose(2);
  await rotation.pass(24 * 60);
  expect(rotation.recorded).toEqual([]);
});

it.each([
  ['was not listed is recorded, and says so', false, 1, 'the accounts of 1 subscription have not been listed'],
  ['was listed is recorded, and says nothing of it', true, undefined, ''],
])('one that is finished, and of which a subscription in sight %s', async (_, isListed, unlisted, said) => {
  const rotation = new StuckRotation(0, 200);
  rotation.inSight = [SUBSCRIPTION.toUpperCase()];
  if (isListed) await rotation.list();
  await rotation.begin();
  await rotation.mend();
  await rotation.pass(10);
  expect(rotation.recorded).toEqual(['RotationFinished']);
  expect((await rotation.view()).unlisted).toBe(unlisted);
  const message = rotation.said.at(-1)?.message ?? '';
  if (said) expect(message).toContain(said);
  else expect(message).not.toContain('not listed');
  expect(rotation.waiting).toBe(0);
});

describe('of a key that is seen for the first time, with everything on its newest version,', () => {
  const seen = day(200).toISOString();

  it('no rotation is recorded, and its next one is', async () => {
    const rotation = new StuckRotation(0, 199);
    await rotation.write();
    await rotation.mend([1, 2], 'UpToDate');
    await rotation.seeKey(seen);
    await rotation.pass(60);
    expect([rotation.recorded, rotation.waiting]).toEqual([[], 0]);
    rotation.rotate(200);
    await rotation.mend();
    await rotation.seeKey(seen);
    await rotation.pass(60);
    expect(rotation.recorded).toEqual(['RotationFinished']);
  });

  it.each([
    ['the news is of the version itself', undefined, day(199).toISOString()],
    ['a use was moved by the app', 'Moved', seen],
  ] as const)('a rotation is recorded where %s', async (_, reason, since) => {
    const rotation = new StuckRotation(0, 199);
    await rotation.write();
    await rotation.mend([1, 2], reason);
    await rotation.seeKey(since);
    await rotation.pass(60);
    expect(rotation.recorded).toEqual(['RotationFinished']);
  });
});

it('one that is finished is recorded where nobody can tell which subscriptions were listed', async () => {
  const rotation = new StuckRotation(0, 200);
  rotation.inSight = [SUBSCRIPTION];
  rotation.mayList = false;
  await rotation.begin();
  await rotation.mend();
  await rotation.pass(24 * 60);
  expect(rotation.recorded).toEqual(['RotationFinished']);
  expect(rotation.looks).toEqual([0]);
});

it('while nothing can be noted, messages do not become more', async () => {
  const rotation = new StuckRotation();
  await rotation.begin();
  rotation.mayWrite = false;
  await rotation.pass(6 * 60);
  expect(rotation.waiting).toBeLessThanOrEqual(2);
});

it('whoever was held back is not forgotten though the index goes away at that moment', async () => {
  const rotation = new StuckRotation(1);
  await rotation.write();
  rotation.mayWrite = false;
  await rotation.holdBack();
  expect(rotation.waiting).toBe(1);
  await rotation.pass(1);
  rotation.mayWrite = true;
  await rotation.mend([1]);
  await rotation.pass(3);
  expect(await rotation.waitsFor(2)).toBeUndefined();
});

it.each([
  ['wave', 0, ['0', '']],
  ['canary', 1, ['', '']],
] as const)(
  'whoever was held back behind a %s that is done before its first look goes on then',
  async (_, canary, waves) => {
    const rotation = new StuckRotation(canary, 200);
    await rotation.write(waves);
    await rotation.holdBack();
    await rotation.mend([1]);
    await rotation.pass(3);
    expect(rotation.looks.length).toBeGreaterThan(1);
    expect(await rotation.waitsFor(2)).toBeUndefined();
  },
);

it('a look that was over before it was due stands in for none at a rotation right after', async () => {
  const rotation = new StuckRotation(1, 200);
  await rotation.write();
  const done = async () => true;
  await rotation.holdBack(done);
  expect(rotation.waiting).toBe(0);
  await rotation.holdBack();
  expect(rotation.waiting).toBe(1);
});

it('nobody is put to work once more by the first look at a rotation that held nobody back', async () => {
  const rotation = new StuckRotation(0, 200);
  await rotation.begin();
  await rotation.pass(3);
  expect(rotation.looks).toEqual([0]);
});

it('a canary that is gone has another one put to work in its place', async () => {
  const rotation = new StuckRotation(1);
  await rotation.begin();
  await rotation.pass(1);
  const looks = rotation.looks.length;
  await rotation.lose(1);
  await rotation.pass(1);
  expect(rotation.looks.length).toBe(looks + 1);
  await rotation.pass(1);
  expect(rotation.looks.length).toBe(looks + 1);
});

it('one whose canary is moved and does not serve is held, and everybody is told so until it serves', async () => {
  const rotation = new StuckRotation(1);
  rotation.failing = ['st1 (KeyVaultEncryptionKeyNotFound)'];
  await rotation.begin();
  await rotation.mend([1]);
  expect(await rotation.view()).toMatchObject({ state: 'stuck', stage: { name: 'canary', state: 'unproven' } });
  await rotation.pass(20);
  expect(rotation.recorded).toContain('CanaryFailed');
  const held = { state: 'held', reason: 'CanaryFailed', detail: expect.stringContaining('st1 (KeyVault') };
  expect(await rotation.view()).toMatchObject(held);
  expect(await rotation.waitsFor(2)).toBe('CanaryFailed');
  rotation.failing = [];
  await rotation.pass(6);
  expect(await rotation.view()).not.toHaveProperty('stage');
  expect(await rotation.waitsFor(2)).toBeUndefined();
});

it('one whose first account is exempt has another canary, and goes on without it', async () => {
  const rotation = new StuckRotation(1);
  rotation.exempt(1);
  await rotation.begin();
  expect([await rotation.waitsFor(1), await rotation.waitsFor(2)]).toEqual(['CanaryUnderWay', undefined]);
  await rotation.mend([2]);
  await rotation.pass(20);
  expect(await rotation.waitsFor(1)).toBeUndefined();
  expect(await rotation.view()).toMatchObject({ state: 'stuck', moved: 1, waiting: 1 });
  expect(await rotation.view()).not.toHaveProperty('stage');
});

it('one of which everything is exempt has no canary: one that a person puts back would hold the others for ever', async () => {
  const rotation = new StuckRotation(1);
  rotation.exempt(1);
  rotation.exempt(2);
  await rotation.begin();
  expect([await rotation.waitsFor(1), await rotation.waitsFor(2)]).toEqual([undefined, undefined]);
});

it('waves do not wait for what is exempt, and it comes with the last', async () => {
  const rotation = new StuckRotation();
  rotation.exempt(1);
  await rotation.write(['1', '2', '3']);
  expect([await rotation.waitsFor(1), await rotation.waitsFor(2), await rotation.waitsFor(3)]).toEqual([
    'WaveNotBegun',
    undefined,
    'WaveNotBegun',
  ]);
  await rotation.mend([2]);
  expect([await rotation.waitsFor(1), await rotation.waitsFor(3)]).toEqual(['WaveNotBegun', undefined]);
});

it('one that is paused for longer than it is looked at goes on when that ends', async () => {
  const rotation = new StuckRotation(1);
  await rotation.begin();
  await rotation.pass(1);
  rotation.pause(30);
  await rotation.pass(30 * 60 + 2);
  expect(rotation.waiting).toBe(1);
  await rotation.mend([1]);
  await rotation.pass(10);
  expect(await rotation.waitsFor(2)).toBeUndefined();
});

it('one whose canary cannot be asked goes on, and that is said', async () => {
  const rotation = new StuckRotation(1);
  rotation.unseen = ['st1 (it did not answer)'];
  await rotation.begin();
  await rotation.mend([1]);
  await rotation.pass(20);
  expect(await rotation.waitsFor(2)).toBeUndefined();
  const said = rotation.said.filter(({ reason }) => reason === 'CanaryUnseen');
  expect(said).toMatchObject([{ level: 'warning', message: expect.stringContaining('st1 (it did not answer)') }]);
});

it('one that was stuck, and is not any more, is seen to finish', async () => {
  const rotation = new StuckRotation();
  await rotation.begin();
  await rotation.pass(60);
  await rotation.mend();
  await rotation.pass(10);
  expect(rotation.recorded.at(-1)).toBe('RotationFinished');
});

it.each([
  ['without canaries', 0],
  ['behind a canary', 1],
])('a look that is to put nothing to work puts nothing to work, however long it goes on: %s', async (_, canary) => {
  const rotation = new StuckRotation(canary);
  await rotation.write();
  await rotation.pass(60);
  await rotation.look(1);
  await rotation.pass(24 * 60);
  expect(rotation.looks).toEqual([]);
  expect(rotation.recorded).toEqual(['RotationStuck']);
  expect(rotation.waiting).toBe(0);
  // What may be moved is moved by the next check.
  expect(await rotation.waitsFor(2)).toBeUndefined();
});

it('a look that is to put nothing to work takes no other one its place', async () => {
  const rotation = new StuckRotation();
  await rotation.write();
  await rotation.look(1);
  await rotation.pass(1);
  await rotation.begin();
  await rotation.pass(24 * 60);
  expect(rotation.looks.length).toBeGreaterThan(1);
});

it('a look that is to put nothing to work sees the end', async () => {
  const rotation = new StuckRotation();
  await rotation.write();
  await rotation.look(1);
  await rotation.pass(1);
  await rotation.mend();
  await rotation.pass(10);
  expect(rotation.recorded).toEqual(['RotationFinished']);
});

it('while the index cannot be read, a look that is to put nothing to work ends', async () => {
  const rotation = new StuckRotation();
  await rotation.look(1);
  rotation.mayWrite = false;
  await rotation.pass(60);
  expect([rotation.looks, rotation.waiting]).toEqual([[], 0]);
});

it('canaries that did not serve with a version hold no other one', () => {
  const note = { key: KEY.id, unwell: unwellOf(versionName(199), 'st1 (blocked)') };
  expect(unwellWith(versionName(199), note)).toBe('st1 (blocked)');
  expect(unwellWith(versionName(200), note)).toBeUndefined();
});
