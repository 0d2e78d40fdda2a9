import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { appSettings } from '../../local/run/app-environment.ts';
import { setBack, TestKey } from '../support/fleet.ts';
import { wordsOf } from '../support/pasted.ts';
import { Procedures } from '../support/procedures.ts';
import { type CmkOptions, runCmk } from '../support/run-cmk.ts';
import { useWire } from '../support/wire.ts';
import { workItems } from '../support/work-items.ts';

const wire = useWire();
const procedures = new Procedures(wire);
const cmk = (args: readonly string[], options?: CmkOptions) => runCmk(procedures, args, options);
const settings = () => appSettings(wire.connectionString, {});

/** An account that is pinned to an older version than the newest one, which is two hours old: as a lost event leaves it. */
function stale() {
  const key = new TestKey(wire.azure.world);
  const account = key.account();
  for (const version of [key.first, key.add()]) setBack(version, 7_200);
  return { key, account };
}
const newest = () => wire.services().driftStorage.newest();

describe('cmk drift', () => {
  it('cmk drift prints the findings, exits 1, and publishes and fixes nothing', async () => {
    const { key, account } = stale();
    const before = (await newest())?.id;
    const { code, out, err } = await cmk(['drift'], { env: settings() });
    expect({ code, err }).toEqual({ code: 1, err: '' });
    const line = `^error\tStaleKeyVersion\t1\t${key.vault.name}/${key.name}\tIt is pinned to .*\tcmk account pin ${account.id}$`;
    expect(out).toMatch(new RegExp(line, 'm'));
    expect(out).toMatch(/\nChecked 3 vaults, \d+ keys and \d+ accounts\.\n$/);
    expect(await workItems(wire.services())).toEqual([]);
    expect((await newest())?.id).toBe(before);
  });

  it('cmk drift prints each command on one line of its own, in a narrow terminal too', async () => {
    const key = new TestKey(wire.azure.world);
    const accounts = [key.account(), key.account()];

    for (const version of [key.first, key.add()]) setBack(version, 7_200);

    const args = ['drift', '--key', key.name, '--cause', 'StaleKeyVersion'];
    const { out } = await cmk(args, { env: settings(), tty: true, columns: 50 });
    const shown = stripVTControlCharacters(out).match(/^ {2}(cmk account pin .+)$/m)?.[1] ?? '';

    expect(accounts.map(({ id }) => `cmk account pin ${id}`)).toContain(shown);
    expect(wordsOf(shown)).toHaveLength(3);

    const csv = (await cmk([...args, '-o', 'csv'], { env: settings() })).out.split('\n');
    expect(csv[0]).toMatch(/,fix,command$/);
    expect(csv[1]).toMatch(/first of 2 commands: --expand shows all.*,cmk account pin \S+$/);
  });

  it('cmk drift prints only the requested findings, and exits by them', async () => {
    const { key, account } = stale();
    const mine = await cmk(['drift', '--key', key.name, '--json'], { env: settings() });

    expect(mine.code).toBe(1);

    const { findings } = JSON.parse(mine.out).result;
    expect(findings).toContainEqual(expect.objectContaining({ reason: 'StaleKeyVersion', resource: account.id }));

    const about = findings.map((one: { resource: string; cause: { about: string[] } }) => [
      one.resource,
      ...one.cause.about,
    ]);
    expect(about.every((of: string[]) => of.some((id) => id.includes(key.name)))).toBe(true);

    const args = ['drift', '--key', key.name, '--health', 'Revoked', '-g', 'rg-files', '--cause', 'KeyDeleted'];
    expect(await cmk(args, { env: settings() })).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^0 errors, 0 w/),
    });
  });
});
