import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
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

describe('what may come next', () => {
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
  ])('of %j is %j', async (words, choices) => {
    expect(lines(await cmk('__complete', '--', ...words))).toEqual(choices);
  });
});

/** The name of the only file there is: where a shell has nothing to offer it has to complete file names. */
const FILE = 'only-file';
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmk-completion-'));
  await writeFile(join(folder, FILE), '');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** For each shell: a script that completes these words as the shell would, and prints what it offers. */
const DRIVERS: Record<Shell, (script: string, words: readonly string[]) => string> = {
  bash: (script, words) => `
    cmk() { "$NODE" "$CMK" "$@"; }
    ${script}
    COMP_WORDS=(cmk ${quoted(words)}); COMP_CWORD=${words.length}; _cmk
    if [ "\${#COMPREPLY[@]}" -gt 0 ]; then printf '%s\\n' "\${COMPREPLY[@]}"
    elif complete -p cmk | grep -q -- '-o default'; then ls; fi`,
  // Only its line editor has these builtins.
  zsh: (script, words) => `
    cmk() { "$NODE" "$CMK" "$@" }
    compdef() { [[ $* = '_cmk cmk' ]] || exit 1 }
    compadd() { [[ $* = '-a choices' ]] || exit 1; print -rl -- "\${(@)choices}" }
    _files() { ls }
    ${script}
    words=(cmk ${quoted(words)}); CURRENT=${words.length + 1}; _cmk`,
  fish: (script, words) => `
    function cmk; $NODE $CMK $argv; end
    ${script}
    complete --do-complete='cmk ${words.join(' ')}'`,
};

/** How each script hands over the words up to the cursor, and falls back to file names: read where the shell is not. */
const PROTOCOL: Record<Shell, { words: string; files: RegExp; registers: RegExp }> = {
  bash: { words: `"\${COMP_WORDS[@]:1:COMP_CWORD}"`, files: / -o default /, registers: /^complete .* -F _cmk cmk$/m },
  zsh: { words: `"\${(@)words[2,CURRENT]}"`, files: /else\s+_files\n/, registers: /^ *compdef _cmk cmk$/m },
  fish: {
    words: '(commandline -opc)[2..] (commandline -ct)',
    files: /else\s+__fish_complete_path \(commandline -ct\)\n/,
    registers: /^complete -c cmk -f -a '\(__cmk_complete\)'$/m,
  },
};

function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function inShell(shell: Shell, words: readonly string[]): Promise<string[]> {
  const script = DRIVERS[shell](await cmk('completion', shell), words);
  const bare = { bash: ['--norc'], zsh: ['-f'], fish: ['--no-config'] }[shell];
  const { stdout } = await promisify(execFile)(shell, [...bare, '-c', script], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      NODE: process.execPath,
      CMK: join(import.meta.dirname, '../../bin/cmk.js'),
    },
  });
  return lines(stdout).map((line) => line.replace(/\t.*/, '')); // fish puts descriptions behind a tab
}

async function byProtocol(shell: Shell, words: readonly string[]): Promise<string[]> {
  const script = await cmk('completion', shell);
  const { words: placeholder, files, registers } = PROTOCOL[shell];
  expect(script).toMatch(registers);
  const [, call] = /cmk (__complete .*?) 2>\/dev\/null/.exec(script) ?? [];
  expect(call).toBe(`__complete -- ${placeholder}`);
  const offered = lines(await cmk('__complete', '--', ...words));
  if (offered.length > 0) return offered;
  expect(script).toMatch(files);
  return [FILE];
}

for (const shell of SHELLS) {
  const real = onPath(shell);
  const offers = real ? inShell : byProtocol;
  describe(`completion in ${shell}${real ? '' : ', read from its script, for there is no such shell here'}`, () => {
    it.each([
      [['account', 'en'], ['enable']],
      [
        ['completion', ''],
        ['bash', 'zsh', 'fish'],
      ],
      [['account', 'enable', 'st1', '--replace'], ['--replace-identity']],
      [['key', 'import', 'k', '--file', ''], [FILE]],
    ])('offers for %j: %j', async (words, choices) => {
      // fish sorts what it offers.
      expect((await offers(shell, words)).sort()).toEqual([...choices].sort());
    });
  });
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(' ');
}
