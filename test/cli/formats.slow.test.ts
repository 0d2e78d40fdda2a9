import { describe, expect, it } from 'vitest';
import { Output } from '../../src/cli/output.ts';
import { fieldColumns } from '../../src/cli/query.ts';
import { useAzurite } from '../support/azurite.ts';
import { indexed } from '../support/indexed.ts';
import { useProcedures } from '../support/procedures.ts';
import { type CmkOptions, runCmk } from '../support/run-cmk.ts';

const procedures = useProcedures();
const azurite = useAzurite();
const cmk = (args: readonly string[], options?: CmkOptions) => runCmk(procedures, args, options);

function fleet() {
  const site = procedures.site();
  const account = procedures.encrypted(site);
  account.tags = { env: 'prod', note: 'a, "b"' };
  return { site, account };
}

/** The same, as the index of an app has it. */
async function known() {
  const { site, account } = fleet();
  const env = await indexed(azurite.connectionString, procedures, site, [account]);
  const list = (...args: readonly string[]) => cmk(['account', 'list', '--vault', site.vault.name, ...args], { env });
  return { site, account, list };
}
const documents = (out: string) =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('-o', () => {
  it('jsonl: the rows as they are; csv: a header, quotes where needed, more columns with --wide', async () => {
    const { site, account, list } = await known();
    expect(documents((await list('-o', 'jsonl')).out)).toMatchObject([{ account: account.id }]);
    expect((await list('-o', 'csv')).out.split('\n')).toEqual([
      'account,key,mode,version,health,since,cause,region',
      `${account.name},${site.vault.name}/${site.key},automatic,${site.version.version},Unknown,,NotChecked,westeurope`,
      '',
    ]);
    expect((await list('-o', 'csv', '--wide')).out).toContain('"env=prod note=a, ""b"""');
  });

  it('of an operation: what was found and done, typed', async () => {
    const { site, account } = fleet();
    const { out } = await cmk(['account', 'pin', account.name, '-o', 'jsonl']);
    const key = `https://${site.vault.name}.vault.azure.net/keys/${site.key}`;
    const moved = { action: 'account.setKey', resource: account.id, from: key, to: `${key}/${site.version.version}` };
    expect(documents(out)).toContainEqual(expect.objectContaining({ kind: 'done', ...moved }));
  });
});

describe('--query', () => {
  it('prints what it takes out of the document, as JSON or as rows', async () => {
    const { site, account, list } = await known();
    const query = ['--query', 'result.rows[].{name: name, version: version}'];
    const taken = [{ name: account.name, version: site.version.version }];
    expect(JSON.parse((await list(...query)).out)).toEqual(taken);
    expect((await list(...query, '-o', 'csv')).out).toBe(`name,version\n${account.name},${site.version.version}\n`);
  });

  it.each([
    ['result.[', 2, 'ArgumentInvalid', 1],
    ['', 2, 'ArgumentInvalid', 1],
    // It does not suit the document, which is known after the change alone.
    ['length(nothing)', 1, 'QueryFailed', 2],
  ])('%j: exits %i with %s, and leaves %i versions', async (expression, exit, reason, versions) => {
    const { site } = fleet();
    const rotate = ['key', 'rotate', site.key, '--vault', site.vault.name, '--if-older-than', 'PT0S'];
    const { code, out } = await cmk([...rotate, '--query', expression]);
    expect(code).toBe(exit);
    expect(JSON.parse(out)).toMatchObject({ error: { reason, message: expect.stringMatching(/^--query /) } });
    expect(JSON.parse(out).changed).toBe(versions > 1 ? true : undefined);
    expect(site.vault.keys.get(site.key)?.versions).toHaveLength(versions);
  });

  it.each([
    [['text'], 'value\ntext\n'],
    [[null], 'value\n\n'],
    [[1, 'a'], 'value\n1\na\n'],
    [[[1, 2], [3]], '0,1\n1,2\n3,\n'],
    [[{ a: 1 }, { b: { c: 1 } }], 'a,b\n1,\n,"{""c"":1}"\n'],
    [[], 'value\n'],
  ])('%j as rows', (values: readonly unknown[], csv) => {
    let text = '';
    const sink = { write: (more: string) => (text += more) };
    new Output('csv', sink, sink, {}).list(fieldColumns(values), values);
    expect(text).toBe(csv);
  });
});

describe('account list', () => {
  it('has filters of every field, all of which have to hold, and the worst first', async () => {
    const { site, account } = fleet();
    const second = procedures.encrypted(site, 'pinned');
    procedures.nextVersion(site);
    const env = await indexed(azurite.connectionString, procedures, site, [account, second]);
    const query = ['--vault', site.vault.name, '--query', 'result.rows[].name'];
    const names = async (...args: string[]) =>
      JSON.parse((await cmk(['account', 'list', ...args, ...query], { env })).out);
    expect(await names('--tag', 'env=prod', '--key', site.key)).toEqual([account.name]);
    expect(await names('--key', `${site.vault.name}/${site.key}`, '-g', site.group.name)).toHaveLength(2);
    expect(await names('-g', 'rg-other')).toEqual([]);
    expect(await names('--health', 'Stale', 'Revoked')).toEqual([second.name]);
    expect(await names('--cause', 'stalekeyversion')).toEqual([second.name]);
    expect((await names())[0]).toBe(second.name);
    expect(await cmk(['account', 'list', '--health', 'Fine'])).toMatchObject({ code: 2 });
  });
});

describe('cmk explain', () => {
  it('says what a reason means, whatever its case, and what to do about it', async () => {
    const { code, out } = await cmk(['explain', 'stalekeyversion']);
    expect(code).toBe(0);
    expect(out).toMatch(/^StaleKeyVersion: The account is pinned to an older version/);
    expect(out).toMatch(/What to do: /);
    expect(await cmk(['explain', 'Throttled'])).toMatchObject({ code: 0 });
  });

  it('names those that are near one that there is not', async () => {
    expect((await cmk(['explain', 'Stale'])).err).toMatch(/Did you mean StaleKeyVersion/);
    expect((await cmk(['explain', 'Nonsense'])).code).toBe(3);
  });
});
