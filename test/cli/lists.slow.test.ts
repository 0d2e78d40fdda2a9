import { describe, expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { useAzurite } from '../support/azurite.ts';
import { eventually } from '../support/eventually.ts';
import { indexed } from '../support/indexed.ts';
import { useProcedures } from '../support/procedures.ts';
import { type CmkOptions, runCmk } from '../support/run-cmk.ts';

const procedures = useProcedures();
const azurite = useAzurite();
const cmk = (args: readonly string[], options?: CmkOptions) => runCmk(procedures, args, options);

/** A site with one account, as the index of an app has it. */
async function known() {
  const site = procedures.site();
  const account = procedures.encrypted(site);
  const env = await indexed(azurite.connectionString, procedures, site, [account]);
  return { site, account, env };
}

const lines = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));

describe('cmk key list', () => {
  it('has each key with who uses it, by the storage of the app', async () => {
    const { site, env } = await known();
    const { code, out } = await cmk(['key', 'list', '--state', 'USABLE'], { env });
    expect({ code, key: lines(out)[0]?.slice(0, 3) }).toEqual({
      code: 0,
      key: [`${site.vault.name}/${site.key}`, 'usable', site.version.version],
    });
    const { result } = JSON.parse((await cmk(['key', 'ls', '-o', 'json'], { env })).out);
    expect(result.keys).toMatchObject([{ name: site.key, users: { accounts: 1 } }]);
  });

  it.each(['key', 'rotation', 'rekey'])('cmk %s list says what to set where no app is known', async (things) => {
    const says = /CMK_API.*AzureWebJobsStorage__accountName/;
    expect(await cmk([things, 'list'])).toMatchObject({ code: 2, err: expect.stringMatching(says) });
  });
});

describe('cmk revocation', () => {
  it('lists what is revoked, and shows one by its key or id with the command that ends it', async () => {
    const { site, env } = await known();
    const name = `${site.vault.name}/${site.key}`;
    const of = ['--vault', site.vault.name];
    expect((await cmk(['revocation', 'list', ...of], { env })).out).toBe('No key is revoked.\n');
    const revoked = await cmk(['key', 'revoke', name, '--reason', 'Stolen', '--yes', '-o', 'json'], { env });
    const { id } = JSON.parse(revoked.out).result.revocation;
    const list = await cmk(['revocation', 'list', ...of], { env });
    expect(lines(list.out)).toMatchObject([[name, expect.any(String), expect.any(String), '1', '-', id]]);
    for (const which of [name, id, site.key]) {
      const { code, out } = await cmk(['revocation', 'show', which, ...of], { env });
      expect({ code, out }).toEqual({
        code: 0,
        out: expect.stringContaining(`cmk key restore ${site.key} --vault ${site.vault.name} --revocation ${id} `),
      });
    }
    expect(await cmk(['revocation', 'show', 'other', ...of], { env })).toMatchObject({ code: 3 });
  });
});

describe('cmk vault', () => {
  it('lists the vaults of the app, and shows one', async () => {
    const { site, env } = await known();
    expect((await cmk(['vault', 'list'], { env })).out).toMatch(
      new RegExp(`^${site.vault.name}\twesteurope\tstandard\t`),
    );
    expect((await cmk(['vault', 'show', site.vault.name])).out).toContain('purge protection\ton\n');
    expect(await cmk(['vault', 'list'])).toMatchObject({ code: 2, err: expect.stringContaining('CMK_VAULTS') });
  });
});

describe('cmk account show', () => {
  it('has what the app knows of one account', async () => {
    const { site, account, env } = await known();
    const { code, out } = await cmk(['account', 'view', account.name], { env });
    expect(code).toBe(0);
    expect(lines(out)).toEqual(
      expect.arrayContaining([
        ['id', account.id],
        ['key', `https://${site.vault.name}.vault.azure.net/keys/${site.key}`],
        ['health', 'Unknown, NotChecked'],
      ]),
    );
    expect(await cmk(['account', 'show', 'stnowhere'], { env })).toMatchObject({ code: 3 });
  });
});

describe('--watch', () => {
  it('has in a pipe what is new, until it is interrupted, and refuses a document', async () => {
    const site = procedures.site();
    const end = new AbortController();
    let [out, err] = ['', ''];
    const code = run(['key', 'show', site.key, '--vault', site.vault.name, '--watch', '1'], {
      environment: {},
      out: { write: (text) => (out += text) },
      err: { write: (text) => (err += text) },
      ask: undefined,
      azure: procedures.azure(),
      credential: procedures.credential(),
      interrupted: end.signal,
    });
    const seen = () => lines(out).flatMap(([, state]) => state ?? []);
    await eventually('its versions', () => seen().length > 0);
    site.version.enabled = false;
    await eventually('what is new', () => seen().length > 1);
    expect(seen()).toEqual(['Usable', 'Disabled']);
    const { Interruption } = await import('../../src/cli/interruption.ts');
    end.abort(new Interruption(130));
    expect({ code: await code, err }).toEqual({ code: 130, err: '' });
    expect(await cmk(['key', 'show', site.key, '--vault', site.vault.name, '-w', '-o', 'json'])).toMatchObject({
      code: 2,
    });
  });
});
