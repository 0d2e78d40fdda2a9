import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { addAccount } from '../../local/azure/fleet.ts';
import { keepWriting, waitUntilFlushed } from '../../src/cli/terminal/broken-pipe.ts';
import { cmk, startCmk } from '../support/cmk.ts';
import { eventually } from '../support/eventually.ts';
import { unique, useProcedures } from '../support/procedures.ts';

const procedures = useProcedures();

function onboarding() {
  const group = procedures.group();
  const account = addAccount(procedures.world, group, { name: unique('st'), shares: ['share1'] });
  const vault = unique('kv-');
  const identity = unique('id-');
  const args = ['account', 'onboard', account.name, '--vault', vault, '--key', 'files-key', '--identity', identity];
  return { account, vault, args };
}

describe('a reader that closes the pipe', () => {
  it('A reader that closes the pipe does not stop the work: an onboarding into `head -1` completes', async () => {
    const { account, args } = onboarding();
    const child = startCmk(procedures.local, args);
    await child.says(/^found\t/);
    child.process.stdout?.destroy();
    expect(await child.exit).toBe(0);
    expect(account.encryption.keySource).toBe('Microsoft.Keyvault');
    expect(child.output()).not.toMatch(/EPIPE|^ {4}at /m);
  });

  it('A reader that closes the pipe of the errors does not change the exit code', async () => {
    const child = startCmk(procedures.local, ['account', 'verify', 'stnowhere']);
    child.process.stderr?.destroy();
    expect(await child.exit).toBe(3);
  });
});

describe('output that fails to be written', () => {
  const failing = (code: string) =>
    new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error(`${code}: write`), { code })),
    });

  it.each([
    ['EPIPE', undefined],
    ['ENOSPC', 'ENOSPC: write'],
  ])('Output that fails to be written is reported at the end, except a closed pipe: %s', async (code, failure) => {
    const stream = failing(code);
    const kept = keepWriting(stream);
    stream.write('x');
    await waitUntilFlushed(stream);
    expect(kept.failure()).toBe(failure);
  });
});

describe('a signal in the middle of an onboarding', () => {
  /** Starts an onboarding, and ends it while the key is created. */
  async function interrupted(signal: NodeJS.Signals, ...options: string[]) {
    const { account, vault, args } = onboarding();
    const match = { host: `${vault}.vault.azure.net`, method: 'POST' };
    procedures.local.faults.add([{ match, times: 1, hang: true }]);
    const child = startCmk(procedures.local, [...args, ...options]);
    await eventually('the request that hangs', () => procedures.local.faults.list().length === 0);
    child.process.kill(signal);
    return { account, vault, args, exit: await child.exit, output: child.output() };
  }

  it('An onboarding prints the unfinished steps at SIGTERM, and the same command resumes from there', async () => {
    const { account, vault, args, exit, output } = await interrupted('SIGTERM');
    expect(exit).toBe(143);
    const open = `Interrupted: The command was ended during this step: key ${vault}/files-key created`;
    expect(output).toMatch(new RegExp(`done\tvault ${vault} created.*${open}.*Run the same command again`, 's'));
    expect(await cmk(procedures.local, args)).toMatchObject({ code: 0 });
    expect(account.encryption.keySource).toBe('Microsoft.Keyvault');
  });

  it('An onboarding with --json prints a document at Ctrl-C, with the steps done until then', async () => {
    const { vault, exit, output } = await interrupted('SIGINT', '--json');
    expect(exit).toBe(130);
    const done = { kind: 'done', text: expect.stringContaining(`vault ${vault} created`) };
    expect(JSON.parse(output)).toMatchObject({
      operation: 'account onboard',
      changed: true,
      entries: expect.arrayContaining([expect.objectContaining(done)]),
      error: { reason: 'Interrupted' },
    });
  });
});
