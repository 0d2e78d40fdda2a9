import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { addAccount } from '../../local/azure/fleet.ts';
import type { KeyVersion, StorageAccount } from '../../local/azure/world.ts';
import { MANAGED_VAULT_IDS } from '../../local/run/app-environment.ts';
import { runDrill } from '../../src/cli/procedures/drill/drill-run.ts';
import type { Azure, Operation } from '../../src/cli/procedures/operator-azure.ts';
import { checkDrift, type RunningApp } from '../break-glass/running-app.ts';
import { useRunningApp } from '../break-glass/use-running-app.ts';
import { auditEntries } from '../support/audit-lines.ts';
import { cmk, startCmk } from '../support/cmk.ts';
import { keyOf, Procedures, unique } from '../support/procedures.ts';

const running = useRunningApp({ keepsStorage: true });
const PATH = '/keys/kv-files/drill-key';
const TARGET = ['drill-key', '--vault', 'kv-files'];
const account = unique('stdrill');
/** An app that expects drills. */
let watching: RunningApp | undefined;

function environment(change: Record<string, string> = {}): Record<string, string> {
  return {
    AzureWebJobsStorage: running.wire.connectionString,
    CMK_VAULTS: MANAGED_VAULT_IDS.join(','),
    CMK_DUAL_CONTROL: 'off',
    ...change,
  };
}

function drill(...args: string[]): ReturnType<typeof cmk> {
  return cmk(running.wire.azure, ['drill', ...args], { env: environment() });
}

function world() {
  return running.wire.azure.world;
}

function drillAccount(): StorageAccount {
  const found = [...world().storageAccounts.values()].find(({ name }) => name === account);
  if (!found) throw new Error(`There is no account ${account}.`);
  return found;
}

function vaultNamed(name: string) {
  const found = [...world().vaults.values()].find((vault) => vault.name === name);
  if (!found) throw new Error(`There is no vault ${name}.`);
  return found;
}

function versions(): readonly KeyVersion[] {
  return [...(vaultNamed('kv-files').keys.get('drill-key')?.versions ?? [])];
}

/** The findings of a drift check about drills. */
async function findDrillDrift(): Promise<readonly string[]> {
  if (!watching) throw new Error('No app expects drills.');
  const { body } = await checkDrift(watching);
  const findings = body.findings as readonly { readonly reason: string; readonly is: string }[];
  return findings.filter(({ reason }) => reason.startsWith('Drill')).map(({ reason, is }) => `${reason}: ${is}`);
}

async function drillRecords(): Promise<readonly Record<string, unknown>[]> {
  const entries = await auditEntries(running.wire.connectionString);
  return entries.filter(({ action }) => action === 'drill.run') as unknown as Record<string, unknown>[];
}

beforeAll(async () => {
  const place = ['--account', account, '--resource-group', 'rg-files', '--location', 'westeurope'];
  const made = await drill('ensure', ...TARGET, ...place);
  expect(made, made.output).toMatchObject({ code: 0 });
  watching = await running.startBeside({ CMK_DRILL_INTERVAL: 'P30D' });
});

describe('drill run', () => {
  it('drill run rotates, revokes and restores its key, and records each step with its times once', async () => {
    expect(await findDrillDrift()).toEqual(['DrillOverdue: No drill has passed.']);

    const before = versions().length;
    const done = await drill('run', ...TARGET, '--json', '--quiet');
    expect(done, done.output).toMatchObject({ code: 0 });

    const { result } = JSON.parse(done.output);
    const passed = { passed: true, changedAfter: expect.any(Number), provenAfter: expect.any(Number) };
    expect(result).toMatchObject({
      passed: true,
      audit: 'written',
      steps: [
        { step: 'rotate', ...passed },
        { step: 'revoke', ...passed, detail: expect.stringContaining('KeyVaultEncryptionKeyNotFound') },
        { step: 'restore', ...passed },
      ],
    });
    expect(versions().map(({ enabled }) => enabled)).toEqual(Array(before + 1).fill(true));
    expect(drillAccount().encryption.keyvaultproperties?.keyversion).toBe(versions().at(-1)?.version);

    const records = await drillRecords();
    expect(records).toEqual([
      expect.objectContaining({
        reason: 'DrillPassed',
        resource: result.key,
        details: expect.objectContaining({ account: result.account, steps: result.steps }),
      }),
    ]);
    expect(await findDrillDrift()).toEqual([]);
  });

  it('drill run waits for a second person where dual control is on, who restores by the API', async () => {
    const env = environment({ CMK_DUAL_CONTROL: 'on' });
    const child = startCmk(running.wire.azure, ['drill', 'run', ...TARGET], { env });
    const [, revocation] = await child.says(/a second person restores the key now.* --revocation (\S+)/);
    expect(versions().every(({ enabled }) => !enabled)).toBe(true);

    const body = { reason: 'The drill asks for it', revocation };
    const restored = await running.call(`${PATH}/restore`, { method: 'POST', as: 'restorer', body });
    expect(restored).toMatchObject({ status: 200, body: { complete: true } });

    expect(await child.exit, child.output()).toBe(0);
    expect(await drillRecords()).toMatchObject([{}, { reason: 'DrillPassed' }]);
  });

  it('drill run leaves its key revoked and says so where no second person comes in time', async () => {
    const env = environment({ CMK_DUAL_CONTROL: 'on' });
    const left = await cmk(running.wire.azure, ['drill', 'run', ...TARGET, '--wait', 'PT10S'], { env });
    expect(left, left.output).toMatchObject({
      code: 1,
      output: expect.stringMatching(/failed\trestore\tDrillUnproven/),
    });

    const { status, body } = await running.call(PATH, { as: 'operator' });
    expect([status, body.revocation]).toEqual([200, expect.objectContaining({ id: expect.any(String) })]);
    expect((await drillRecords()).at(-1)).toMatchObject({ reason: 'DrillFailed' });
    expect(await findDrillDrift()).toEqual([expect.stringMatching(/^DrillFailed: .* restore: DrillUnproven/)]);

    const next = await drill('run', ...TARGET);
    expect(next, next.output).toMatchObject({ code: 0, output: expect.stringContaining('is still revoked') });
    expect(await findDrillDrift()).toEqual([]);
  });

  it.each<[string, (before: number) => boolean]>([
    ['after it has rotated the key', (before) => versions().length > before],
    ['after it has disabled a version', () => versions().some(({ enabled }) => !enabled)],
    ['after it has disabled every version', () => versions().every(({ enabled }) => !enabled)],
  ])(
    'drill run that is killed %s leaves the key open or said to be revoked, and the next one passes',
    async (_, is) => {
      const before = versions().length;
      const child = startCmk(running.wire.azure, ['drill', 'run', ...TARGET], { env: environment() });

      while (!is(before) && child.process.exitCode === null) await delay(1);
      child.process.kill('SIGKILL');
      await child.exit;

      const { body } = await running.call(PATH, { as: 'operator' });
      const isOpen = versions().every(({ enabled }) => enabled);
      expect(isOpen || body.revocation !== undefined).toBe(true);

      const next = await drill('run', ...TARGET);
      expect(next, next.output).toMatchObject({ code: 0 });
      expect(versions().every(({ enabled }) => enabled)).toBe(true);
    },
  );
});

describe('drill run while another account starts to use its key', () => {
  /** Runs a drill with the operator's sign-in; `change` replaces a call of Azure. */
  async function runWith(change: (azure: Azure) => Partial<Azure>) {
    const procedures = new Procedures(running.wire);
    const azure = { ...procedures.azure(), sleep: (ms: number) => delay(ms) };
    const app = { audit: async () => ({ failed: 'not for this test' }), queue: { send: async () => {} } };
    const options = { reason: 'A test', waitSeconds: 60, app };
    const key = keyOf({ vault: vaultNamed('kv-files'), key: 'drill-key' });
    const work = (operation: Operation) => runDrill(key, options, { ...operation, environment: environment() });
    const { result } = await procedures.run(work, { azure: { ...azure, ...change(azure) } });
    return result;
  }

  function addUser(): StorageAccount {
    const { group, identity } = siteOfDrill();
    const key = { vault: vaultNamed('kv-files'), keyName: 'drill-key', mode: 'automatic' } as const;
    return addAccount(world(), group, { name: unique('st'), identity, key, shares: ['share1'] });
  }

  function siteOfDrill() {
    const [, group = ''] = /^(.*?)\/providers\//.exec(drillAccount().id) ?? [];
    const found = world().resourceGroups.get(group.toLowerCase());
    const identity = [...world().identities.values()].find(({ name }) => name === 'id-cmk-drill');
    if (!found || !identity) throw new Error('There is no site of the drill.');
    return { group: found, identity };
  }

  it('drill run does not revoke the key when the account appears during the rotation', async () => {
    let other: StorageAccount | undefined;
    const result = await runWith(({ keys }) => ({
      keys: {
        ...keys,
        rotate: async (key) => {
          const made = await keys.rotate(key);
          other = addUser();
          return made;
        },
      },
    }));

    expect(result).toMatchObject({
      passed: false,
      steps: [{ passed: true }, { passed: false, detail: expect.stringContaining('DrillKeyInUse') }, { passed: true }],
    });
    expect(result.steps[1]?.changedAfter).toBeUndefined();
    expect(versions().every(({ enabled }) => enabled)).toBe(true);
    world().storageAccounts.delete(other?.name ?? '');
  });

  it('drill run restores the key at once when the account appears right before the revocation', async () => {
    let other: StorageAccount | undefined;
    const result = await runWith(({ urgentKeys }) => ({
      urgentKeys: {
        ...urgentKeys,
        async *versionPages(key) {
          other ??= addUser();
          yield* urgentKeys.versionPages(key);
        },
      },
    }));

    expect(result).toMatchObject({
      passed: false,
      steps: [
        { passed: true },
        { passed: false, changedAfter: expect.any(Number), detail: expect.stringContaining('DrillKeyInUse') },
        { passed: true, changedAfter: expect.any(Number) },
      ],
    });
    expect(versions().every(({ enabled }) => enabled)).toBe(true);
    world().storageAccounts.delete(other?.name ?? '');
  });
});
