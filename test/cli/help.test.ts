import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import type { Cli } from '../../src/cli/terminal/cli.ts';
import { EXIT } from '../../src/cli/terminal/exit-codes.ts';
import { useProcedures } from '../support/procedures.ts';
import { type CmkOptions, runCmk } from '../support/run-cmk.ts';

const procedures = useProcedures();
const cmk = (args: readonly string[], options?: CmkOptions) => runCmk(procedures, args, options);
const ROOT = join(import.meta.dirname, '../..');

describe('help', () => {
  const all = (command: Command, words: string[] = []): string[][] => [
    words,
    ...command.commands
      .filter((one) => !one.name().startsWith('__') && one.name() !== 'help')
      .flatMap((one) => all(one, [...words, one.name()])),
  ];

  const silent = { write: () => true };
  const commands = all(createProgram({ context: { out: silent, err: silent }, environment: {} } as unknown as Cli));
  const environment = { CMK_FUNCTION_APP_ID: '/subscriptions/a', CMK_STORAGE_ACCOUNT_ID: '/subscriptions/b' };

  it.each(commands.map((words) => ['cmk', ...words].join(' ')))(
    'The help of %s fits into a terminal, and has each default and the common options once',
    async (line) => {
      const words = line.split(' ').slice(1);
      const { code, out } = await cmk([...words, '--help'], { env: environment });
      expect(code).toBe(0);
      expect(out.split('\n').filter((line) => line.length > 80 && !line.startsWith('  cmk '))).toEqual([]);
      expect(out).not.toMatch(/default: (false|\[\]|"\/)|\(default[^)]*\)\s+\(default/);
      expect(await cmk(['help', ...words], { env: environment })).toMatchObject({ code: 0, out });
      expect(out).toContain('cmk help options');
    },
  );

  it('The help names every command on the first page, which is a screen of 24 by 80', async () => {
    const { out } = await cmk(['--help']);
    const lines = out.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    for (const [name] of commands.filter(({ length }) => length === 1)) {
      expect(out).toMatch(new RegExp(`^  ${name} `, 'm'));
    }
  });

  it('The help lists the exit codes and the environment in full', async () => {
    const codes = (await cmk(['help', 'exit-codes'])).out;
    for (const code of Object.values(EXIT)) expect(codes).toMatch(new RegExp(`^ +${code} `, 'm'));

    const { out } = await cmk(['help', 'environment']);

    const sources = ['src/cli'].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => readFileSync(join(ROOT, folder, name), 'utf8')),
    );

    const named = new Set(sources.join('\n').match(/\b(?:CMK_[A-Z_]+|NO_COLOR|AZURE_[A-Z_]+)\b/g));
    expect([...named].filter((name) => !out.includes(name))).toEqual([]);
  });
});
