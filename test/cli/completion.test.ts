import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SHELLS, type Shell } from '../../src/cli/completion.ts';
import { runCmk } from '../support/run-cmk.ts';

async function cmk(...args: readonly string[]): Promise<string> {
  const { code, out } = await runCmk(undefined, args);
  expect(code).toBe(0);
  return out;
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

describe('the list of completions', () => {
  it.each([
    [['acc'], ['account']],
    [['account', 'en'], ['enable']],
    [['account', 'onboard', '--fed'], []],
    [['account', 'enable', '--repl'], ['--replace-identity']],
    [['key', 'show', 'k', '--js'], ['--json']],
    [
      ['admin', 'replay', ''],
      ['key-work', 'fleet-work', 'notify-work'],
    ],
    [
      ['key', 'ensure', 'k', '--kty', ''],
      ['RSA', 'RSA-HSM'],
    ],
    // A value, of which nothing is known: not the command's own argument, and no command of that name.
    [['admin', 'replay', '--subscription', ''], []],
    [
      ['--subscription', 'account', 'key', 're'],
      ['revoke', 'restore', 'retire'],
    ],
    [['__'], []],
  ])('The completions of %j are %j', async (words, choices) => {
    expect(lines(await cmk('__complete', '--', ...words))).toEqual(choices);
  });
});

/** The only file there is: where a shell has nothing to offer it completes file names. */
const FILE = 'only-file';
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmk-completion-'));
  await writeFile(join(folder, FILE), '');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(' ');

/** For each shell: how it starts alone, and a script that completes these words as it would, and prints what it offers. */
const DRIVERS: Record<Shell, { alone: string; driver: (script: string, words: readonly string[]) => string }> = {
  bash: {
    alone: '--norc',
    driver: (script, words) => `
      cmk() { "$NODE" "$CMK" "$@"; }
      ${script}
      COMP_WORDS=(cmk ${quoted(words)}); COMP_CWORD=${words.length}; _cmk
      if [ "\${#COMPREPLY[@]}" -gt 0 ]; then printf '%s\\n' "\${COMPREPLY[@]}"
      elif complete -p cmk | grep -q -- '-o default'; then ls; fi`,
  },
  // Only its line editor has these builtins.
  zsh: {
    alone: '-f',
    driver: (script, words) => `
      cmk() { "$NODE" "$CMK" "$@" }
      compdef() { [[ $* = '_cmk cmk' ]] || exit 1 }
      compadd() { [[ $* = '-a choices' ]] || exit 1; print -rl -- "\${(@)choices}" }
      _files() { ls }
      ${script}
      words=(cmk ${quoted(words)}); CURRENT=${words.length + 1}; _cmk`,
  },
  fish: {
    alone: '--no-config',
    driver: (script, words) => `
      function cmk; $NODE $CMK $argv; end
      ${script}
      complete --do-complete='cmk ${words.join(' ')}'`,
  },
};

const isInstalled = (shell: string) => spawnSync(shell, ['--version']).status === 0;

it.each(SHELLS)('The completion script of %s calls cmk with the words up to the cursor', async (shell) => {
  expect(await cmk('completion', shell)).toMatch(/cmk __complete -- .*2>\/dev\/null/);
});

describe.each(SHELLS.filter(isInstalled))('completion in %s', (shell) => {
  it.each([
    [['account', 'en'], ['enable']],
    [['completion', ''], [...SHELLS]],
    [['account', 'enable', 'st1', '--replace'], ['--replace-identity']],
    [['key', 'import', 'k', '--file', ''], [FILE]],
  ])('The completion of a shell offers for %j: %j', async (words, choices) => {
    const { alone, driver } = DRIVERS[shell];
    const script = driver(await cmk('completion', shell), words);
    const CMK = join(import.meta.dirname, '../../bin/cmk.js');
    const env = { PATH: process.env.PATH, HOME: folder, NODE: process.execPath, CMK };
    const { stdout } = await promisify(execFile)(shell, [alone, '-c', script], { cwd: folder, env });
    // fish sorts what it offers, and puts descriptions behind a tab.
    const offered = lines(stdout).map((line) => line.replace(/\t.*/, ''));
    expect(offered.sort()).toEqual(choices.sort());
  });
});
