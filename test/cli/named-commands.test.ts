import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, it } from 'vitest';
import type { Cli } from '../../src/cli/cli.ts';
import { createProgram } from '../../src/cli/program.ts';

const ROOT = join(import.meta.dirname, '../..');
const GROUPS = 'account|vault|key|rekey|identity|role|fleet|rotation|drift|events|audit';

/** Every file that a person reads a command in: the code's own messages, the documents, the infrastructure. */
function texts(): { file: string; text: string }[] {
  const files = ['src', 'docs', 'infra'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  return ['README.md', 'CONTRIBUTING.md', ...files]
    .filter((file) => /\.(ts|md|bicep)$/.test(file))
    .map((file) => ({ file, text: readFileSync(join(ROOT, file), 'utf8') }));
}

function paths(command: Command, above = 'cmk'): string[] {
  return command.commands.flatMap((one) => [`${above} ${one.name()}`, ...paths(one, `${above} ${one.name()}`)]);
}

it('every `cmk` command that a message or a document names is one that there is', () => {
  const silent = { write: () => true };
  const known = paths(createProgram({ context: { out: silent, err: silent } } as unknown as Cli));
  const named = texts().flatMap(({ file, text }) =>
    [...text.matchAll(new RegExp(`\\bcmk (?:${GROUPS}) [a-z][a-z-]+`, 'g'))].map(([command]) => ({ file, command })),
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter(({ command }) => !known.includes(command))).toEqual([]);
});

it('nobody is told to run `npx cmk`: where this package is not installed, that is a stranger’s', () => {
  const told = texts().filter(({ file, text }) =>
    /npx cmk/.test(file === 'docs/reference/command-line.md' ? text.replace('do not run `npx cmk`', '') : text),
  );
  expect(told.map(({ file }) => file)).toEqual([]);
});
