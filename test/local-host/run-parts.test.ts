import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createWorld } from '../../local/azure/create-world.ts';
import { sampleFleet } from '../../local/azure/sample-fleet.ts';
import { appEnvironment, appSettings, MANAGED_VAULT_IDS } from '../../local/run/app-environment.ts';
import { formatEnv, parseEnv, writeEnvFile } from '../../local/run/env-file.ts';
import { claimStateFolder } from '../../local/run/state-folder.ts';
import { startChild } from '../support/child.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'local-run-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the environment file', () => {
  it('parseEnv reads the variables that formatEnv writes', () => {
    const name = fc.stringMatching(/^[A-Z_][A-Za-z0-9_]*$/);
    fc.assert(
      fc.property(
        fc.dictionary(
          name,
          fc.string().filter((value) => !value.includes('\0')),
        ),
        (variables) => {
          expect(parseEnv(formatEnv(variables))).toEqual({ ...variables });
        },
      ),
    );
  });

  it('A shell reads the same values from the environment file', async () => {
    const path = join(folder, 'env');

    await writeEnvFile(path, { PLAIN: 'a b;$HOME`', QUOTED: "it's 'x'\\" });

    const script = join(folder, 'show.cjs');

    await writeFile(
      script,
      `process.stdout.write(require('node:child_process').execFileSync('sh', ['-c', '. ${path}; printf "%s|%s" "$PLAIN" "$QUOTED"']))`,
    );

    const child = startChild(script);
    expect(await child.exit).toBe(0);
    expect(child.output()).toBe("a b;$HOME`|it's 'x'\\");
  });

  it('The environment file omits names that a shell cannot export', () => {
    expect(formatEnv({ 'AzureWebJobs.driftCheck.Disabled': 'true', '1ST': 'a', PLAIN: 'b' })).toBe(
      "export PLAIN='b'\n",
    );
  });
});

it('A local run claims a state folder whose process id belongs to another program', async () => {
  await writeFile(join(folder, 'pid'), String(process.ppid)); // the test runner is no local run
  await (await claimStateFolder(folder)).release();
});

describe("the app's environment", () => {
  const caller = {
    PATH: '/bin',
    AZURE_CLIENT_SECRET: 'secret',
    HTTPS_PROXY: 'http://corporate',
    NODE_OPTIONS: '--inspect',
    CMK_DUAL_CONTROL: 'off',
    CMK_API: 'http://elsewhere',
    AzureWebJobsStorage: 'the caller’s',
  };

  const environment = appEnvironment(appSettings('local storage', caller), { HTTPS_PROXY: 'http://local' }, caller);

  it("The app's environment holds no secret of the owner and no proxy or storage of the caller", () => {
    expect(environment).not.toHaveProperty('AZURE_CLIENT_SECRET');
    expect(environment).not.toHaveProperty('NODE_OPTIONS');
    expect(environment).toMatchObject({
      PATH: '/bin',
      HTTPS_PROXY: 'http://local',
      AzureWebJobsStorage: 'local storage',
    });
  });

  it("The app's environment keeps the caller's CMK settings", () => {
    expect(environment).toMatchObject({ CMK_DUAL_CONTROL: 'off' });
    expect(environment).not.toHaveProperty('CMK_API');
  });

  it("The sample fleet has the vaults that the app's settings name", () => {
    const world = createWorld();
    sampleFleet(world);
    const ids = [...world.vaults.values(), ...world.managedHsms.values()].map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(MANAGED_VAULT_IDS));
    world.clock.stop();
  });
});
