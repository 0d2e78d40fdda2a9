import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CMK_API_CLIENT_ID } from '../../local/azure/constants.ts';
import { outsider } from '../drift/outsider.ts';
import { denyInsecureTransfer } from '../support/policies.ts';
import { useProcedures } from '../support/procedures.ts';
import { type CmkOptions, runCmk } from '../support/run-cmk.ts';

const procedures = useProcedures();

const IMPORT = ['key', 'import', 'k', '--vault', 'kv', '--file'];
const cmk = (args: readonly string[], options?: CmkOptions) => runCmk(procedures, args, options);

describe('the output of a command', () => {
  it('The output in a pipe has one plain line for each item, with tabs and without colours', async () => {
    const { account } = procedures.site();
    const { code, out, err } = await cmk(['account', 'verify', account.name]);
    const fix = `cmk account enable ${account.name} --vault <vault> --key <key> --identity <identity>`;
    expect({ code, line: out.split('\n')[0], err }).toEqual({
      code: 1,
      line: `failed\tkey source\tMicrosoft-managed keys\t${fix}`,
      err: '',
    });
    expect(stripVTControlCharacters(out)).toBe(out);
  });

  it('The output in a terminal is a table with a header, signs and a summary', async () => {
    const site = procedures.site();
    const shown = async (...args: string[]) =>
      stripVTControlCharacters((await cmk(args, { tty: true, columns: 120 })).out);
    const key = [site.key, '--vault', site.vault.name];

    expect(await shown('key', 'show', ...key)).toMatch(
      /^https:.*\nVERSION +STATE +CREATED +EXPIRES +USED BY\n\w{32} +Usable/,
    );
    expect(await shown('vault', 'ensure', site.vault.name)).toMatch(
      /^✓ vault kv-.*\n✓ purge protection and soft delete are on\nNothing to do\.\n$/,
    );
    expect(await shown('key', 'rotate', ...key, '--if-older-than', 'PT0S')).toMatch(
      /\+ key kv-\w+\/files-key rotated.*\nDone\.\n$/s,
    );
  });

  it('The output with --json is one document, and nothing else is on stdout', async () => {
    const site = procedures.site();
    const { code, out } = await cmk(['key', 'ensure', site.key, '--vault', site.vault.name, '--json']);

    expect(code).toBe(0);

    expect(JSON.parse(out)).toMatchObject({
      operation: 'key ensure',
      dryRun: false,
      changed: false,
      entries: [{ kind: 'found' }],
      result: { version: site.version.version },
    });

    const status = await cmk(['key', 'show', site.key, '--vault', site.vault.name, '--json']);
    const result = { versions: [{ version: site.version.version, usedBy: [] }] };

    expect(JSON.parse(status.out)).toMatchObject({ operation: 'key show', result });
  });

  it('An error prints its reason, a sentence and the next step on stderr, and a document with --json', async () => {
    const args = ['account', 'verify', 'stnowhere'];
    const err = expect.stringMatching(/^error: AccountNotFound: There is no .*\n.*cmk account create/);
    expect(await cmk(args)).toEqual({ code: 3, out: '', err });
    expect(JSON.parse((await cmk([...args, '--json'])).out)).toEqual({
      version: 1,
      error: { reason: 'AccountNotFound', message: expect.any(String), nextStep: expect.any(String) },
    });
  });
});

describe('an error half-way', () => {
  /** Azure refuses the policy of a key that has just been made. */
  const refused = () => {
    const { vault } = procedures.site();
    const match = { host: `${vault.name}.vault.azure.net`, method: 'PUT', path: '/rotationpolicy' };
    const answer = { status: 400, body: { error: { code: 'BadParameter', message: 'No.' } } };
    procedures.local.faults.add([{ match, answer }]);
    return ['key', 'ensure', 'new-key', '--vault', vault.name, '--rotate-after', 'P18M'];
  };

  it('An error half-way is in one document with the steps done until then', async () => {
    const { code, out } = await cmk([...refused(), '--json']);
    expect(code).toBe(3);

    const text = expect.stringContaining('/new-key created');
    const resource = expect.stringMatching(/^https:.*\/keys\/new-key$/);

    expect(JSON.parse(out)).toMatchObject({
      operation: 'key ensure',
      dryRun: false,
      changed: true,
      error: { reason: 'Refused' },
      entries: expect.arrayContaining([
        expect.objectContaining({ kind: 'done', text, action: 'key.create', resource }),
      ]),
    });
  });

  it('An error half-way is on a line of its own in a terminal', async () => {
    const { out, err } = await cmk(refused(), { tty: true });
    expect(stripVTControlCharacters(out)).toMatch(/\/new-key created \(RSA 2048, expires \S+\)\n/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what erases a line
    expect(err).toMatch(/rotation policy of \S+ set\S*\r\u001b\[2K\S*error:\S* Refused:/);
  });
});

describe('the exit code', () => {
  const site = () => procedures.site();
  it.each([
    [0, 'nothing to do', () => ['vault', 'ensure', site().vault.name]],
    [1, 'a check that found something', () => ['account', 'verify', site().account.name]],
    [2, 'an unknown command', () => ['key', 'shred']],
    [2, 'an unknown option', () => ['doctor', '--fast']],
    [2, 'a missing option', () => ['account', 'enable', 'st1', '--vault', 'kv']],
    [2, 'a wrong duration', () => ['account', 'enable', 'st1', '--vault', 'kv', '--key', 'k', '--wait', 'soon']],
    [2, 'a bad name', () => ['vault', 'ensure', 'kv_files']],
    [2, 'a key without its vault', () => ['key', 'show', 'files-key']],
    [2, 'an unknown cloud', () => ['key', 'show', 'k', '--vault', 'kv', '--cloud', 'Mars']],
    [3, 'a refusal', () => ['key', 'show', 'nowhere', '--vault', site().vault.name]],
    [2, 'a folder for a key file', () => [...IMPORT, import.meta.dirname]],
    [2, 'a resource group that can be none', () => ['account', 'verify', site().account.name, '-g', 'a/b']],
    [2, 'an app that is not known', () => ['account', 'list']],
    [0, 'help', () => ['--help']],
  ])('The exit code is %i for %s', async (code, _, args) => {
    expect((await cmk(args())).code).toBe(code);
  });

  it('A failed search tells where it searched, or why a file cannot be read', async () => {
    const { account } = procedures.site();
    const { code, err } = await cmk(['account', 'verify', account.name, '-g', 'rg-nowhere']);
    expect(code).toBe(3);
    expect(err).toContain(`There is no storage account ${account.name} in resource group rg-nowhere, or your sign-in`);
    expect((await cmk([...IMPORT, 'nowhere.pem'])).err).toMatch(
      /^error: ArgumentInvalid: nowhere\.pem cannot be read: .*no such file.*\nhint: Check the path and its permissions\.\n$/,
    );
  });

  it('The exit code is 4 for an operator without the right, with the right to request', async () => {
    const { vault, key } = procedures.site();
    const stranger = procedures.stranger();
    const { code, err } = await cmk(['key', 'show', key, '--vault', vault.name], { as: stranger });
    expect(code).toBe(4);
    expect(err).toContain('cmk admin grant-role --assignee me');
  });

  it('The exit code is 5 for a role that does not take effect in time', async () => {
    procedures.world.settings.rolePropagationMs = 3_600_000;
    const target = procedures.site({ role: false });
    const of = ['--vault', target.vault.name, '--key', target.key, '--identity', target.identity.name];
    const args = ['account', 'enable', target.account.name, ...of, '--grant', '--wait', 'PT1M'];
    const { code, err } = await cmk(args);
    expect(code).toBe(5);
    expect(err).toMatch(/waiting for the role of the identity to reach Storage: \d+ of at most 60 s/);
    expect(err).toContain('Run the same command again');
  });
});

describe('cmk key revoke', () => {
  it('cmk key revoke asks for the name of the key, and changes nothing for another name', async () => {
    const site = procedures.site();
    const args = ['key', 'revoke', site.key, '--vault', site.vault.name];
    const wrong = await cmk(args, { answer: 'other/key' });
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('nothing was changed') });
    expect(site.version.enabled).toBe(true);
    const right = await cmk(args, { answer: `${site.vault.name}/${site.key}` });
    expect(right.code).toBe(0);
    expect(site.version.enabled).toBe(false);
  });

  it('cmk key revoke exits 1 when a version stays enabled', async () => {
    const site = procedures.site();
    procedures.local.faults.add([
      { match: { method: 'PATCH', path: site.version.version }, answer: { status: 503, body: {} } },
    ]);
    const of = ['--vault', site.vault.name, '--reason', 'A test', '--yes'];
    const { code, out } = await cmk(['key', 'revoke', site.key, ...of]);
    expect(code).toBe(1);
    expect(out).toContain('is NOT disabled');
  });
});

describe('cmk doctor', () => {
  it('cmk doctor names a resource provider that is not registered, with the command', async () => {
    const { id: group } = procedures.site().group;
    const id = group.split('/')[2] ?? '';
    const subscription = procedures.world.subscriptions.get(id);
    if (!subscription) throw new Error('The site has no subscription.');

    subscription.unregistered = ['microsoft.eventgrid'];
    onTestFinished(() => {
      delete subscription.unregistered;
    });

    const { code, out } = await cmk(['doctor']);
    const fix = `az provider register --namespace Microsoft.EventGrid --subscription ${id}`;
    expect(code).toBe(1);
    expect(out).toMatch(
      new RegExp(`^failed\tresource providers of ${id}\t.*Microsoft.EventGrid is not registered.*\t${fix}$`, 'm'),
    );
    expect(out).not.toContain('Microsoft.PolicyInsights');

    const elsewhere = await cmk(['doctor'], { env: { CMK_SUBSCRIPTIONS: randomUUID() } });
    expect(elsewhere.out).not.toContain('resource providers');
  });

  it('cmk doctor names the accounts that Azure Policy denies, and says what it could not read', async () => {
    const { group, account } = procedures.site();
    account.properties.supportsHttpsTrafficOnly = false;
    await denyInsecureTransfer(outsider(procedures.local).arm, group.id);

    const named = await cmk(['doctor']);
    expect(named.out).toMatch(
      new RegExp(
        `^advice\tpolicies of .*"Storage baseline" would deny the move of 1 storage account, if pinned: ${account.name}\\.`,
        'm',
      ),
    );

    const reader = await cmk(['doctor'], {
      as: procedures.somebodyWith(`/subscriptions/${group.id.split('/')[2]}`, 'Reader'),
    });
    expect(reader.out).toMatch(/^unknown\tpolicies of .*queryResults\/action.*Resource Policy Contributor/m);
  });

  it('cmk doctor finds everything in order for an owner', async () => {
    const site = procedures.site();
    const { code, out } = await cmk(['doctor', '--vault', site.vault.name]);
    expect(code).toBe(0);
    expect(out).toMatch(/^ok\tsign-in\t/);
    expect(out).toMatch(new RegExp(`ok\tkeys of ${site.vault.name}\tcan be read`));
  });

  it('cmk doctor names what is missing, and how to get it', async () => {
    const { group, vault } = procedures.site();
    const as = procedures.somebodyWith(group.id, 'Reader');
    const { code, out } = await cmk(['doctor', '--vault', vault.name, 'kv-nowhere'], { as });
    expect(code).toBe(1);
    const fix = `cmk admin grant-role --assignee me --vault ${vault.name}`;
    expect(out).toMatch(new RegExp(`failed\tkeys of ${vault.name}\t.*\t${fix}`));
    expect(out).toMatch(/failed\tvault kv-nowhere\tThere is no key vault kv-nowhere/);
  });

  it('cmk doctor names the owners of the app registration, or says how to have none', async () => {
    const { apiOwners, principals } = procedures.world;
    const env = { CMK_API_AUDIENCE: `api://${CMK_API_CLIENT_ID}` };
    const line = (state: string, rest = '') => new RegExp(`${state}\towners of the app registration\t${rest}`);

    expect((await cmk(['doctor'], { env })).out).toMatch(line('ok'));

    const [owner] = [...principals.values()].filter(({ kind }) => kind === 'user');

    apiOwners.servicePrincipals.push(owner?.objectId ?? '');

    try {
      const { code, out } = await cmk(['doctor'], { env });
      expect(code).toBe(0);
      expect(out).toMatch(line('advice', `.*${owner?.objectId}.* owns the service principal.*--drop-owner`));
    } finally {
      apiOwners.servicePrincipals.length = 0;
    }

    const unknown = { CMK_API_CLIENT_ID: '99999999-0000-4000-8000-000000000001' };
    expect((await cmk(['doctor'], { env: unknown })).out).toMatch(line('unknown', '.*404'));
  });

  it.each([
    [{ AzureWebJobsStorage__accountName: 'stcmkapp' }, 0, undefined],
    [{ CMK_DUAL_CONTROL: 'off' }, 0, undefined],
    [{ CMK_KEY_PASSWORD: 'x' }, 0, undefined],
    [{ CMK_DUAL_CONTROL: 'perhaps' }, 1, /^failed\tsettings\t.*CMK_DUAL_CONTROL/m],
  ])('cmk doctor reports a wrong setting, and no missing ones: %j', async (env, code, failure) => {
    const ran = await cmk(['doctor'], { env });
    expect(ran.code).toBe(code);
    if (failure) expect(ran.out).toMatch(failure);
    else expect(ran.out).not.toMatch(/^failed/m);
  });

  it('cmk doctor prints in the words of Entra ID why the sign-in failed', async () => {
    const { code, out } = await cmk(['doctor'], { as: { ...procedures.stranger(), secret: 'wrong' } });
    expect(code).toBe(1);
    expect(out).toMatch(/^failed\tsign-in\tEntra ID rejected the sign-in: AADSTS7000215: .*\t.*AZURE_CLIENT_SECRET/);
  });
});

describe('bin/cmk.js', () => {
  it('bin/cmk.js runs from a clone, and prints no warning of Node', async () => {
    const bin = join(import.meta.dirname, '../../bin/cmk.js');

    const env = {
      ...process.env,
      NODE_NO_WARNINGS: undefined,
      NODE_USE_ENV_PROXY: '1',
      HTTPS_PROXY: 'http://127.0.0.1:9',
    };

    const { stdout, stderr } = await promisify(execFile)(process.execPath, [bin, '--help'], { env });
    expect(stdout).toContain('cmk account onboard');
    expect(stderr).toBe('');
  });

  it('bin/cmk.js runs on the Node of the project if that of the machine runs no TypeScript, as 22.17', async () => {
    const bin = join(import.meta.dirname, '../../bin/cmk.js');
    const { stdout } = await promisify(execFile)(process.execPath, ['--no-experimental-strip-types', bin, '--version']);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
