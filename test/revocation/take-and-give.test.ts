import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAccountRevocations, takenId } from '../../src/revocation/account-record.ts';
import { giveAccount } from '../../src/revocation/give-account.ts';
import { takeAccount } from '../../src/revocation/take-account.ts';
import { MemoryAccount, role } from './account-parts.ts';
import { ALICE, BOB, CAROL } from './records.ts';

const DAVE = 'da4e0000-0000-4000-8000-000000000004';
const LOST = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
const REFUSED = Object.assign(new Error('no right'), { statusCode: 403, code: 'AuthorizationFailed' });

const accountWith = (...ns: readonly number[]): MemoryAccount => {
  const account = new MemoryAccount();
  account.give(...ns.map((n) => role(n)));
  return account;
};
const take = (account: MemoryAccount, id = 'f00d', revokedBy = ALICE) =>
  takeAccount(account.part(), { id, revokedBy }, account.ports);
const give = (account: MemoryAccount, revocation = 'f00d', restoredBy = BOB, dualControl = true) =>
  giveAccount(account.part(), { revocation, restoredBy, dualControl }, account.ports);
const openOn = ({ tags, now }: MemoryAccount) => readAccountRevocations(tags, now).open;
const heldBy = ({ roles }: MemoryAccount) => [...roles.keys()].sort();
const ids = (...ns: readonly number[]) => ns.map((n) => takenId(role(n)));

describe('taking away', () => {
  it('writes the record first, takes all, and proves it', async () => {
    const account = accountWith(1, 2);
    expect(await take(account)).toMatchObject({ complete: true, left: [], failures: [] });
    expect(account.calls).toEqual(['held', 'read', 'merge', 'take', 'take', 'held', 'read']);
    expect(openOn(account)).toMatchObject([{ id: 'f00d', revokedBy: ALICE, took: [role(1), role(2)] }]);
    expect(account.tags).toMatchObject({ owner: 'finance' });
  });

  it('takes nothing whose record is not written', async () => {
    const account = accountWith(1);
    account.before('merge', () => {
      throw REFUSED;
    });
    await expect(take(account)).rejects.toMatchObject({ reason: 'RecordNotWritten' });
    expect(heldBy(account)).toEqual(ids(1));
    expect(openOn(account)).toEqual([]);
  });

  it('says so when a lock keeps its record from being written', async () => {
    const account = accountWith(1);
    const locked = Object.assign(new Error('locked'), { statusCode: 409, code: 'ScopeLocked' });
    for (let n = 0; n < 2; n += 1) account.before('merge', () => Promise.reject(locked));
    await expect(take(account)).rejects.toMatchObject({
      reason: 'RecordNotWritten',
      nextStep: expect.stringMatching(/^A lock keeps/),
    });
    expect(heldBy(account)).toEqual(ids(1));
  });

  it('goes on when the record stands although every answer to its write was lost', async () => {
    const account = accountWith(1);
    const { ports } = account;
    const merge: typeof ports.tags.merge = async (...of) => {
      await ports.tags.merge(...of);
      throw LOST;
    };
    const taken = await takeAccount(
      account.part(),
      { id: 'f00d', revokedBy: ALICE },
      { ...ports, tags: { ...ports.tags, merge } },
    );
    expect(taken.complete).toBe(true);
    expect(heldBy(account)).toEqual([]);
  });

  it('has what somebody gives meanwhile in the record before it takes it', async () => {
    const account = accountWith(1);
    account.before('take', () => {
      account.give(role(2));
      account.before('take', () => account.give(role(3)));
    });
    expect((await take(account)).complete).toBe(true);
    expect(heldBy(account)).toEqual([]);
    expect(openOn(account)).toMatchObject([{ took: [role(1), role(2), role(3)] }]);
  });

  it('writes the record again that somebody has overwritten with tags of their own', async () => {
    const account = accountWith(1);
    account.before('take', () => {
      account.tags = { owner: 'somebody' };
    });
    expect((await take(account)).complete).toBe(true);
    expect(openOn(account)).toMatchObject([{ id: 'f00d', took: [role(1)] }]);
    expect(account.tags).toMatchObject({ owner: 'somebody' });
  });

  it('writes its own record again, also where that of one that it has joined stands', async () => {
    const account = accountWith(1);
    await take(account);
    account.give(role(2));
    account.before('take', () => {
      account.tags = Object.fromEntries(Object.entries(account.tags).filter(([name]) => !name.includes('beef')));
    });
    expect((await take(account, 'beef', BOB)).complete).toBe(true);
    expect(openOn(account)[0]).toMatchObject({ id: 'beef', took: [role(1), role(2)] });
  });

  it('does not tell of what failed and is gone all the same, or was done the next time', async () => {
    const account = accountWith(1);
    account.answered = (call) => {
      if (call === 'take') throw LOST;
    };
    expect(await take(account)).toMatchObject({ complete: true, failures: [] });

    const other = accountWith(1);
    for (let n = 0; n < 2; n += 1) other.before('take', () => Promise.reject(LOST));
    other.before('take', () => {
      for (let n = 0; n < 4; n += 1) other.before('held', () => Promise.reject(LOST));
    });
    expect(await take(other)).toMatchObject({ complete: false, left: undefined, failures: [] });
  });

  it('leaves no record behind when a lock keeps all of it', async () => {
    const account = accountWith(1);
    const locked = Object.assign(new Error('locked'), { statusCode: 409, code: 'ScopeLocked' });
    for (let n = 0; n < 2; n += 1) account.before('take', () => Promise.reject(locked));
    await expect(take(account)).rejects.toMatchObject({ reason: 'AccountNotRevocable' });
    expect(openOn(account)).toEqual([]);
  });

  it('leaves no record behind when it may take nothing', async () => {
    const account = accountWith(1, 2);
    for (let n = 0; n < 2; n += 1) {
      account.before('take', () => {
        throw REFUSED;
      });
    }
    await expect(take(account)).rejects.toMatchObject({ reason: 'MissingPermission' });
    expect(account.tags).toEqual({ owner: 'finance' });
    expect(heldBy(account)).toEqual(ids(1, 2));
  });

  it('leaves its record where it cannot be read whether all of it is there still', async () => {
    const account = accountWith(1);
    account.before('take', () => Promise.reject(REFUSED));
    account.before('remove', () => {
      for (let n = 0; n < 2; n += 1) account.before('held', () => Promise.reject(LOST));
    });
    expect(await take(account)).toMatchObject({ complete: false, left: undefined });
    expect(openOn(account)).toMatchObject([{ id: 'f00d', took: [role(1)] }]);
  });

  it('keeps the record when it may take some alone: what it took is given back', async () => {
    const account = accountWith(1, 2);
    account.before('take', () => {});
    for (let n = 0; n < 6; n += 1) {
      account.before('take', () => {
        throw REFUSED;
      });
    }
    expect(await take(account)).toMatchObject({ complete: false, left: [role(2)], failures: [{ forbidden: true }] });
    expect(await give(account)).toMatchObject({ end: 'restored', given: [role(1)] });
    expect(heldBy(account)).toEqual(ids(1, 2));
  });

  it('keeps the record when the one call that took it lost its answer, and it was refused the next time', async () => {
    const account = accountWith(1);
    account.answered = (call) => {
      if (call !== 'take') return;
      account.before('take', () => {
        throw REFUSED;
      });
      account.answered = undefined;
      throw LOST;
    };
    expect(await take(account)).toMatchObject({ complete: true, revocation: { took: [role(1)] } });
    expect(openOn(account)).toHaveLength(1);
  });

  it('keeps it too when nothing could be read after an answer was lost and the next one was a refusal', async () => {
    const account = accountWith(1);
    account.answered = (call) => {
      if (call !== 'take') return;
      account.answered = undefined;
      account.before('take', () => {
        throw REFUSED;
      });
      for (let n = 0; n < 6; n += 1) {
        account.before('held', () => {
          throw LOST;
        });
      }
      throw LOST;
    };
    expect(await take(account)).toMatchObject({
      complete: false,
      left: undefined,
      unproven: 'ECONNRESET: socket hang up',
    });
    expect(heldBy(account)).toEqual([]);
    expect(await give(account)).toMatchObject({ end: 'restored', given: [role(1)] });
  });

  it('keeps what it has joined and its own record when it may take nothing: a restore may be at it', async () => {
    const account = accountWith(1);
    account.before('take', () => Promise.reject(LOST));
    for (let n = 0; n < 5; n += 1) account.before('take', () => Promise.reject(LOST));
    await take(account);
    for (let n = 0; n < 3; n += 1) account.before('take', () => Promise.reject(REFUSED));
    expect(await take(account, 'beef', BOB)).toMatchObject({ complete: false, failures: [{ forbidden: true }] });
    expect(openOn(account).map(({ id }) => id)).toEqual(['beef', 'f00d']);
  });

  it('takes nothing that the record has not, when a longer one cannot be written', async () => {
    const account = accountWith(1);
    // So short that the longer record has as many pieces, the first of which is the same.
    const short = role(2, { scope: '/subscriptions/' });
    account.before('take', () => {
      account.give(short);
      for (let n = 0; n < 4; n += 1) account.before('merge', () => Promise.reject(REFUSED));
    });
    expect(await take(account)).toMatchObject({ complete: false });
    expect(openOn(account)).toMatchObject([{ took: [role(1)] }]);
    expect(heldBy(account)).toEqual([takenId(short)]);
  });

  it('does not say that there is no proof once there is', async () => {
    const account = accountWith(1);
    account.before('take', () => {
      for (let n = 0; n < 2; n += 1) account.before('held', () => Promise.reject(LOST));
    });
    const taken = await take(account);
    expect(taken.complete).toBe(true);
    expect(taken).not.toHaveProperty('unproven');
  });

  it('says what it could not take, and finishes when it is repeated', async () => {
    const account = accountWith(1);
    for (let n = 0; n < 6; n += 1) {
      account.before('take', () => {
        throw LOST;
      });
    }
    expect(await take(account)).toMatchObject({
      complete: false,
      left: [role(1)],
      failures: [{ taken: role(1), error: 'ECONNRESET: socket hang up' }],
    });
    expect((await take(account, 'beef')).complete).toBe(true);
    expect(openOn(account)[0]).toMatchObject({ id: 'beef', took: [role(1)] });
  });

  it('joins what is open: a person who killed it half-way, and another one, may neither restore', async () => {
    const account = accountWith(1, 2);
    await take(account);
    const joined = await take(account, 'beef', BOB);
    expect(joined.revocation).toMatchObject({ joined: [ALICE], took: [role(1), role(2)] });
    expect(joined.revocation.revokedOn.getTime()).toBeGreaterThan(openOn(account)[1]?.revokedOn.getTime() ?? 0);
    expect(await give(account, 'f00d', CAROL)).toMatchObject({ end: 'otherRevocation', revocation: { id: 'beef' } });
    for (const who of [ALICE, BOB]) expect(await give(account, 'beef', who)).toMatchObject({ end: 'secondPerson' });
    expect(await give(account, 'beef', CAROL)).toMatchObject({ end: 'restored' });
    expect(heldBy(account)).toEqual(ids(1, 2));
    expect(openOn(account)).toEqual([]);
  });

  it('is believed however many it joins', async () => {
    const account = accountWith(1);
    for (let n = 10; n < 32; n += 1) {
      const revokedBy = `a11ce000-0000-4000-8000-0000000000${n}`;
      expect(await take(account, `f00d-${n}`, revokedBy)).toMatchObject({ complete: true });
    }
  });
});

describe('giving back', () => {
  it('gives exactly what was taken, takes the record away last, and leaves other tags', async () => {
    const account = accountWith(1);
    await take(account);
    account.calls.length = 0;
    expect(await give(account)).toMatchObject({ end: 'restored', given: [role(1)] });
    expect(account.calls.indexOf('remove')).toBeGreaterThan(account.calls.indexOf('give'));
    expect(account.tags).toEqual({ owner: 'finance' });
    expect(heldBy(account)).toEqual(ids(1));
    expect(await give(account)).toMatchObject({ end: 'nothing', given: [] });
  });

  it('does not take a record that has lost a piece, or is from the future, for a restore that is done', async () => {
    const account = accountWith(1, 2, 3);
    const { revocation } = await take(account);
    const whole = { ...account.tags };
    delete account.tags[`cmk-revoked-${revocation.id}.2`];
    expect(await give(account)).toMatchObject({ end: 'unbelieved', given: [] });
    account.tags = { ...whole };
    account.now = new Date(revocation.revokedOn.getTime() - 10 * 60_000);
    expect(await give(account)).toMatchObject({ end: 'unbelieved', given: [] });
    expect(account.tags).toEqual(whole);
    expect(heldBy(account)).toEqual([]);
  });

  it('gives nothing where there was nothing to take', async () => {
    const account = accountWith();
    expect(await take(account)).toMatchObject({ complete: true, revocation: { took: [] } });
    expect(await give(account)).toMatchObject({ end: 'restored', given: [] });
    expect(heldBy(account)).toEqual([]);
  });

  it('is refused to who revoked, unless dual control is off', async () => {
    const account = accountWith(1);
    await take(account);
    for (const who of [ALICE, ALICE.toUpperCase()]) {
      expect(await give(account, 'f00d', who)).toMatchObject({ end: 'secondPerson' });
    }
    expect(heldBy(account)).toEqual([]);
    expect(await give(account, 'f00d', ALICE, false)).toMatchObject({ end: 'restored' });
  });

  it('keeps the record as long as something is missing, and finishes when it is repeated', async () => {
    const account = accountWith(1, 2);
    await take(account);
    account.before('give', () => {
      throw REFUSED;
    });
    expect(await give(account)).toMatchObject({ end: 'incomplete', given: [role(2)] });
    expect(openOn(account)).toHaveLength(1);
    expect(await give(account)).toMatchObject({ end: 'restored', given: [role(1)] });
  });

  it('is refused to each of two who revoked at the same moment, and gives what either of them took', async () => {
    const account = accountWith(1);
    account.before('merge', async () => {
      // It has looked before this was given, and does not know of the other one.
      account.give(role(2));
      account.now = new Date(account.now.getTime() - 1_000);
      await take(account);
      account.now = new Date(account.now.getTime() + 1_000);
    });
    await take(account, 'beef', BOB);
    expect(openOn(account)).toMatchObject([{ id: 'beef', took: [role(1)] }, { id: 'f00d' }]);
    for (const who of [ALICE, BOB]) expect(await give(account, 'beef', who)).toMatchObject({ end: 'secondPerson' });
    expect(await give(account, 'beef', CAROL)).toMatchObject({ end: 'restored' });
    expect(heldBy(account)).toEqual(ids(1, 2));
    expect(openOn(account)).toEqual([]);
  });

  it('is of one part: what is open of another is not in its way, and stays', async () => {
    const account = accountWith();
    await takeAccount(account.part('scope:scope1'), { id: 'f00d', revokedBy: ALICE }, account.ports);
    account.now = new Date(account.now.getTime() + 1_000);
    await take(account, 'beef', BOB);
    const request = { revocation: 'f00d', restoredBy: BOB, dualControl: true };
    const given = await giveAccount(account.part('scope:scope1'), request, account.ports);
    expect(given).toMatchObject({ end: 'restored' });
    expect(openOn(account).map(({ id }) => id)).toEqual(['beef']);
  });

  it('is not done by answers alone: what was given has to be there, and the record gone', async () => {
    const account = accountWith(1);
    await take(account);
    const { ports } = account;
    const request = { revocation: 'f00d', restoredBy: BOB, dualControl: true };
    const part = account.part();
    const without = await giveAccount({ ...part, give: async () => {} }, request, ports);
    expect(without).toMatchObject({ end: 'incomplete', given: [], failures: [{ taken: role(1) }] });
    const stuck = { ...ports, tags: { ...ports.tags, remove: async () => {} } };
    expect(await giveAccount(part, request, stuck)).toMatchObject({ end: 'incomplete' });
    expect(openOn(account)).toHaveLength(1);
  });

  it('has its record again where something was taken away as late as that, and can be repeated', async () => {
    const account = accountWith(1);
    await take(account);
    account.before('remove', () =>
      account.before('isHeld', () => {
        account.roles.clear();
        account.before('give', () => Promise.reject(REFUSED));
      }),
    );
    expect(await give(account)).toMatchObject({ end: 'incomplete', failures: [{ taken: role(1) }] });
    expect(openOn(account)).toMatchObject([{ id: 'f00d', took: [role(1)] }]);
    expect(await give(account)).toMatchObject({ end: 'restored', given: [role(1)] });
  });

  it('does not tell of what failed at first, and was given by somebody else then', async () => {
    const account = accountWith(1);
    await take(account);
    account.before('give', () => {
      account.before('read', async () => void (await take(account, 'beef', CAROL)));
      account.before('take', async () => void (await give(account, 'beef', DAVE)));
      return Promise.reject(REFUSED);
    });
    expect(await give(account)).toMatchObject({ end: 'restored', failures: [] });
    expect(heldBy(account)).toEqual(ids(1));
  });

  it('goes on when the revocation that it has lost to is withdrawn, before it takes anything back for it', async () => {
    const account = accountWith(1);
    await take(account);
    const [begun, refused] = [gate(), gate()];
    const refuse = () => {
      begun.open();
      return refused.opened.then(() => Promise.reject(REFUSED));
    };
    let newer: Promise<unknown> = Promise.resolve();
    account.before('remove', () =>
      account.before('read', () => {
        const by = { id: 'beef', revokedBy: CAROL };
        newer = takeAccount({ ...account.part(), take: refuse }, by, account.ports).catch((error) => error.reason);
        return begun.opened;
      }),
    );
    account.before('take', async () => {
      refused.open();
      expect(await newer).toBe('MissingPermission');
    });
    expect(await give(account)).toMatchObject({ end: 'restored' });
    expect(heldBy(account)).toEqual(ids(1));
    expect(openOn(account)).toEqual([]);
  });

  it('stays on record by the revocation that it has lost to, which may take nothing and withdraws itself', async () => {
    const account = accountWith(1);
    await take(account);
    const [withdrawing, given] = [gate(), gate()];
    let newer: Promise<unknown> = Promise.resolve();
    account.before('remove', () => {
      account.before('remove', () => {
        withdrawing.open();
        return given.opened;
      });
      account.before('read', () => {
        const part = { ...account.part(), take: () => Promise.reject(REFUSED) };
        newer = takeAccount(part, { id: 'beef', revokedBy: CAROL }, account.ports);
        return withdrawing.opened;
      });
    });
    expect(await give(account)).toMatchObject({ end: 'overtaken', revocation: { id: 'beef' } });
    given.open();
    expect(await newer).toMatchObject({ complete: false });
    expect(await give(account, 'beef', DAVE)).toMatchObject({ end: 'restored', given: [role(1)] });
  });

  it.each(['isHeld', 'give', 'read', 'remove'] as const)(
    'loses to a revocation that begins at its %s, which then gives back everything',
    async (call) => {
      const account = accountWith(1, 2);
      await take(account);
      account.before(call, async () => {
        if (call === 'read') account.before('read', () => void take(account, 'beef', CAROL));
        else await take(account, 'beef', CAROL);
      });
      const { end } = await give(account);
      await new Promise((resolve) => setImmediate(resolve));
      expect(end).toBe('overtaken');
      expect(heldBy(account)).toEqual([]);
      expect(openOn(account)[0]).toMatchObject({ id: 'beef' });
      expect(await give(account, 'beef')).toMatchObject({ end: 'restored' });
      expect(heldBy(account)).toEqual(ids(1, 2));
      expect(openOn(account)).toEqual([]);
    },
  );
});

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

function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

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
