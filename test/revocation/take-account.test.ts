import { describe, expect, it } from 'vitest';
import { takenId } from '../../src/revocation/account-record.ts';
import { takeAccount } from '../../src/revocation/take-account.ts';
import { POLICY_DENIAL } from '../support/blocked.ts';
import { accountWith, give, heldBy, ids, LOST, openOn, REFUSED, role, take } from './account-parts.ts';
import { ALICE, BOB, CAROL } from './records.ts';

describe('taking away', () => {
  it('writes the record first, takes all, and proves it', async () => {
    const account = accountWith(1, 2);
    expect(await take(account)).toMatchObject({ complete: true, left: [], failures: [] });
    expect(account.calls).toEqual(['held', 'read', 'merge', 'take', 'take', 'held', 'read']);
    expect(openOn(account)).toMatchObject([{ id: 'f00d', revokedBy: ALICE, took: [role(1), role(2)] }]);
    expect(account.tags).toMatchObject({ owner: 'finance' });
  });

  it('proves nothing where somebody may be a group, although nothing is left, and does not try again for it', async () => {
    const account = accountWith(1);
    account.doubt = 'Others have a role.';
    const taken = await take(account);
    expect(taken).toMatchObject({ complete: false, left: [], failures: [], unproven: 'Others have a role.' });
    expect(account.calls.filter((call) => call === 'held')).toHaveLength(2);
    expect(openOn(account)).toMatchObject([{ took: [role(1)] }]);
    expect(await give(account)).toMatchObject({ end: 'restored' });
    expect(heldBy(account)).toEqual(ids(1));
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
    const found = [role(1), role(2), role(3)];
    expect(await take(account)).toMatchObject({ complete: true, found });
    expect(heldBy(account)).toEqual([]);
    expect(openOn(account)).toMatchObject([{ took: found }]);
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

  it('says which policy denies it, and leaves no record behind', async () => {
    const account = accountWith(1);
    const { message, code } = POLICY_DENIAL.body.error;
    const denied = Object.assign(new Error(message), { statusCode: 403, code });
    for (let n = 0; n < 2; n += 1) account.before('take', () => Promise.reject(denied));
    await expect(take(account)).rejects.toMatchObject({
      reason: 'AccountNotRevocable',
      message: expect.stringContaining('assigned as "Freeze"'),
      nextStep: expect.stringContaining('az policy exemption create'),
    });
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
    expect(joined.found).toEqual([]);
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
