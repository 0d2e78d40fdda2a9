import { createHash } from 'node:crypto';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { OTHER_SUBSCRIPTION, VAULT } from './arm/templates.ts';
import { PROJECT, useCommands } from './commands.ts';

const SCRIPTS = join(PROJECT, 'scripts');
const PROD = { AZURE_ENV_NAME: 'prod', AZURE_LOCATION: 'westeurope' };

const commands = useCommands();

/** The script with an Azure CLI that lists nothing and takes no deployment; returns what it was asked to deploy. */
function deploy(environment: Readonly<Record<string, string>>, scripts = SCRIPTS, args: readonly string[] = []) {
  commands.put(
    'az',
    `case "$*" in
  *' sub create '*) printf '%s\\n' "$@" > "$(dirname "$0")/asked"; echo '(AuthorizationFailed) not you' >&2; exit 1 ;;
  *ResourceGraph*) echo '{"data":[]}' ;;
  *) echo '{"value":[]}' ;;
esac`,
  );

  rmSync(commands.path('asked'), { force: true });

  const env = { CMK_VAULTS: VAULT, ...environment };
  const { status, stderr } = commands.run(
    process.execPath,
    [join(scripts, 'infra/deploy.ts'), ...args],
    env,
    commands.path(''),
  );

  return { status, stderr, asked: commands.read('asked').trim().split('\n') };
}

describe('the deployment by the Azure CLI', () => {
  it('The deployment by the Azure CLI uses the subscription of the environment, or else that of the sign-in', () => {
    const environment = { AZURE_ENV_NAME: 'my prod', AZURE_LOCATION: 'West Europe' };
    expect(deploy(environment).asked).not.toContain('--subscription');
    const { asked } = deploy({ ...environment, AZURE_SUBSCRIPTION_ID: OTHER_SUBSCRIPTION });
    expect(asked[asked.indexOf('--subscription') + 1]).toBe(OTHER_SUBSCRIPTION);
    expect(asked[asked.indexOf('--location') + 1]).toBe('West Europe');
  });

  it('The deployment by the Azure CLI stops with the message of az if a command fails, and names missing parameters before it starts', () => {
    const refused = deploy(PROD);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('(AuthorizationFailed) not you') });
    const unset = deploy({ AZURE_ENV_NAME: 'prod' });
    expect(unset).toMatchObject({ status: 1, asked: [''], stderr: expect.stringContaining('AZURE_LOCATION') });
  });

  it('The deployment by the Azure CLI installs nothing if the package exists, so that no foreign code runs with its sign-in', () => {
    cpSync(SCRIPTS, commands.path('scripts'), { recursive: true });
    const elsewhere = (file: string) => deploy(PROD, commands.path('scripts'), ['--package', file]);
    writeFileSync(commands.path('app.zip'), 'a zip');
    expect(elsewhere('app.zip').stderr).toContain('(AuthorizationFailed) not you');
    expect(elsewhere('gone.zip')).toMatchObject({
      status: 1,
      asked: [''],
      stderr: expect.stringContaining('gone.zip'),
    });
  });
});

describe('the bank profile', () => {
  const bank = { ...PROD, CMK_PROFILE: 'bank' };

  it('The bank profile uses its own parameters, and is open to named ranges alone', () => {
    const { asked } = deploy({ ...bank, CMK_ALLOWED_CALLERS: '203.0.113.0/24' });
    expect(asked[asked.indexOf('--parameters') + 1]).toMatch(/\/infra\/main\.bank\.bicepparam$/);
    const plain = deploy(PROD).asked;
    expect(plain[plain.indexOf('--parameters') + 1]).toMatch(/\/infra\/main\.bicepparam$/);
    const open = deploy(bank);
    expect(open).toMatchObject({ status: 1, asked: [''], stderr: expect.stringContaining('CMK_ALLOWED_CALLERS') });
    expect(deploy({ ...PROD, CMK_PROFILE: 'banc' }).stderr).toContain('There is no profile banc');
  });
});

it('the landing-zone profile uses its own parameters', () => {
  const { asked } = deploy({ ...PROD, CMK_PROFILE: 'landing-zone' });
  expect(asked[asked.indexOf('--parameters') + 1]).toMatch(/\/infra\/main\.landing-zone\.bicepparam$/);
});

describe('an existing package', () => {
  it('An existing package is compared with its hash before the deployment', () => {
    const file = commands.path('app.zip');
    writeFileSync(file, 'a zip');
    const hash = createHash('sha256').update('a zip').digest('hex');
    const upload = (...args: string[]) => deploy(PROD, SCRIPTS, ['--package', file, ...args]);
    expect(upload('--sha256', hash.toUpperCase()).stderr).toContain('(AuthorizationFailed) not you');
    const other = upload('--sha256', 'f'.repeat(64));
    expect(other).toMatchObject({ status: 1, asked: [''], stderr: expect.stringContaining(`its SHA-256 is ${hash}`) });
    expect(upload('--sha256', 'abc').stderr).toContain('is no SHA-256');
  });

  it('An existing package at an address requires a hash, as its content may be replaced', () => {
    const refused = deploy(PROD, SCRIPTS, ['--package', 'https://example.com/app.zip']);
    expect(refused).toMatchObject({ status: 1, asked: [''], stderr: expect.stringContaining('--sha256') });
  });
});

it('the deployment workflow installs and builds without the right to sign in, and signs in where nothing is installed', () => {
  const workflow = readFileSync(join(SCRIPTS, '../.github/workflows/deploy.yml'), 'utf8');
  const jobs = workflow.slice(workflow.indexOf('\njobs:')).split(/^ {2}(?=\w+:$)/m);
  const signingIn = jobs.filter((job) => /id-token: write$/m.test(job));
  expect(signingIn.map((job) => job.slice(0, job.indexOf(':')))).toEqual(['deploy']);
  expect(signingIn.join()).not.toMatch(/\b(?:npm|npx)\b/);
  expect(signingIn.join()).toContain('node scripts/infra/deploy.ts --package dist/app.zip');
});
