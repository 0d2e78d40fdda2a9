import { beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_IDS, CMK_API_AUDIENCE } from '../../local/azure/constants.ts';
import { addIdentity, allowStorage } from '../../local/azure/fleet.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import type { FleetListAnswer } from '../../src/status/fleet-schemas.ts';
import { useApp } from '../support/app.ts';
import { group, TestKey } from '../support/fleet.ts';
import { Procedures, unique } from '../support/procedures.ts';
import { runCmk } from '../support/run-cmk.ts';

const app = useApp({ env: { CMK_AUTOFIX: 'none' } });

const cmk = (args: readonly string[], env: Readonly<Record<string, string>>, columns = 200) =>
  runCmk(new Procedures(app), ['account', 'list', ...args], { env, columns });

let key: TestKey;
let lost: StorageAccount;

beforeAll(async () => {
  const { world } = app.azure;

  world.principals.get(CLIENT_IDS.owner)?.appRoles.push('CmkKey.Read');
  key = new TestKey(world);

  const identity = addIdentity(world, group(world), unique('id-'));

  allowStorage(world, key.vault, identity.principalId);
  lost = key.account('pinned', { identity });
  key.account('pinned');
  await app.checkDrift();

  for (const [id, { principalId }] of world.roleAssignments) {
    if (principalId === identity.principalId) world.roleAssignments.delete(id);
  }

  await app.checkDrift();
});

describe('cmk account list', () => {
  const api = () => ({ CMK_API: `${app.url}/api`, CMK_API_AUDIENCE });
  const storage = () => {
    const vaults = [...app.azure.world.vaults.values()].filter(({ name }) => name === key.vault.name);
    return { AzureWebJobsStorage: app.connectionString, CMK_VAULTS: vaults.map(({ id }) => id).join(' ') };
  };

  const dead = () => ({ ...api(), ...storage(), CMK_API: 'http://127.0.0.1:1/api' });
  const warning = expect.stringMatching(
    /^warning: \S+ cannot be reached: bad port\. Shown is what its storage has\.\n$/,
  );

  it.each([
    ['the app', api, ''],
    ["the app's storage", storage, ''],
    ["the app's storage, where the app does not answer", dead, warning],
  ])('cmk account list prints what GET /fleet answers, by %s', async (_, env, told) => {
    const answer = await app.call('operator', 'GET', `/fleet?key=${encodeURIComponent(key.id())}`);
    const { value } = (await answer.json()) as FleetListAnswer;
    const { code, out, err } = await cmk(['--key', key.id(), '-o', 'json'], env());

    expect({ code, err }).toEqual({ code: 0, err: told });

    const { rows, summary } = JSON.parse(out).result;

    const shown = ({ name, version, health: { state: health, ...why } }: FleetListAnswer['value'][number]) => ({
      name,
      version,
      health,
      ...why,
    });

    const named = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(rows.toSorted(named)).toMatchObject(value.map(shown).toSorted(named));
    expect(rows[0]?.health).toBe('NoAccess');
    expect(rows.find(({ account }: { account: string }) => account === lost.id)).toMatchObject({ health: 'NoAccess' });
    expect(summary.accounts).toBe(2);
  });

  it('cmk account list prints the age of a state in a narrow table, and its time everywhere else', async () => {
    const narrow = await cmk(['--key', key.id(), '-o', 'table'], api(), 90);
    expect(narrow.out).toMatch(/NoAccess {2,}\d+[smh] /);
    const [, , ...table] = narrow.out.split('\n');
    expect(table.filter((line) => line.length > 90)).toEqual([]);
    expect((await cmk(['--key', key.id(), '-o', 'table', '--wide'], api())).out).toMatch(/ 2\d{3}-\d\d-\d\dT/);
  });

  it("cmk account list prints the same of the whole fleet as cmk now, by the app's storage", async () => {
    const { summary } = JSON.parse((await cmk(['-o', 'json'], storage())).out).result;
    const now = await runCmk(new Procedures(app), ['now', '--json'], { env: storage() });
    const { fleet, keys, drift } = JSON.parse(now.out).result;
    expect(fleet.value.text).toBe(summary.text);
    expect(keys.value).toMatchObject({ vaultsUnread: 0, keysUnread: 0 });
    expect(drift.value.report).toMatchObject({ id: expect.any(String) });
  });

  it('cmk now and cmk doctor say that the app does not answer, and exit with 1', async () => {
    const now = await runCmk(new Procedures(app), ['now', '--json'], { env: dead() });
    const { line, unanswered } = JSON.parse(now.out).result;
    expect({ code: now.code, line, unanswered }).toEqual({
      code: 1,
      line: expect.stringMatching(
        /^The app does not answer; its last check began \S+ \(\d+\w ago\)\. By its storage: /,
      ),
      unanswered: expect.stringContaining('cannot be reached'),
    });

    const doctor = await runCmk(new Procedures(app), ['doctor', '-o', 'csv'], { env: dead() });
    expect(doctor.code).toBe(1);
    expect(doctor.out).toMatch(/^failed,app,It does not answer: /m);
    expect(
      (await runCmk(new Procedures(app), ['doctor', '-o', 'csv'], { env: { ...api(), ...storage() } })).out,
    ).toMatch(/^ok,app,\S+ answers; its last check began /m);
  });
});
