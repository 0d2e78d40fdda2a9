import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_IDS, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addAccount } from '../../local/azure/fleet.ts';
import { bundleCli, CLI_FILES, packCli } from '../../scripts/bundle-cli.ts';
import { unique, useProcedures } from '../support/procedures.ts';

const procedures = useProcedures();
const run = promisify(execFile);
const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);

/** Where the package is installed, and an empty folder to use it from. */
let folder: string;
let empty: string;
let cmk: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmk-package-'));
  empty = join(folder, 'empty');
  await mkdir(empty);

  const { folder: made } = await bundleCli(join(folder, 'made'));
  const file = await packCli(made, join(folder, 'packed'));

  await rm(made, { recursive: true });

  // Nothing can be fetched: what it needs is in it.
  const env = { ...process.env, npm_config_offline: 'true', npm_config_cache: join(folder, 'cache') };

  await run('npm', ['install', '--global', '--prefix', join(folder, 'prefix'), '--no-audit', '--no-fund', file], {
    env,
    cwd: empty,
  });
  cmk = join(folder, 'prefix/bin/cmk');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the package', () => {
  it('The package of cmk is one file without dependencies, with its manifest, texts and licences', async () => {
    const inside = join(folder, 'prefix/lib/node_modules/cmk-autopilot');
    expect((await readdir(inside)).sort()).toEqual([...CLI_FILES].sort());
    const manifest = JSON.parse(await readFile(join(inside, 'package.json'), 'utf8'));
    expect(manifest).toMatchObject({ name: 'cmk-autopilot', bin: { cmk: 'cmk.cjs' } });
    expect(await readdir(join(inside, 'man'))).toEqual(expect.arrayContaining(['cmk.1', 'cmk-key-rotate.1']));
    expect(Object.keys(manifest)).not.toContain('dependencies');
  });

  it('The package of cmk runs alone in a pinned image without root', async () => {
    const image = await readFile(join(import.meta.dirname, '../../infra/cli/Dockerfile'), 'utf8');
    expect(image).toMatch(/^FROM node:\d+\.\d+\.\d+-\S+$/m);
    expect(image).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
    const copied = [...image.matchAll(/^COPY (?:--\S+ )*(.+) \S+$/gm)].flatMap(([, files = '']) => files.split(' '));
    expect(copied.length).toBeGreaterThan(0);
    expect(copied.filter((file) => !CLI_FILES.some((one) => one === file))).toEqual([]);
  });

  it.each([
    ['the package', () => join(folder, 'prefix/lib/node_modules/cmk-autopilot/cmk.cjs')],
    ['npm start, in a clone without `npm ci`', () => join(import.meta.dirname, '../../scripts/require-node.cjs')],
  ])('The package of cmk rejects an older Node in one sentence with the next step: %s', async (_, file) => {
    const old = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.0' } });";
    const ran = run(
      process.execPath,
      ['--no-experimental-strip-types', '--eval', `${old}require(${JSON.stringify(file())})`],
      {
        cwd: empty,
      },
    );

    const { code, stderr } = await ran.then(
      ({ stderr }) => ({ code: 0, stderr }),
      (error: { code: number; stderr: string }) => error,
    );
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(/^error: .* needs Node 22[^\n]*\.\nhint: [^\n]*\.\n$/),
    });
  });

  it('The package of cmk prints the version of the project', async () => {
    const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../../package.json'), 'utf8'));
    for (const option of ['--version', '-V']) {
      const { stdout } = await run(cmk, [option], { cwd: empty, env: { PATH, HOME: empty } });
      expect(stdout).toBe(`${version}\n`);
    }
  });
});

it('The package alone onboards accounts from CSV in an empty folder, and changes nothing the second time', async () => {
  const { world, local } = procedures;
  const owner = world.principals.get(CLIENT_IDS.owner);
  const env = {
    ...local.env,
    PATH,
    HOME: empty,
    AZURE_TENANT_ID: world.tenantId,
    AZURE_SUBSCRIPTION_ID: SUBSCRIPTION_ID,
    AZURE_CLIENT_ID: owner?.clientId,
    AZURE_CLIENT_SECRET: owner?.secret,
  };

  const group = procedures.group();
  const accounts = [1, 2].map(() => addAccount(world, group, { name: unique('st'), shares: ['share1'] }));

  await writeFile(join(empty, 'accounts.csv'), `account\n${accounts.map(({ name }) => `${name}\n`).join('')}`);

  const names = ['--vault', unique('kv-'), '--key', 'files-key', '--identity', unique('id-')];
  const args = ['account', 'onboard', '--from', 'accounts.csv', ...names, '--yes', '-o', 'json'];

  for (const counts of [{ done: 2 }, { unchanged: 2 }]) {
    const { stdout } = await run(cmk, args, { cwd: empty, env });
    expect(JSON.parse(stdout)).toMatchObject({ version: 1, operation: 'account onboard', result: { counts } });
    expect(accounts.map(({ encryption }) => encryption.keySource)).toEqual([
      'Microsoft.Keyvault',
      'Microsoft.Keyvault',
    ]);
  }
});
