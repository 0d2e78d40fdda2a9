import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { addAccount, addIdentity, allowStorage } from '../../../local/azure/fleet.ts';
import { enableAccount } from '../../../src/cli/procedures/account/account-enable.ts';
import { verifyAccount } from '../../../src/cli/procedures/account/account-verify.ts';
import { revokeKey } from '../../../src/revocation/revoke.ts';
import { arm } from '../../local-azure/support.ts';
import { wordsOf } from '../../support/pasted.ts';
import { keyOf, type Site, unique, useProcedures } from '../../support/procedures.ts';
import { runCmk } from '../../support/run-cmk.ts';

const procedures = useProcedures();

async function verify(account: { name: string }) {
  const { result } = await procedures.run((operation) => verifyAccount({ account: account.name }, operation));
  const states = Object.fromEntries(result.checks.map(({ check, state }) => [check, state]));
  const fixes = Object.fromEntries(result.checks.map(({ check, fix }) => [check, fix]));
  return { ok: result.ok, states, fixes };
}

const ALL_OK = {
  'key source': 'ok',
  key: 'ok',
  'version usable': 'ok',
  'version newest': 'ok',
  identity: 'ok',
  'role on the key': 'ok',
  'purge protection': 'ok',
  network: 'ok',
  queues: 'ok',
  tables: 'ok',
  'file service': 'ok',
};

describe('account verify', () => {
  it('account verify finds nothing wrong with a healthy account', async () => {
    expect(await verify(procedures.encrypted(procedures.site()))).toMatchObject({ ok: true, states: ALL_OK });
  });

  it("account verify prints the next step for an account on Microsoft's keys", async () => {
    const { ok, states, fixes } = await verify(procedures.site().account);
    expect(ok).toBe(false);
    expect(states).toEqual({ 'key source': 'failed', 'file service': 'ok' });
    expect(fixes['key source']).toContain('cmk account enable');
  });

  it.each([
    [
      'a newer version that a pinned account is not at',
      'pinned' as const,
      (site: Site) => procedures.nextVersion(site),
      { 'version newest': 'failed' },
      /cmk account pin/,
    ],
    [
      'purge protection that is off',
      'automatic' as const,
      (site: Site) => Object.assign(site.vault.properties, { enablePurgeProtection: false }),
      { 'purge protection': 'failed' },
      /az keyvault update --enable-purge-protection true/,
    ],
    [
      'a version that expired: data is still served',
      'pinned' as const,
      (site: Site) => Object.assign(site.version, { exp: 1_600_000_000 }),
      { 'version usable': 'failed' },
      /cmk key rotate/,
      // The app moves it then; without the app, a person does.
      /^cmk account pin/m,
    ],
    [
      'a key that was deleted',
      'pinned' as const,
      (site: Site) => site.vault.keys.delete(site.key),
      { key: 'failed', 'version usable': 'unknown', 'version newest': 'unknown', 'file service': 'failed' },
      /az keyvault key recover/,
    ],
    [
      'a role that was taken away',
      'pinned' as const,
      (site: Site): void => {
        const { roleAssignments } = procedures.world;
        for (const [id, { principalId }] of roleAssignments) {
          if (principalId === site.identity.principalId) roleAssignments.delete(id);
        }
      },
      { 'role on the key': 'failed', 'file service': 'failed' },
      /az role assignment create/,
    ],
    [
      'a vault that is gone',
      'pinned' as const,
      (site: Site) => procedures.world.vaults.delete(site.vault.name),
      {
        key: 'failed',
        'version usable': 'unknown',
        'version newest': 'unknown',
        'role on the key': 'unknown',
        'purge protection': 'unknown',
        network: 'unknown',
        'file service': 'failed',
      },
      /az keyvault recover/,
    ],
  ] as const)(
    'account verify reports %s',
    async (_, mode, break_, states, fix, next: RegExp | undefined = undefined) => {
      const site = procedures.site();
      const account = procedures.encrypted(site, mode);

      break_(site);

      const found = await verify(account);
      expect(found.ok).toBe(false);
      expect(found.states).toEqual({ ...ALL_OK, ...states });

      const fixes = Object.values(found.fixes).join('\n');
      expect(fixes).toMatch(fix);

      // They can be run as they stand there.
      expect(fixes).not.toMatch(/<|cmk (account|key|role) \S+(\n|$)/);

      const commands = Object.values(found.fixes).filter((one) => one?.startsWith('cmk '));
      for (const command of commands) {
        const { code, err } = await runCmk(procedures, wordsOf(command ?? ''));
        expect({ command, code, err }).toMatchObject({ code: 0 });
      }

      const fixed = await verify(account);
      if (commands.length > 0 && !next) expect(fixed.ok).toBe(true);
      if (next) expect(Object.values(fixed.fixes).join('\n')).toMatch(next);
    },
  );

  it.each([
    [
      'the operations of Storage that the key lacks',
      ({ version }: Site) => Object.assign(version, { keyOps: ['sign', 'verify'] }),
      { key: 'failed' },
      /az keyvault key set-attributes/,
    ],
    [
      'a network that keeps Storage out',
      ({ vault }: Site): void => {
        const networkAcls = { bypass: 'None', defaultAction: 'Deny', ipRules: [], virtualNetworkRules: [] };
        Object.assign(vault.properties, { networkAcls });
      },
      { network: 'failed' },
      /az keyvault update --bypass AzureServices/,
    ],
    [
      'a vault that trusts another tenant',
      ({ vault }: Site) => Object.assign(vault.properties, { tenantId: randomUUID() }),
      { identity: 'failed' },
      /Give the vault the tenant/,
    ],
  ] as const)('account verify reports %s', async (_, break_, states, fix) => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    break_(site);
    const found = await verify(account);
    expect(found.ok).toBe(false);
    expect(found.states).toMatchObject(states);
    expect(Object.values(found.fixes).join('\n')).toMatch(fix);
  });

  it('account verify reports as unknown whether a network security perimeter admits the account', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    Object.assign(site.vault.properties, { publicNetworkAccess: 'SecuredByPerimeter' });
    expect((await verify(account)).states.network).toBe('unknown');
  });

  it('account verify reports as unknown whether an identity has an access policy through a group', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const policy = { objectId: '99999999-9999-4999-8999-999999999999', permissions: { keys: ['all'] } };
    Object.assign(site.vault.properties, { enableRbacAuthorization: false, accessPolicies: [policy] });
    const { ok, states, fixes } = await verify(account);
    expect([ok, states['role on the key'], fixes['role on the key']]).toEqual([false, 'unknown', undefined]);
  });

  it.each([
    ['advice where no key is required', false, 'advice'],
    ['a failure where one is', true, 'failed'],
  ])('account verify reports queues and tables on keys of Microsoft as %s', async (_, isRequired, state) => {
    const site = procedures.site();
    const key = { vault: site.vault, keyName: site.key, mode: 'automatic' as const };
    const { identity, group } = site;
    const tags: Record<string, string> = isRequired ? { 'cmk-key': `${site.vault.name}/${site.key}` } : {};
    const options = { name: unique('st'), shares: ['share1'], identity, key, tags, ownServiceKeys: true };

    expect(await verify(addAccount(procedures.world, group, options))).toMatchObject({
      ok: !isRequired,
      states: { ...ALL_OK, queues: state, tables: state },
      fixes: { queues: expect.stringContaining('cmk account create') },
    });
  });

  it('account verify reports a revocation, with the roles that may end it', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const { urgentKeys: keys, now, sleep, operator } = procedures.azure();
    await revokeKey(keyOf(site), { id: 'rev-1', revokedBy: (await operator()).objectId }, { keys, now, sleep });
    const { states, fixes } = await verify(account);
    expect(states).toMatchObject({ 'version usable': 'failed', 'file service': 'failed' });
    const restoreIt = `cmk key restore ${site.key} --vault ${site.vault.name} --revocation rev-1 --reason '<why>'`;
    expect(fixes['version usable']).toBe(restoreIt);
  });

  it('account verify reports a deleted identity, and the command that it prints replaces the identity', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);

    await arm(procedures.local, 'DELETE', `${site.identity.id}?api-version=2024-11-30`);

    const { ok, states, fixes } = await verify(account);
    expect(ok).toBe(false);
    expect(states).toEqual({ ...ALL_OK, identity: 'failed', 'role on the key': 'unknown', 'file service': 'failed' });
    expect(fixes.identity).toContain(`cmk account enable ${account.name}`);
    expect(fixes.identity).toContain('--replace-identity');

    const other = addIdentity(procedures.world, site.group, unique('id'));

    allowStorage(procedures.world, site.vault, other.principalId);

    const key = { vault: site.vault.name, key: site.key, pin: undefined };
    const again = { account: account.name, key, identity: other.id, replaceIdentity: true };

    await procedures.run((operation) => enableAccount(again, operation));

    expect(await verify(account)).toMatchObject({ ok: true, states: ALL_OK });
  });

  it('account verify reports no failure for an account without a share to read', async () => {
    const site = procedures.site();
    const account = addAccount(procedures.world, site.group, {
      name: unique('st'),
      identity: site.identity,
      key: { vault: site.vault, keyName: site.key, mode: 'automatic' },
    });
    expect(await verify(account)).toMatchObject({ ok: true, states: { 'file service': 'unknown' } });
  });
});
