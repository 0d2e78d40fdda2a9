import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const PROJECT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** A project of a user, which has nothing of this repository but the package and its dependencies. */
let project: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'local-azure-package-'));

  const modules = join(project, 'node_modules');
  const packed = ['pack', '--pack-destination', project, '--silent'];
  const { stdout } = await run('npm', packed, { cwd: join(PROJECT, 'local') });
  const installed = join(modules, 'local-azure-cmk');

  await mkdir(installed, { recursive: true });
  await run('tar', ['xzf', join(project, stdout.trim()), '-C', installed, '--strip-components', '1']);

  const { dependencies } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
  for (const name of [...Object.keys(dependencies), '@azure/identity', '@azure/keyvault-keys']) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(PROJECT, 'node_modules', name), join(modules, name));
  }

  await writeFile(join(project, 'package.json'), '{"type":"module"}');
});
afterAll(() => rm(project, { recursive: true, force: true }));

it('A client with the plain SDK uses the package of the local Azure as its README says', async () => {
  const readme = await readFile(join(project, 'node_modules/local-azure-cmk/README.md'), 'utf8');
  const [program = '', client = ''] = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code = '']) => code);
  await writeFile(join(project, 'program.js'), program);
  await writeFile(join(project, 'client.js'), client);
  const { stdout } = await run(process.execPath, ['program.js'], { cwd: project });
  expect(stdout).toMatch(/^https:\/\/kv-files\.vault\.azure\.net\/keys\/files-key\/[0-9a-f]{32}\n$/);
});

it('The package of the local Azure bundles its Functions host', async () => {
  await writeFile(
    join(project, 'host.js'),
    "import { startLocalRun } from 'local-azure-cmk/run';\nimport { bundleHost, bundlePreload } from './node_modules/local-azure-cmk/dist/run/host-bundle.js';\n" +
      "await bundleHost('host.cjs');\nawait bundlePreload('preload.mjs');\nconsole.log(typeof startLocalRun);\n",
  );
  expect((await run(process.execPath, ['host.js'], { cwd: project })).stdout).toBe('function\n');
});
