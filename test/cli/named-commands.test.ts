import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, it } from 'vitest';
import { replaceOtherNames } from '../../src/cli/other-names.ts';
import { createProgram } from '../../src/cli/program.ts';
import type { Cli } from '../../src/cli/terminal/cli.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = createProgram({
  context: { out: { write: () => true }, err: { write: () => true } },
  environment: {},
} as unknown as Cli);

/** Every file that an operator reads a command in: the code's own messages, the page, the documents, the infrastructure. */
function texts(): { file: string; text: string }[] {
  const files = ['src', 'page/src', 'docs', 'infra', 'examples'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  return ['README.md', 'CONTRIBUTING.md', ...files]
    .filter((file) => /\.(tsx?|md|bicep|yml)$/.test(file) && !file.endsWith('other-names.ts'))
    .map((file) => ({ file, text: readFileSync(join(ROOT, file), 'utf8') }));
}

/** The command that the first words lead to, and the words that are left; undefined: there is none. */
function find(
  words: readonly string[],
  from: Command = PROGRAM,
): { command: Command; rest: readonly string[] } | undefined {
  if (from.commands.length === 0) return { command: from, rest: words };
  const next = from.commands.find((one) => one.name() === words[0]);
  if (next) return find(words.slice(1), next);
  // A command of its own that has others below it: `cmk drift --cause`.
  return from !== PROGRAM && words[0]?.startsWith('-') ? { command: from, rest: words } : undefined;
}

/** What is wrong with a command line that a text names: no such command, or no such option. */
function trouble(line: string, isHabitRead: boolean): string | undefined {
  const words = line.split(' ').slice(1);
  if (words[1]?.startsWith('$')) return undefined;

  const args = isHabitRead ? replaceOtherNames(words, PROGRAM) : words;

  // \`cmk key\`, of the group.
  if (args.length === 1 && PROGRAM.commands.some((one) => one.name() === args[0])) return undefined;

  const found = find(args);
  if (!found) return 'no such command';

  const flags = [...found.command.options, ...PROGRAM.options].flatMap(({ long, short }) => [long, short]);
  const unknown = found.rest.filter((word) => /^--?[a-z]/.test(word) && word !== '--help' && !flags.includes(word));

  return unknown.length > 0 ? `no option ${unknown.join(', ')}` : undefined;
}

/** Words of a command line: names, options, placeholders, up to what is prose or code. */
const LINE = /\bcmk [a-z][a-z-]+(?: (?:--?[a-z][a-z-]*|[a-z][a-z-]*|<[a-z]+>|\$\{[^}\s]+\})(?![\w-]))*/g;

const COMMANDS = PROGRAM.commands.map((one) => one.name());

it('every `cmk` command in a message, the page or a document exists, with its options', () => {
  const named = texts().flatMap(({ file, text }) =>
    [...text.matchAll(LINE)]
      .map(([line]) => ({ file, line, isHabitRead: /^docs|README/.test(file) }))
      // Prose: \`cmk needs Node 22\`.
      .filter(({ line }) => COMMANDS.includes(line.split(' ')[1] ?? '')),
  );

  expect(named.length).toBeGreaterThan(100);

  const wrong = named.flatMap(({ file, line, isHabitRead }) => {
    const what = trouble(line, isHabitRead);
    return what === undefined ? [] : [`${file}: ${line}: ${what}`];
  });
  expect(wrong).toEqual([]);
});

it.each([
  ['get keys', 'key list'],
  ['get keys -o wide', 'key list -o wide'],
  ['-o json get keys --vault kv', '-o json key list --vault kv'],
  ['get key files-key', 'key show files-key'],
  ['describe account st1', 'account show st1'],
  ['create key k --vault kv', 'key ensure k --vault kv'],
  ['create account st1', 'account create st1'],
  ['rotate key files-key', 'key rotate files-key'],
  ['keys ls', 'key list'],
  ['accounts view st1', 'account show st1'],
  ['accounts', 'account'],
  ['status', 'now'],
  ['key show -n files-key --vault-name kv', 'key show files-key --vault kv'],
  ['key revoke kv/k -y', 'key revoke kv/k --yes'],
  ['logs --since 12h --until 7d', 'audit list --since PT12H --until P7D'],
  ['get all', 'now'],
  ['rollout status files-key', 'rotation show files-key'],
  ['--subscription status rollout status files-key', '--subscription status rotation show files-key'],
  ['get pods', 'get pods'],
])('`cmk %s` is read as `cmk %s`', (given, here) => {
  expect(replaceOtherNames(given.split(' '), PROGRAM)).toEqual(here.split(' '));
});

it('no text tells an operator to run `npx cmk`, which may be a stranger’s package', () => {
  const told = texts().filter(({ file, text }) =>
    /npx cmk/.test(file === 'docs/reference/command-line.md' ? text.replace('do not run `npx cmk`', '') : text),
  );
  expect(told.map(({ file }) => file)).toEqual([]);
});
