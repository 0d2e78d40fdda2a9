import fc from 'fast-check';
import { expect } from 'vitest';
import type { KeyUse } from '../../src/accounts/key-use.ts';
import { planKeyUse } from '../../src/controller/plan.ts';
import { findVersion, type KeyVersion } from '../../src/keys/key-versions.ts';
import { keepRevoked } from '../../src/revocation/keep-revoked.ts';
import { type KeyRestoration, restoreKey } from '../../src/revocation/restore-key.ts';
import {
  isRevoker,
  openRevocation,
  RESTORED_TAG,
  REVOCATION_TAG,
  revocationOf,
} from '../../src/revocation/revocation.ts';
import { type KeyRevocation, revokeKey } from '../../src/revocation/revoke.ts';
import { decideRotation } from '../../src/rotation/rotation.ts';
import type { MemoryVault } from './memory-vault.ts';

const PEOPLE = [
  'a11ce000-0000-4000-8000-000000000001',
  'b0b00000-0000-4000-8000-000000000002',
  'ca401000-0000-4000-8000-000000000003',
] as const;
/** Never revokes, so that there is always a second person. */
const DAVE = 'da4e0000-0000-4000-8000-000000000004';

export type Step =
  | { readonly do: 'create'; readonly tags: number; readonly enabled: boolean }
  | { readonly do: 'rotate' | 'deliver' | 'delete' | 'recover' }
  | { readonly do: 'disable' | 'enable'; readonly which: number }
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'revoke'; readonly who: readonly (typeof PEOPLE)[number][]; readonly meanwhile: Meanwhile }
  | { readonly do: 'restore'; readonly who: (typeof PEOPLE)[number] | typeof DAVE; readonly meanwhile: Meanwhile };
type Meanwhile = 'nothing' | 'rotate' | 'deliver';

const who = fc.constantFrom(...PEOPLE);
const meanwhile = fc.constantFrom<Meanwhile>('nothing', 'nothing', 'rotate', 'deliver');
const which = fc.nat(7);

/**
 * Steps of a key's life. `deliver`: the app handles an event about any version (the first, a late or a duplicate one), or
 * reconciles the key. Each of them means only that the key has to be read.
 */
export const histories = (maxLength: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('create' as const),
          tags: fc.constantFrom(0, 0, 1, 14, 15),
          enabled: fc.boolean(),
        }),
      },
      { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('rotate', 'deliver') }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('delete', 'recover', 'recover') }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('disable', 'enable'), which }) },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constant('wait' as const),
          seconds: fc.constantFrom(1, 400, 86_400, 4 * 86_400),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          do: fc.constant('revoke' as const),
          who: fc.uniqueArray(who, { minLength: 1 }),
          meanwhile,
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          do: fc.constant('restore' as const),
          who: fc.oneof(who, fc.constant(DAVE), fc.constant(DAVE)),
          meanwhile,
        }),
      },
    ) as fc.Arbitrary<Step>,
    { minLength: 3, maxLength },
  );

/**
 * Runs a history against the app's own code and checks invariants 5 and 6 after every step.
 *
 * What "a restore enables what that revocation disabled, and nothing else" means for a version that people touch meanwhile,
 * where Key Vault keeps no history but the record on the version:
 *
 * - Disabled by the revocation, enabled by hand, disabled by hand again: still what the revocation disabled, so a restore
 *   enables it. It was on before, and the record says so. To keep it off, disable it after the restore.
 * - Disabled by the revocation and enabled by hand: a reconcile pass does not change it, and it stays enabled until a caller
 *   revokes again. A person with rights on the vault decided so; the app reports it (drift check, status) and keeps it.
 * - Disabled before, and enabled by hand more than ten minutes after the revocation: a person's decision too. Earlier, it counts
 *   as a write in flight: the app disables it under the record, and the restore enables it. Revoked again, it counts as
 *   disabled by the revocation, as it was enabled then.
 * - Created during the revocation: the next pass disables it under the record, and the restore enables it.
 * - Without a free tag: disabled and named in the answer. A restore leaves it disabled, as it cannot know of it.
 *
 * A deleted key shows its newest version alone: without a record there, a restore leaves it deleted.
 */
export class History {
  readonly #bench: MemoryVault;
  readonly #dualControl: boolean;
  readonly #skewMs: number;
  /** What a restore has to enable: what the open revocation disabled and recorded. */
  readonly #owed = new Set<string>();
  /** Enabled by hand since the key was last revoked. */
  readonly #byHand = new Set<string>();
  /** Created since the last pass over the key. */
  readonly #unseen = new Set<string>();
  #open = false;
  #ids = 0;
  /** The revocation that was last restored, for a repetition. */
  #named: string | undefined;

  /** @param skewMs how far the app's clock is ahead of Key Vault's */
  constructor(bench: MemoryVault, options: { readonly dualControl: boolean; readonly skewMs: number }) {
    this.#bench = bench;
    this.#dualControl = options.dualControl;
    this.#skewMs = options.skewMs;
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      await this.#step(step);
      await this.#check();
    }

    // Every event arrives in the end.
    await this.#step({ do: 'recover' });
    await this.#step({ do: 'deliver' });
    await this.#check();

    expect([...this.#unseen]).toEqual([]);

    await this.#restore(DAVE, 'nothing');
    await this.#check();

    expect(openRevocation(await this.#bench.truth(), this.#appNow())).toBeUndefined();
  }

  async #step(step: Step): Promise<void> {
    const bench = this.#bench;

    switch (step.do) {
      case 'create':
        return this.#making(() => bench.create(tags(step.tags), step.enabled));
      case 'rotate':
        return this.#making(() => bench.rotate());
      case 'disable':
      case 'enable': {
        const versions = await bench.truth();
        const version = versions[step.which % Math.max(versions.length, 1)];
        if (!version) return;

        await bench.set(version.version, step.do === 'enable');

        if (step.do === 'enable') this.#byHand.add(version.version);

        return;
      }
      case 'wait':
        return bench.advance(step.seconds * 1000);
      case 'delete':
        return bench.remove();
      case 'recover':
        return bench.bringBack();
      case 'deliver':
        return this.#deliver();
      case 'revoke':
        return this.#revoke(step.who, step.meanwhile);
      case 'restore':
        return this.#restore(step.who, step.meanwhile);
    }
  }

  async #making(make: () => Promise<void>): Promise<void> {
    const known = new Set((await this.#bench.truth()).map(({ version }) => version));
    await make();
    for (const { version } of await this.#bench.truth()) {
      if (!known.has(version)) this.#unseen.add(version);
    }
  }

  async #deliver(): Promise<void> {
    const before = await this.#bench.truth();
    await this.#look();
    const after = await this.#bench.truth();
    this.#countClosed(before, after);
    if (after.length > 0) this.#unseen.clear();
    if (!this.#open) expect(after).toEqual(before);
  }

  async #look(): Promise<void> {
    const audit = async () => ({ failed: 'none here' });
    const services = { keys: this.#bench.keys, now: () => this.#appNow(), sleep: async () => {}, audit };
    await keepRevoked(this.#bench.key, services, () => {});
  }

  async #revoke(people: readonly string[], meanwhile: Meanwhile): Promise<void> {
    const { key, keys } = this.#bench;
    const before = await this.#bench.truth();
    const services = { keys, now: () => this.#appNow(), sleep: async () => {} };
    const [results] = await Promise.all([
      Promise.all(people.map((person) => revokeKey(key, { id: this.#newId(), revokedBy: person }, services))),
      this.#meanwhile(meanwhile),
    ]);
    const after = await this.#bench.truth();

    if (before.length === 0) {
      for (const { versions } of results) expect(versions).toEqual([]);
      return;
    }

    this.#byHand.clear();

    for (const version of after) {
      // One that appeared after the last proof is for its own event; every other one is disabled.
      if (this.#unseen.has(version.version) && meanwhile === 'rotate') continue;
      expect(version.enabled, `${version.version} after a revoke`).toBe(false);
    }

    if (meanwhile === 'nothing') {
      for (const result of results) expect(result.complete).toBe(true);
    }

    // Beside an event that is handled, that may have been what disabled it.
    this.#countClosed(before, after, meanwhile === 'deliver' ? [] : results);

    // A version that appeared after the last proof has no record yet.
    this.#open ||= after.some((version) => otherTags(version) < 15 && !version.enabled);

    if (people.length > 1 || meanwhile !== 'nothing') return;

    // An undisturbed one has the only record: what it joined is gone.
    const records = new Set(after.flatMap((version) => revocationOf(version, this.#appNow())?.id ?? []));
    expect([...records], 'revocations').toEqual(this.#open ? [results[0]?.stamp.id] : []);
  }

  #newId(): string {
    this.#ids += 1;
    return `rev-${this.#ids}`;
  }

  /** Restores the revocation that is open, as a person does who reads its id off the status, or off a refusal. */
  async #callRestore(person: string): Promise<KeyRestoration> {
    const { key, keys } = this.#bench;
    const services = { keys, now: () => this.#appNow(), sleep: async () => {} };
    const versions = (await this.#bench.isDeleted()) ? await this.#bench.deleted() : await this.#bench.truth();
    let id = openRevocation(versions, this.#appNow())?.id ?? this.#named ?? 'none';

    for (let tries = 1; ; tries += 1) {
      const request = { revocation: id, restoredBy: person, dualControl: this.#dualControl };
      const result = await restoreKey(key, request, services);
      if (result.end !== 'OtherRevocation' || tries > 3) return result;

      id = result.revocation?.id ?? id;
    }
  }

  async #restore(person: string, meanwhile: Meanwhile): Promise<void> {
    const wasDeleted = await this.#bench.isDeleted();
    let before = await this.#bench.truth();
    if (!wasDeleted && this.#dualControl && isRevoker(before, person, this.#appNow())) {
      expect(await this.#callRestore(person)).toMatchObject({ end: 'SecondPersonNeeded', changed: false });
      expect(await this.#bench.truth()).toEqual(before);

      return;
    }

    const newest = (await this.#bench.deleted()).at(-1);
    if (newest && !openRevocation([newest], this.#appNow())) {
      expect(await this.#callRestore(person)).toMatchObject({ end: 'NothingToRestore', changed: false });
      expect(await this.#bench.isDeleted()).toBe(true);

      return;
    }

    this.#named = openRevocation(before, this.#appNow())?.id;

    const [result] = await Promise.all([
      this.#callRestore(person),
      wasDeleted ? undefined : this.#meanwhile(meanwhile),
    ]);
    if (result.end === 'SecondPersonNeeded') return; // nothing was enabled; it may be back
    if (meanwhile === 'nothing' || wasDeleted) expect(result.end).toMatch(/^(Restored|NothingToRestore)$/);

    // An event that was handled beside it may have disabled a version again: a repeat gives it back.
    if (meanwhile === 'deliver' && !wasDeleted) {
      this.#countClosed(before, await this.#bench.truth());
      await this.#callRestore(person);
    }

    const after = await this.#bench.truth();

    if (wasDeleted) {
      // Deleted and recovered, the versions are as they were; what they were is known by what is owed and by their tags.
      before = after.map((version) => ({ ...version, enabled: version.enabled && !this.#owed.has(version.version) }));
    }

    for (const version of after) {
      const was = findVersion(before, version.version);

      // Disabled by the event beside it, without a tag to spare for the record: left off.
      if (meanwhile === 'deliver' && !version.enabled && otherTags(version) >= 15) continue;

      const expected = this.#owed.has(version.version) || (was?.enabled ?? true);
      expect(version.enabled, `${version.version} after a restore`).toBe(expected);
      expect(revocationOf(version, this.#appNow()), `record of ${version.version}`).toBeUndefined();

      if (was) expect(withoutRecord(version)).toEqual(withoutRecord(was));
    }

    this.#owed.clear();
    this.#open = false;
  }

  async #meanwhile(what: Meanwhile): Promise<void> {
    if (what === 'rotate') await this.#making(() => this.#bench.rotate());
    if (what === 'deliver') await this.#look();
  }

  /** Versions that the app has just disabled are owed by a restore, if they carry the record. */
  #countClosed(
    before: readonly KeyVersion[],
    after: readonly KeyVersion[],
    results: readonly KeyRevocation[] = [],
  ): void {
    for (const version of after) {
      if (version.enabled || findVersion(before, version.version)?.enabled === false) continue;

      if (otherTags(version) < 15) {
        expect(revocationOf(version, this.#appNow())?.wasEnabled, `record of ${version.version}`).toBe(true);

        this.#owed.add(version.version);
      } else {
        expect(revocationOf(version, this.#appNow())).toBeUndefined();
        if (results.length > 0) expect(results.flatMap(({ unrecorded }) => unrecorded)).toContain(version.version);
      }
    }
  }

  async #check(): Promise<void> {
    const versions = await this.#bench.truth();
    if (versions.length === 0) return;

    expect(openRevocation(versions, this.#appNow()) !== undefined, 'a revocation is open').toBe(this.#open);

    if (!this.#open) return;

    for (const { version, enabled } of versions) {
      const excused = this.#byHand.has(version) || this.#unseen.has(version);
      expect(enabled && !excused, `${version} is open under a revocation`).toBe(false);
    }

    const now = this.#appNow();
    const uses: Pick<KeyUse, 'pinned' | 'current'>[] = [
      { pinned: undefined, current: versions[0]?.version },
      ...versions.map(({ version }) => ({ pinned: version, current: version })),
    ];

    for (const use of uses) {
      const { vault, name } = this.#bench.key;
      const plan = planKeyUse({ vaultUri: vault.uri, keyName: name, ...use }, versions, now);
      expect(plan).toMatchObject({ write: false, reason: 'RevocationOpen' });
    }

    expect(decideRotation(versions, { rotates: false }, now)).toMatchObject({ reason: 'RevocationOpen' });
  }

  #appNow(): Date {
    return new Date(this.#bench.now().getTime() + this.#skewMs);
  }
}

function tags(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`tag-${n}`, 'x']));
}

function otherTags(version: KeyVersion): number {
  return Object.keys(withoutRecord(version)).length;
}

function withoutRecord(version: KeyVersion): Record<string, string> {
  const { [REVOCATION_TAG]: _record, [RESTORED_TAG]: _restored, ...others } = version.tags;
  return others;
}
