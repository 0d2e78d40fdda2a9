import { spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LocalRun, startLocalRun } from '../../local/run/local-run.ts';
import { bundle } from '../../scripts/bundle.ts';
import { bundleCli } from '../../scripts/bundle-cli.ts';
import { COMMAND_PAGES, commandsOf } from '../../scripts/docs/commands.ts';

// Each command of a page works as printed: all blocks of a page go through one shell, page after page, on one local run.

const PROJECT = join(import.meta.dirname, '../..');
/**
 * These move accounts, which other pages show. The tour comes second: it loses the answer to a write, and the app waits a
 * minute before it writes that account again.
 */
const FIRST = ['docs/how-to/large-rotations.md', 'docs/tutorial/local-tour.md'];
/** Leaves the key revoked. */
const LAST = 'docs/how-to/incident.md';
const PAGES = [...FIRST, ...COMMAND_PAGES.filter((page) => !FIRST.includes(page) && page !== LAST), LAST].filter(
  (page) => commandsOf(page).some(({ notRun }) => notRun === undefined),
);

/** A command that fails ends the page; 1 says that a check found something. */
const SHELL = `set -uo pipefail
trap 'code=$?; [ $code -le 1 ] || { echo "exit $code: \${BASH_COMMAND-}" >&2; exit 99; }' ERR
`;

let folder: string;
let run: LocalRun;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmk-docs-'));

  const [started, cli] = await Promise.all([
    startLocalRun({
      stateDir: join(folder, '.local'),
      port: 0,
      env: process.env,
      signal: new AbortController().signal,
      bundleApp: (outDir) => bundle({ outDir, zip: false }),
      tourModule: join(PROJECT, 'tour/main.ts'),
    }),
    bundleCli(join(folder, 'cli')),
  ]);

  run = started;

  const cmk = `exec node '${join(cli.folder, 'cmk.mjs')}' "$@"`;
  await commandsInPath({
    cmk,
    // What the scripts of package.json of these names run, without npm's own start.
    npm: `shift 2; script=$1; shift 2; case $script in token) exec node '${join(PROJECT, 'local/token.ts')}' "$@" ;; cmk) ${cmk} ;; *) exit 64 ;; esac`,
    curl: 'exec /usr/bin/curl --fail-with-body "$@"',
  });

  // The alias of the README is expanded by zsh alone, so both ways to cmk make a dry run.
  const dryRun = 'case "$*" in *onboard*|*revoke*) set -- "$@" --dry-run ;; esac';
  const npm = `case $1 in ci|start|test) exit 0 ;; esac; ${dryRun}; exec '${join(folder, 'bin/npm')}' "$@"`;
  const az = 'case "$*" in "account show"*) echo "$AZURE_SUBSCRIPTION_ID" ;; esac';
  await commandsInPath({ cmk: `${dryRun}; ${cmk}`, npm, az, azd: 'exit 0' }, 'readme');
  await writeFile(
    join(folder, 'accounts.csv'),
    'account,vault,key,identity\nstplain01,kv-files,files-key,id-storage\n',
  );

  await symlink(join(PROJECT, 'infra'), join(folder, 'infra'));
});

afterAll(async () => {
  await run?.stop();
  await rm(folder, { recursive: true, force: true });
});

// First: it changes little. Its trial knows only the sign-in; what would ask, or change the fleet, is a dry run.
it.each(['bash', 'zsh'].filter(isInstalled))('every block of the README works as printed in %s', async (shell) => {
  const local = 'source .local/env; unset CMK_VAULTS CMK_API AzureWebJobsStorage AzureWebJobsStorage__accountName';
  const blocks = commandsOf('README.md').map(({ text }) => text);
  await expectToWork(shell, [local, ...blocks].join('\n'), join(folder, 'readme'));
});

it.each(PAGES)('the commands of %s work as printed', async (page) => {
  const blocks = commandsOf(page).filter(({ notRun }) => notRun === undefined);
  await expectToWork('bash', `shopt -s expand_aliases\n${blocks.map(({ text }) => text).join('\n')}`, 'bin');
});

/** Runs a script as a file, line by line, as a paste would. @param bin folder of commands that come first in PATH */
async function expectToWork(name: string, script: string, bin: string): Promise<void> {
  const file = join(folder, 'script.sh');

  await writeFile(file, `${SHELL}${script}`);

  const shell = spawn(name, [file], {
    cwd: folder,
    env: {
      ...process.env,
      PATH: [bin, join(folder, 'bin'), process.env.PATH].join(delimiter),
      NODE_NO_WARNINGS: '1',
      NODE_COMPILE_CACHE: join(folder, 'compiled'),
      XDG_CONFIG_HOME: join(folder, 'config'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

  const [out, err, code] = await Promise.all([
    text(shell.stdout),
    text(shell.stderr),
    new Promise<number | null>((resolve) => shell.on('exit', resolve)),
  ]);

  expect({ code, out, err: code === 0 || code === 1 ? '' : err }).toMatchObject({
    code: expect.toBeOneOf([0, 1]),
    err: '',
  });
}

function isInstalled(shell: string): boolean {
  return spawnSync(shell, ['-c', 'true']).status === 0;
}

it('a code block that no test runs states the reason in words', () => {
  const reasons = COMMAND_PAGES.flatMap((page) => commandsOf(page).flatMap(({ notRun }) => notRun ?? []));
  expect(reasons.filter((reason) => reason.split(' ').length < 3)).toEqual([]);
});

async function commandsInPath(commands: Readonly<Record<string, string>>, bin = 'bin'): Promise<void> {
  await mkdir(join(folder, bin));
  for (const [name, command] of Object.entries(commands)) {
    await writeFile(join(folder, bin, name), `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  }
}
