import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createReceiver, isSigned } from '../../examples/webhook-receiver.ts';
import { readBulkRows } from '../../src/cli/bulk/bulk-rows.ts';
import { createProgram } from '../../src/cli/program.ts';
import type { Cli } from '../../src/cli/terminal/cli.ts';
import { render } from '../../src/notify/render.ts';
import { SAMPLES } from '../notify/samples.ts';
import { ALWAYS_THERE, errorsIn } from './kql.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, 'examples', path), 'utf8');

function findCommand(...names: string[]): Command {
  const silent = { write: () => true };
  let command: Command = createProgram({ context: { out: silent, err: silent }, environment: {} } as unknown as Cli);
  for (const name of names) {
    const found = command.commands.find((one) => one.name() === name);
    if (!found) throw new Error(`There is no command ${name}.`);
    command = found;
  }
  return command;
}

describe('the examples', () => {
  it('The README of the examples names each of them', () => {
    const named = [...read('README.md').matchAll(/^\| \[[^\]]+\]\(([^)]+)\)/gm)].map(([, file]) => file);
    const files = globSync('**/*.*', { cwd: join(ROOT, 'examples') }).map((file) => file.replaceAll('\\', '/'));
    expect(named.sort()).toEqual(files.filter((file) => file !== 'README.md').sort());
  });

  it.each(globSync('examples/queries/*.kql', { cwd: ROOT }))(
    'The query of %s is KQL over the log of the app',
    (file) => {
      expect(errorsIn(readFileSync(join(ROOT, file), 'utf8'), ALWAYS_THERE)).toEqual([]);
    },
  );

  it('The CSV of the examples has rows that `cmk account onboard` takes', () => {
    const onboard = findCommand('account', 'onboard');
    const rows = readBulkRows(read('accounts.csv'), onboard, ['vault', 'key', 'identity']);
    expect(rows.map(({ account, options }) => [account, options.pin])).toEqual([
      ['stplain01', 'newest'],
      ['starchive01', undefined],
    ]);
  });

  it('The Terraform example names no version that an apply would put back', () => {
    const main = read('terraform/main.tf');
    const accounts = main.split(/^(?=resource "azurerm_storage_account")/m).slice(1);
    expect(accounts).toHaveLength(2);
    for (const account of accounts) {
      expect(account).toMatch(/\.versionless_id$|ignore_changes = \[customer_managed_key\]/m);
    }

    const terraform = spawnSync('terraform', ['fmt', '-check', 'examples/terraform'], { cwd: ROOT, encoding: 'utf8' });
    // Without Terraform on this machine the text alone is checked.
    if (!terraform.error) {
      expect({ status: terraform.status, stdout: terraform.stdout }).toEqual({ status: 0, stdout: '' });
    }
  });

  it('The drift workflow installs the package of a release, runs commands that exist, and uses actions by commit', () => {
    const workflow = parse(read('github/cmk-drift.yml')) as {
      permissions: Record<string, string>;
      jobs: { drift: { steps: { run?: string; uses?: string }[] } };
    };
    const { steps } = workflow.jobs.drift;
    const runs = steps.flatMap(({ run = '' }) => run.split('\n'));
    const ofDeploy = readFileSync(join(ROOT, '.github/workflows/deploy.yml'), 'utf8');

    expect(workflow.permissions).toEqual({ contents: 'read', 'id-token': 'write' });
    expect(runs.filter((line) => line.startsWith('cmk '))).toEqual(['cmk drift -o csv | tee drift.csv']);
    expect(findCommand('drift').name()).toBe('drift');
    expect(runs).toContain('npm install --global ./cmk-autopilot-*.tgz');
    // The same as the workflows of the repository use, which Dependabot keeps.
    for (const uses of steps.flatMap(({ uses = [] }) => uses)) expect(ofDeploy).toContain(uses);
  });
});

describe('the webhook receiver', () => {
  const bytes = Buffer.alloc(32, 7);
  const secret = `whsec_${bytes.toString('base64')}`;
  const [notification] = Object.values(SAMPLES);
  if (!notification) throw new Error('There is no sample.');

  it('The webhook receiver takes a signed notification of the app once, and answers 401 to any other', async () => {
    const taken: string[] = [];
    const server = createReceiver(secret, ({ type }) => taken.push(type));
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { headers, body } = render(
      notification,
      { kind: 'webhook', secrets: [Buffer.alloc(24, 1), bytes] },
      '/x',
      new Date(),
    );
    const post = async (text: string) => (await fetch(url, { method: 'POST', headers, body: text })).status;

    try {
      expect([await post(body), await post(body), await post(`${body} `)]).toEqual([204, 204, 401]);
      expect(taken).toEqual([expect.stringMatching(/^CmkAutopilot\./)]);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it('The webhook receiver rejects a signature that is older than five minutes', () => {
    const now = new Date();
    const { headers, body } = render(notification, { kind: 'webhook', secrets: [bytes] }, '/x', now);
    const isAccepted = (seconds: number) =>
      isSigned({ ...headers }, body, secret, new Date(now.getTime() + seconds * 1_000));

    expect([isAccepted(290), isAccepted(310)]).toEqual([true, false]);
  });
});
