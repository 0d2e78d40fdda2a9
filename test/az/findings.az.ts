import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ShellCommand } from '../../src/azure/shell-command.ts';
import { formatRecoverKey } from '../../src/drift/checks/commands.ts';
import { grantAccess } from '../../src/identities/grant-access.ts';
import { formatLetStorageIn, formatProtectVault, recoverVault } from '../../src/vaults/vault-commands.ts';
import { KEY, VAULT } from '../drift/checks/subjects.ts';
import { kindOf } from '../drift/printed-commands.ts';
import { Az } from './az.ts';

// Commands of findings that `drift.slow.test.ts` cannot run here, since the local Azure has no such service or the finding
// has another form there: az itself says which options they take, and which they need.
const HSM = { ...VAULT, kind: 'managedHsm', name: 'hsm-local' } as const;

function textOf(command: ShellCommand | undefined): string {
  if (typeof command !== 'string') throw new Error('No command is printed.');
  return command;
}

const commands = [
  textOf(grantAccess('p-1', HSM, 'local')),
  textOf(formatProtectVault(HSM)),
  textOf(formatLetStorageIn(HSM)),
  textOf(recoverVault(HSM)),
  textOf(formatRecoverKey({ ...KEY, vault: HSM })),
];

let az: Az;
beforeAll(() => {
  az = new Az({});
});
afterAll(() => az?.close());

describe('a command that a finding prints has the options that az takes', () => {
  it.each(commands)('az accepts the options of the printed command %s', async (command) => {
    const help = await az.text(`${kindOf(command).slice('az '.length)} --help`);
    const given = [...command.matchAll(/ (--[a-z-]+)/g)].map(([, option = '']) => option);
    const lines = help.split('\n').filter((line) => /^ {4}--/.test(line));
    const options = (line: string): string[] => line.match(/--[a-z-]+/g) ?? [];
    expect(given.filter((option) => !lines.some((line) => options(line).includes(option)))).toEqual([]);
    const required = lines.filter((line) => line.includes('[Required]'));
    expect(required.filter((line) => !options(line).some((option) => given.includes(option)))).toEqual([]);
  });
});
