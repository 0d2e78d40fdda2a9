import { describe, expect, it } from 'vitest';
import { formatAccountRevocation, restOf } from '../../src/revocation/account-record.ts';
import { giveAccount } from '../../src/revocation/give-account.ts';
import { takeAccount } from '../../src/revocation/take-account.ts';
import { accountWith, DAVE, gate, give, heldBy, ids, openOn, REFUSED, role, take } from './account-parts.ts';
import { ALICE, BOB, CAROL } from './records.ts';

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

  it.each(['give', 'remove'] as const)(
    'does not lose to the record of what a killed restore of the same has not given, from its %s on',
    async (call) => {
      const account = accountWith(1, 2);
      const { revocation } = await take(account);
      account.before(call, () => {
        account.roles.delete(ids(1)[0] ?? '');
        account.tags = { ...account.tags, ...formatAccountRevocation({ ...revocation, id: restOf('f00d') }) };
      });
      expect(await give(account)).toMatchObject({ end: 'restored', closed: [{ id: 'f00d' }, { id: 'f00d-rest' }] });
      expect(heldBy(account)).toEqual(ids(1, 2));
      expect(openOn(account)).toEqual([]);
    },
  );

  it.each(['give', 'remove'] as const)(
    'gives also what a revocation that is still at work has put into its record since, up to the %s',
    async (call) => {
      const account = accountWith(1);
      const { revocation } = await take(account);
      account.before(call, () => {
        const grown = formatAccountRevocation({ ...revocation, took: [role(1), role(2)] });
        account.tags = { ...account.tags, ...grown };
      });
      expect(await give(account)).toMatchObject({
        end: 'restored',
        closed: [{ took: [role(1), role(2)] }],
        given: [role(1), role(2)],
      });
      // Killed between the two, it would leave what it has not given on no record.
      if (call === 'give') expect(account.calls.lastIndexOf('give')).toBeLessThan(account.calls.indexOf('remove'));
      expect(heldBy(account)).toEqual(ids(1, 2));
      expect(openOn(account)).toEqual([]);
    },
  );

  it('closes a record that grew right before it was to go, by what is not taken yet', async () => {
    const account = accountWith(1);
    const { revocation } = await take(account);
    account.before('remove', () => {
      account.give(role(2));
      account.tags = { ...account.tags, ...formatAccountRevocation({ ...revocation, took: [role(1), role(2)] }) };
    });
    expect(await give(account)).toMatchObject({ end: 'restored', given: [role(1)] });
    expect(heldBy(account)).toEqual(ids(1, 2));
    expect(openOn(account)).toEqual([]);
  });

  it('is not overtaken by what a look puts on record of another one that was restored', async () => {
    const account = accountWith(1);
    const { revocation } = await take(account);
    const rest = formatAccountRevocation({ ...revocation, id: 'beef-rest', took: [role(2)] });
    account.before('give', () => {
      account.tags = { ...account.tags, ...rest };
    });
    expect(await give(account)).toMatchObject({ end: 'incomplete', unproven: expect.stringContaining('record') });
    expect([heldBy(account), openOn(account).map(({ id }) => id)]).toEqual([ids(1), ['beef-rest']]);
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
