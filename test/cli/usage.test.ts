import { describe, expect, it } from 'vitest';
import { runCmk } from '../support/run-cmk.ts';

const cmk = (...args: readonly string[]) => runCmk(undefined, args);

describe('a command line that is not right', () => {
  it.each<[string[], string, string]>([
    [['accont', 'verify', 'st1'], "Unknown command 'accont'. Did you mean account?", 'cmk --help'],
    [['key', 'rotat'], "Unknown command 'rotat'. Did you mean rotate?", 'cmk key --help'],
    [['account', 'verify'], "Missing required argument 'account'.", 'cmk account verify --help'],
    [
      ['account', 'enable', 'st1', '--vault', 'kv'],
      "Required option '--key <key>' not specified.",
      'cmk account enable --help',
    ],
    [['doctor', '--fast'], "Unknown option '--fast'.", 'cmk doctor --help'],
    [
      ['account', 'pin', 'st1', 'more'],
      "Too many arguments for 'pin'. Expected 1 argument but got 2: st1, more.",
      'cmk account pin --help',
    ],
    [
      ['key', 'retire', 'k', '--after-hours', '-5'],
      "Option '--after-hours <hours>' argument '-5' is invalid. It has to be a whole number.",
      'cmk key retire --help',
    ],
    [
      ['--subscription', 'key', 'replay', 'drift'],
      "Command-argument value 'drift' is invalid for argument 'queue'. Allowed choices are key-work, account-work.",
      'cmk replay --help',
    ],
  ])('%j: a sentence, where to look, and exit code 2', async (args, message, help) => {
    const nextStep = `${help} shows what there is.`;
    expect(await cmk(...args)).toEqual({ code: 2, out: '', err: `ArgumentInvalid: ${message}\n${nextStep}\n` });
    const { code, out, err } = await cmk(...args, '--json');
    expect({ code, err }).toEqual({ code: 2, err: '' });
    expect(JSON.parse(out)).toEqual({ error: { reason: 'ArgumentInvalid', message, nextStep } });
  });

  it.each([[[]], [['key']], [['account']]])('%j: shows the commands that there are', async (args) => {
    const { code, out, err } = await cmk(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('Commands:');
    const json = await cmk(...args, '--json');
    expect(JSON.parse(json.out)).toMatchObject({
      error: { reason: 'ArgumentInvalid', message: 'No command was given.' },
    });
  });
});
