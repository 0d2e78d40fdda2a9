import { describe, expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { Interruption } from '../../src/cli/terminal/interruption.ts';
import { Output } from '../../src/cli/terminal/output.ts';
import { listFieldColumns } from '../../src/cli/terminal/query.ts';
import { useAzurite } from '../support/azurite.ts';
import { eventually } from '../support/eventually.ts';
import { indexed } from '../support/indexed.ts';
import { useProcedures } from '../support/procedures.ts';
import { type CmkOptions, runCmk } from '../support/run-cmk.ts';

const procedures = useProcedures();
const azurite = useAzurite();
const cmk = (args: readonly string[], options?: CmkOptions) => runCmk(procedures, args, options);

/** A site with an account. */
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
  return { site, account, env, list };
}

const lines = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
const documents = (out: string) => lines(out).map(([line = '']) => JSON.parse(line));

describe('cmk key list', () => {
  it('cmk key list prints each key with its users, by the storage of the app', async () => {
    const { site, account, env } = await known();
    const { code, out } = await cmk(['key', 'list', '--state', 'USABLE'], { env });

    expect({ code, key: lines(out)[0]?.slice(0, 3) }).toEqual({
      code: 0,
      key: [`${site.vault.name}/${site.key}`, 'usable', site.version.version],
    });

    const { result } = JSON.parse((await cmk(['key', 'ls', '-o', 'json'], { env })).out);
    expect(result.keys).toMatchObject([{ name: site.key, users: { accounts: 1 } }]);

    const shown = await cmk(['key', 'show', `${site.vault.name}/${site.key}`], { env });
    expect(shown.out).toMatch(new RegExp(`^${site.version.version}\\tUsable\\t.*\\t${account.name}$`, 'm'));
    expect(shown.out).toMatch(/Users as the index knew at 20\S+Z\./);
  });

  it('cmk key list -o cyclonedx prints a component for each version, with size and protection from Key Vault', async () => {
    const { site, env } = await known();
    const { code, out, err } = await cmk(['key', 'list', '-o', 'cyclonedx'], { env });
    const { components } = JSON.parse(out);

    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(components).toMatchObject([{ name: `${site.vault.name}/${site.key}`, version: site.version.version }]);
    expect(components[0].cryptoProperties.relatedCryptoMaterialProperties).toMatchObject({
      state: 'active',
      size: 2048,
      securedBy: { mechanism: 'Software' },
    });
  });

  it.each(['key', 'rotation', 'rekey'])('cmk %s list names the setting to make if no app is known', async (things) => {
    const says = /CMK_API.*AzureWebJobsStorage__accountName/;
    expect(await cmk([things, 'list'])).toMatchObject({ code: 2, err: expect.stringMatching(says) });
  });
});

it('cmk revocation list prints the open revocations, and show prints one with the command that ends it', async () => {
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

it('cmk vault lists the vaults of the app, and shows one', async () => {
  const { site, env } = await known();
  expect((await cmk(['vault', 'list'], { env })).out).toMatch(
    new RegExp(`^${site.vault.name}\twesteurope\tstandard\t`),
  );
  expect((await cmk(['vault', 'show', site.vault.name])).out).toContain('purge protection\ton\n');
  expect(await cmk(['vault', 'list'])).toMatchObject({ code: 2, err: expect.stringContaining('CMK_VAULTS') });
});

it('cmk account show prints what the app knows of one account', async () => {
  const { site, account, env } = await known();
  const { code, out } = await cmk(['account', 'view', account.name], { env });
  expect(code).toBe(0);
  const key = `https://${site.vault.name}.vault.azure.net/keys/${site.key}`;
  const facts = [`id\t${account.id}`, `key\t${key}`, 'health\tUnknown, NotChecked'];
  expect(out.split('\n')).toEqual(expect.arrayContaining(facts));
  expect(await cmk(['account', 'show', 'stnowhere'], { env })).toMatchObject({ code: 3 });
});

it('--watch prints in a pipe only what is new, until it is interrupted, and rejects a document format', async () => {
  const site = procedures.site();
  const end = new AbortController();
  let out = '';
  let err = '';
  const code = run(['key', 'show', site.key, '--vault', site.vault.name, '--watch', '1'], {
    environment: {},
    out: {
      write: (text) => {
        out += text;
      },
    },
    err: {
      write: (text) => {
        err += text;
      },
    },
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

  end.abort(new Interruption(130));

  expect({ code: await code, err }).toEqual({ code: 130, err: '' });
  expect((await cmk(['key', 'show', site.key, '--vault', site.vault.name, '-w', '-o', 'json'])).code).toBe(2);
});

describe('the option -o', () => {
  it('The option -o prints jsonl with unchanged rows, and csv with a header, quotes where needed and more columns with --wide', async () => {
    const { site, account, list } = await known();
    expect(documents((await list('-o', 'jsonl')).out)).toMatchObject([{ account: account.id }]);
    expect((await list('-o', 'csv')).out.split('\n')).toEqual([
      'account,key,mode,version,health,since,cause,region',
      `${account.name},${site.vault.name}/${site.key},automatic,${site.version.version},Unknown,,NotChecked,westeurope`,
      '',
    ]);
    expect((await list('-o', 'csv', '--wide')).out).toContain('"env=prod note=a, ""b"""');
  });

  it('The option -o prints the steps and the result of an operation, typed', async () => {
    const { site, account } = fleet();
    const { out } = await cmk(['account', 'pin', account.name, '-o', 'jsonl']);
    const key = `https://${site.vault.name}.vault.azure.net/keys/${site.key}`;
    const moved = { action: 'account.setKey', resource: account.id, from: key, to: `${key}/${site.version.version}` };
    expect(documents(out)).toContainEqual(expect.objectContaining({ kind: 'done', ...moved }));
  });
});

describe('the option --query', () => {
  it('The option --query prints what it selects from the document, as JSON or as rows', async () => {
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
  ])('The option --query %j exits %i with %s, and leaves %i versions', async (expression, exit, reason, versions) => {
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
  ])('The option --query prints %j as rows', (values: readonly unknown[], csv) => {
    let text = '';
    const write = (more: string) => {
      text += more;
    };
    const sink = { write };

    new Output('csv', sink, sink, {}).list(listFieldColumns(values), values);
    expect(text).toBe(csv);
  });
});

it('account list combines filters of every field, and prints the worst account first', async () => {
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

describe('cmk explain', () => {
  it('cmk explain prints what a reason means, in any case, and the next step', async () => {
    const { code, out } = await cmk(['explain', 'stalekeyversion']);
    expect(code).toBe(0);
    expect(out).toMatch(/^StaleKeyVersion: The account is pinned to an older version/);
    expect(out).toMatch(/What to do: /);
    expect(await cmk(['explain', 'Throttled'])).toMatchObject({ code: 0 });
  });

  it('cmk explain suggests similar reasons for an unknown one', async () => {
    expect((await cmk(['explain', 'Stale'])).err).toMatch(/Did you mean StaleKeyVersion/);
    expect((await cmk(['explain', 'Nonsense'])).code).toBe(3);
  });
});
