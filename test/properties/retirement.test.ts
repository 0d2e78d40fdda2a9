import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { VersionUsers } from '../../src/key-users/version-users.ts';
import { compareAge, findNewestUsableVersion, type KeyVersion } from '../../src/keys/key-versions.ts';
import { listReasonsToKeep } from '../../src/retirement/retirement.ts';
import { formatRevocation, openRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { day, keyVersion, REVOKER, versionName } from '../support/keys.ts';

// Guards invariant 7 (a version is retired only when provably unused): the app disables none, and advises a person to do so
// only where, whatever the versions and their users, a version that may go has a usable successor that is old enough, no revocation is open, nothing is unknown, and no user
// shows it. That the proof is read afresh, before and after, is tested over the wire.

const NOW = day(30);
const HOUR_MS = 3_600_000;
const COUNT = 4;

const version = (n: number): fc.Arbitrary<KeyVersion> =>
  fc
    .record(
      {
        createdOn: fc.integer({ min: 0, max: 24 * 4 }).map((hours) => new Date(NOW.getTime() - hours * HOUR_MS)),
        enabled: fc.boolean(),
        notBefore: fc.option(
          fc.integer({ min: -48, max: 48 }).map((hours) => new Date(NOW.getTime() + hours * HOUR_MS)),
          { nil: undefined, freq: 1 },
        ),
        expiresOn: fc.option(
          fc.integer({ min: -48, max: 48 }).map((hours) => new Date(NOW.getTime() + hours * HOUR_MS)),
          { nil: undefined, freq: 1 },
        ),
        tags: fc.boolean().map((revoked): Record<string, string> => {
          const tag = { ...REVOKER, revokedOn: day(29), version: versionName(n), wasEnabled: true };
          return revoked ? { [REVOCATION_TAG]: formatRevocation(tag) } : {};
        }),
      },
      { noNullPrototype: true },
    )
    .map((change) => keyVersion(n, change));

/** Mostly without a revocation, which settles everything. */
const versions = fc
  .tuple(fc.tuple(...Array.from({ length: COUNT }, (_, n) => version(n))), fc.integer({ min: 0, max: 3 }))
  .map(([all, revoked]) => (revoked === 0 ? all : all.map((one) => ({ ...one, tags: {} }))));

const users: fc.Arbitrary<VersionUsers> = fc.record({
  uses: fc.array(
    fc.record({
      who: fc.constantFrom('a', 'b'),
      versions: fc.array(fc.integer({ min: 0, max: COUNT - 1 }).map(versionName), { maxLength: 2 }),
    }),
    { maxLength: 3 },
  ),
  gaps: fc.array(fc.constant('Something is not read.'), { maxLength: 1 }),
});

it('A version that may be retired has been superseded for long enough, and no known user uses it', () => {
  let gone = 0;
  fc.assert(
    fc.property(versions, users, (all, who) => {
      for (const candidate of all) {
        if (listReasonsToKeep(candidate, all, who, NOW).length > 0) continue;

        gone += 1;

        const successor = findNewestUsableVersion(all, NOW);
        if (!successor) throw new Error('No version is usable.');

        expect(compareAge(successor, candidate)).toBeGreaterThan(0);

        const active = Math.max(successor.createdOn.getTime(), successor.notBefore?.getTime() ?? 0);
        expect(NOW.getTime() - active).toBeGreaterThanOrEqual(24 * HOUR_MS);
        expect(openRevocation(all, NOW)).toBeUndefined();
        expect(who.gaps).toEqual([]);
        expect(who.uses.flatMap((use) => use.versions)).not.toContain(candidate.version);
      }
    }),
    { numRuns: 4_000 },
  );

  expect(gone, 'versions that may go, or the property says nothing').toBeGreaterThan(100);
});
