import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import type { Cli } from '../../src/cli/cli.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { createProgram } from '../../src/cli/program.ts';
import { unique, useProcedures } from '../support/procedures.ts';
import { type CmkOptions, runCmk } from '../support/run-cmk.ts';

const procedures = useProcedures();
const cmk = (args: readonly string[], options?: CmkOptions) => runCmk(procedures, args, options);
const ROOT = join(import.meta.dirname, '../..');

describe('help', () => {
  const all = (command: Command, words: string[] = []): string[][] => [
    words,
    ...command.commands
      .filter((one) => !one.name().startsWith('__'))
      .flatMap((one) => all(one, [...words, one.name()])),
  ];
  const silent = { write: () => true };
  const commands = all(
    createProgram({ surroundings: { out: silent, err: silent }, environment: {} } as unknown as Cli),
  );
  const environment = { CMK_FUNCTION_APP_ID: '/subscriptions/a', CMK_STORAGE_ACCOUNT_ID: '/subscriptions/b' };

  it.each(commands.map((words) => ['cmk', ...words].join(' ')))(
    'of %s fits into a terminal, says each default once, and what every command takes',
    async (line) => {
      const words = line.split(' ').slice(1);
      const { code, out } = await cmk([...words, '--help'], { env: environment });
      expect(code).toBe(0);
      expect(out.split('\n').filter((line) => line.length > 80 && !line.startsWith('  cmk '))).toEqual([]);
      expect(out).not.toMatch(/default: (false|\[\]|"\/)|\(default[^)]*\)\s+\(default/);
      for (const option of ['--json', '--subscription', '--cloud']) expect(out).toContain(option);
      expect(await cmk(['help', ...words])).toMatchObject({ code: 0 });
    },
  );

  it('names every command on the first page', async () => {
    const { out } = await cmk(['--help']);
    const text = out.replaceAll(/\s+/g, ' ');
    for (const [group, name] of commands.filter(({ length }) => length === 2)) {
      expect(text).toMatch(new RegExp(` ${group} [^:]*: [a-z, -]*\\b${name}\\b`));
    }
  });

  it('has the exit codes and the environment in full', async () => {
    const { out } = await cmk(['--help']);
    for (const code of Object.values(EXIT)) expect(out).toMatch(new RegExp(`^ +${code} `, 'm'));
    const sources = ['src/cli', 'src/operations'].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => readFileSync(join(ROOT, folder, name), 'utf8')),
    );
    const named = new Set(sources.join('\n').match(/\b(?:CMK_[A-Z_]+|NO_COLOR|AZURE_[A-Z_]+)\b/g));
    expect([...named].filter((name) => !out.includes(name))).toEqual([]);
  });

  it('is enough to onboard an account: the commands that it shows work as they stand there', async () => {
    const { out } = await cmk(['--help']);
    const { account, group } = procedures.site();
    const shown = [...out.matchAll(/^ {2}cmk (account onboard .*)$/gm)].map(([, line = '']) => line);
    expect(shown).toHaveLength(2);
    const names: Record<string, string> = {
      '<account>': account.name,
      '<vault>': unique('kv-'),
      '<key>': 'files-key',
      '<identity>': unique('id-'),
    };
    for (const line of shown) {
      const ran = await cmk(line.split(' ').map((word) => names[word] ?? word));
      expect(ran).toMatchObject({ code: 0 });
    }
    expect(account.encryption.keySource).toBe('Microsoft.Keyvault');
    expect(group.id).toBe(account.id.split('/providers/')[0]);
  });
});
