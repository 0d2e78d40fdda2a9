import { describe, expect, it } from 'vitest';
import { SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { accountOfCall } from '../../src/break-glass/account-of-call.ts';
import { accountShares, SHARE_LISTS } from '../../src/break-glass/account-shares.ts';
import { accountStatus, lookAtAccount } from '../../src/break-glass/account-status.ts';
import { formatAccountRevocation, type RevokedPart } from '../../src/revocation/account-record.ts';
import { ALICE } from '../revocation/records.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const path = `/subscriptions/${SECOND_SUBSCRIPTION_ID}/resources`;
const services = () => {
  const real = wire.services();
  return { ...real, settings: { ...real.settings, subscriptions: [SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID] } };
};

describe('the account that a call names', () => {
  it.each([
    ['may not be read', { answer: { status: 403 } }],
    ['does not answer', { hang: true }],
  ] as const)('is found although another subscription %s', async (_, fault) => {
    const account = new TestKey(wire.azure.world).account();
    wire.azure.faults.add([{ match: { host: 'management.azure.com', path }, ...fault }]);
    expect((await accountOfCall(account.name.toUpperCase(), services())).id).toBe(account.id);
  });

  it.each(["stfiles01' or name ne 'x", '../stfiles01', '', undefined])(
    'is asked of nobody where it cannot be a name: %s',
    async (name) => {
      const since = wire.azure.requests.last;
      await expect(accountOfCall(name, services())).rejects.toMatchObject({ status: 404 });
      expect(wire.arm(since)).toEqual([]);
    },
  );

  it('is not said to be missing as long as a subscription could not be read', async () => {
    wire.azure.faults.add([{ match: { host: 'management.azure.com', path }, answer: { status: 403 } }]);
    await expect(accountOfCall('nosuchaccount', services())).rejects.toMatchObject({ status: 502 });
    wire.azure.faults.clear();
    await expect(accountOfCall('nosuchaccount', services())).rejects.toMatchObject({ status: 404 });
  });
});

it('shows of an account what is on keys within reach, and not the encryption scopes on others', async () => {
  const [own, other] = [new TestKey(wire.azure.world), new TestKey(wire.azure.world)];
  const account = own.account('pinned', {
    scopes: [
      { name: 'near1', key: own.use('pinned') },
      { name: 'far1', key: other.use('pinned') },
    ],
  });
  const record = (id: string, part: RevokedPart) =>
    formatAccountRevocation({ id, revokedOn: wire.azure.clock.now(), revokedBy: ALICE, part, took: [] });
  account.tags = { ...record('f00d', 'scope:near1'), ...record('beef', 'scope:far1') };
  const look = await lookAtAccount(await accountOfCall(account.name, services()), services());
  const status = await accountStatus(look, ({ key }) => key === own.name, services());
  expect(status.revocations.map(({ id }) => id)).toEqual(['f00d']);
});

describe('the file shares of an account, and its access', () => {
  const below = async (name: string) => {
    const { account, key } = await lookAtAccount(await accountOfCall(name, services()), services());
    return accountShares(account, key, services());
  };

  it('are read afresh', async () => {
    const { world } = wire.azure;
    const account = new TestKey(world).account('pinned', {
      identity: undefined as never,
      shares: ['share1', 'share2'],
    });
    expect(await below(account.name)).toEqual({
      shares: [
        { name: 'share1', protocol: 'SMB' },
        { name: 'share2', protocol: 'SMB' },
      ],
      access: { ready: true, reason: undefined, missing: [] },
      warnings: [],
    });
    for (const [id, { principalId }] of world.roleAssignments) {
      if (principalId === account.identity?.principalId) world.roleAssignments.delete(id);
    }
    expect((await below(account.name)).access).toMatchObject({
      ready: false,
      reason: 'IdentityWithoutRole',
      missing: expect.arrayContaining([expect.stringMatching(/^No role at .* allows/)]),
    });
  });

  it('are not known where they cannot be listed, which is said, and hides nothing else', async () => {
    const account = new TestKey(wire.azure.world).account();
    wire.azure.faults.add([{ match: { path: '/fileServices/default/shares' }, answer: { status: 403 } }]);
    const { shares, access, warnings } = await below(account.name);
    wire.azure.faults.clear();
    expect({ shares, ready: access?.ready }).toEqual({ shares: undefined, ready: true });
    expect(warnings).toEqual([expect.stringMatching(/^The file shares could not be listed: /)]);
    expect(await below('stplain01')).not.toHaveProperty('access');
  });

  it('leave the lists of the region to the work of the app, however often they are asked for', async () => {
    const { name } = new TestKey(wire.azure.world).account();
    const since = wire.azure.requests.last;
    const seen: Awaited<ReturnType<typeof below>>[] = [];
    for (let n = 0; n < 40; n += 1) seen.push(await below(name));
    const lists = wire.arm(since, /\/fileServices\/default\/shares/);
    expect(lists.length).toBeGreaterThan(0);
    expect(lists.length).toBeLessThanOrEqual(SHARE_LISTS.burst);
    expect(seen.at(-1)).toEqual({
      access: { ready: true, reason: undefined, missing: [] },
      warnings: [expect.stringMatching(/^The file shares were not listed: Azure allows few lists .* in \d+ s\.$/)],
    });
  });
});
