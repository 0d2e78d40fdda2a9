import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { giveAccount } from '../../src/revocation/give-account.ts';
import { takeAccount } from '../../src/revocation/take-account.ts';
import { accountWith, DAVE, gate, give, heldBy, ids, LOST, openOn, REFUSED, role, take } from './account-parts.ts';
import { ALICE, BOB, CAROL } from './records.ts';

describe('a revocation that looked before the restore had given anything, and wrote its record after', () => {
  it('has what was given in its record before anybody takes that away', async () => {
    const account = accountWith(1);
    await take(account);
    const [removed, restored] = [gate(), gate()];
    const { ports } = account;
    const part = account.part();
    let [looks, merged] = [0, gate()];
    const slow = takeAccount(
      { ...part, held: () => (++looks === 1 ? part.held() : restored.opened.then(() => part.held())) },
      { id: 'beef', revokedBy: CAROL },
      {
        ...ports,
        tags: {
          ...ports.tags,
          read: (of) => removed.opened.then(() => ports.tags.read(of)),
          merge: (...of) => ports.tags.merge(...of).then(merged.open),
        },
      },
    );
    const remove: typeof ports.tags.remove = async (...of) => {
      await ports.tags.remove(...of);
      removed.open();
      await merged.opened;
    };
    const restore = giveAccount(
      part,
      { revocation: 'f00d', restoredBy: BOB, dualControl: true },
      {
        ...ports,
        tags: { ...ports.tags, remove },
      },
    );
    expect(await restore).toMatchObject({ end: 'overtaken', revocation: { id: 'beef' } });
    merged = gate();
    restored.open();
    expect(await slow).toMatchObject({ complete: true, revocation: { took: [role(1)] } });
    expect(await give(account, 'beef')).toMatchObject({ end: 'restored', given: [role(1)] });
  });
});

describe('a restore of a revocation that is not finished', () => {
  it('loses nothing to a newer one that has looked meanwhile and knows of neither', async () => {
    const account = accountWith(1);
    const [begun, taken, looked, removed, merged] = [gate(), gate(), gate(), gate(), gate()];
    account.before('take', () => {
      begun.open();
      return given.opened;
    });
    const given = gate();
    const first = take(account).then(taken.open);
    await begun.opened;
    const { ports } = account;
    const remove: typeof ports.tags.remove = async (...of) => {
      // It has seen all of it held, and takes the record away.
      given.open();
      await looked.opened;
      await ports.tags.remove(...of);
      removed.open();
      await merged.opened;
    };
    const request = { revocation: 'f00d', restoredBy: BOB, dualControl: true };
    const restore = giveAccount(account.part(), request, { ...ports, tags: { ...ports.tags, remove } });
    await taken.opened;
    const read = () => {
      looked.open();
      return removed.opened.then(() => ports.tags.read(account.part().account));
    };
    let reads = 0;
    const newer = takeAccount(
      account.part(),
      { id: 'beef', revokedBy: CAROL },
      {
        ...ports,
        tags: {
          ...ports.tags,
          read: (of) => (++reads === 1 ? read() : ports.tags.read(of)),
          merge: (...of) => ports.tags.merge(...of).then(merged.open),
        },
      },
    );
    expect(await newer).toMatchObject({ complete: true, revocation: { took: [] } });
    expect(await restore).toMatchObject({ end: 'overtaken', revocation: { id: 'beef' } });
    await first;
    expect(heldBy(account)).toEqual([]);
    expect(await give(account, 'beef', DAVE)).toMatchObject({ end: 'restored', given: [role(1)] });
    expect(openOn(account)).toEqual([]);
  });
});

it('a revocation that may take nothing leaves no record behind, unless a restore has taken it away for it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), async (scheduler) => {
      const account = accountWith(1);
      await take(account);
      account.turn = (call) => scheduler.schedule(Promise.resolve(), call);
      const refused = async () => {
        await scheduler.schedule(Promise.resolve(), 'refused');
        throw REFUSED;
      };
      const by = { id: 'beef', revokedBy: CAROL };
      await scheduler.waitFor(
        Promise.allSettled([give(account), takeAccount({ ...account.part(), take: refused }, by, account.ports)]),
      );
      account.turn = undefined;
      const [newest] = openOn(account);
      if (newest) await give(account, newest.id, DAVE);
      expect(heldBy(account)).toEqual(ids(1));
      expect(openOn(account)).toEqual([]);
    }),
    { numRuns: 400 },
  );
});

describe('several at once, with answers that are lost', () => {
  it('end in either all taken or all given, and the last revocation gives everything back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.boolean(), { maxLength: 12 }),
        fc.constantFrom('restore', 'revoke', 'restoreNewer'),
        async (scheduler, lost, third) => {
          const account = accountWith(1, 2);
          await take(account);
          account.turn = (call) => scheduler.schedule(Promise.resolve(), call);
          const fates = [...lost];
          account.answered = () => {
            if (fates.shift()) throw LOST;
          };
          const beef = take(account, 'beef', CAROL);
          const all = Promise.allSettled([
            give(account),
            beef,
            third === 'restore' ? give(account, 'f00d', CAROL) : undefined,
            third === 'revoke' ? take(account, 'cafe', ALICE) : undefined,
            // While the restore that it has overtaken may still be taking back.
            third === 'restoreNewer' ? beef.then(() => give(account, 'beef', DAVE)) : undefined,
          ]);
          await scheduler.waitFor(all);
          account.turn = undefined;
          account.answered = undefined;

          // Whoever lost an answer repeats the call; nobody else has to do anything.
          const [newest] = openOn(account);
          if (newest) {
            // A restore of it that was not finished may have given some.
            if (!lost.includes(true) && third !== 'restoreNewer') expect(heldBy(account)).toEqual([]);
            await take(account, 'dead', newest.revokedBy);
            expect(heldBy(account)).toEqual([]);
            expect(await give(account, 'dead', DAVE)).toMatchObject({ end: 'restored' });
          }
          expect(heldBy(account)).toEqual(ids(1, 2));
          expect(openOn(account)).toEqual([]);
        },
      ),
      { numRuns: 400 },
    );
  });
});
