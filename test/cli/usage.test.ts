import { describe, expect, it } from 'vitest';
import { runCmk } from '../support/run-cmk.ts';

const cmk = (...args: readonly string[]) => runCmk(undefined, args);

describe('a command line that is not right', () => {
  it.each<[string[], string, string]>([
    [['accont', 'verify', 'st1'], "Unknown command 'accont'. Did you mean account?", 'cmk --help'],
    [['key', 'rotat'], "Unknown command 'rotat'. Did you mean rotate?", 'cmk key --help'],
    [['account', 'verify'], 'Missing: <account>.', 'cmk account verify --help'],
    [['account', 'enable', 'st1', '--vault', 'kv'], 'Missing: --key <key>.', 'cmk account enable --help'],
    [['doctor', '--fast'], "Unknown option '--fast'.", 'cmk doctor --help'],
    [
      ['account', 'pin', 'st1', 'more'],
      "Too many arguments for 'pin'. Expected 1 argument but got 2: st1, more.",
      'cmk account pin --help',
    ],
    [
      ['key', 'ensure', 'k', '--size', '-5'],
      "Option '--size <bits>' argument '-5' is invalid. The value must be a whole number.",
      'cmk key ensure --help',
    ],
    [
      ['--subscription', 'key', 'admin', 'replay', 'drift'],
      "Command-argument value 'drift' is invalid for argument 'queue'. Allowed choices are key-work, fleet-work, notify-work.",
      'cmk admin replay --help',
    ],
  ])('%j: a sentence, where to look, and exit code 2', async (args, message, help) => {
    const nextStep = `${help} lists the arguments and options.`;
    expect(await cmk(...args)).toEqual({
      code: 2,
      out: '',
      err: `error: ArgumentInvalid: ${message}\nhint: ${nextStep}\n`,
    });
    const { code, out, err } = await cmk(...args, '--json');
    expect({ code, err }).toEqual({ code: 2, err: '' });
    expect(JSON.parse(out)).toEqual({ version: 1, error: { reason: 'ArgumentInvalid', message, nextStep } });
  });

  it.each([[[]], [['key']], [['account']]])('%j: shows the commands that there are', async (args) => {
    const { code, out, err } = await cmk(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(args.length === 0 ? /^ {2}account /m : /^Commands:/m);
    const json = await cmk(...args, '--json');
    expect(JSON.parse(json.out)).toMatchObject({
      error: { reason: 'ArgumentInvalid', message: 'The command line names no command.' },
    });
  });
});

it('a restore without the id of a revocation names the command that lists these', async () => {
  const { code, err } = await cmk('key', 'restore', 'k', '--vault', 'kv-files', '--reason', 'Found');
  expect(code).toBe(2);
  expect(err).toMatch(/'--revocation <id>' not specified\.\nhint: List the open revocations: cmk revocation list\n$/);
});

it.each([
  [['key', 'revoke', 'k'], 'No vault is named for the key k.'],
  [['key', 'revoke', 'k', '--reason', 'Stolen'], 'No vault is named for the key k.'],
  [['key', 'revoke', 'k', '--dry-run'], 'No vault is named for the key k.'],
  [['key', 'revoke', 'https://kv-files.vault.azure.net/keys/files-key'], 'Missing: --reason <text>.'],
])('%j: says what a revocation is missing, before it calls Azure', async (args, message) => {
  const { code, err } = await cmk(...args);
  expect({ code, said: err.split('\n')[0] }).toEqual({ code: 2, said: `error: ArgumentInvalid: ${message}` });
});

describe('dates, durations and numbers', () => {
  const ensure = ['key', 'ensure', 'k', '--vault', 'kv-files'];
  it.each([
    [[...ensure, '--expires', '2028-02-31'], /"2028-02-31" is neither a date nor a duration/],
    [[...ensure, '--expires', '30.06.2028'], /"30\.06\.2028" is neither a date nor a duration/],
    [[...ensure, '--rotate-after', '18months'], /"18months" is not a duration/],
    [[...ensure, '--version-lifetime', '2Y'], /"2Y" is not a duration/],
    [[...ensure, '--rotate-before-expiry', '-P30D'], /"-P30D" is not a duration/],
    [[...ensure, '--rotate-after', 'P18M', '--rotate-before-expiry', 'P30D'], /cannot be used with/],
    [['now', '--watch', '0'], /The duration must be at least one second/],
    [['key', 'rotate', 'k', '--vault', 'kv', '--if-older-than', '-1'], /"-1" is not a duration/],
    [['account', 'change-key', 'st1', '--vault', 'kv', '--key', 'k', '--pin', '--automatic'], /cannot be used with/],
    [
      ['key', 'revoke', 'k', '--vault', 'kv', '--yes', '--reason', 'x'.repeat(501)],
      /--reason takes 3 to 500 .* has 501/,
    ],
    [['key', 'revoke', 'k', '--vault', 'kv', '--yes', '--reason', ' no '], /--reason takes 3 to 500 .* has 2/],
    // What the app refuses to write into the trail, the command line does not write there either.
    [
      ['key', 'restore', 'k', '--vault', 'kv', '--yes', '--revocation', 'r', '--reason', '<why>'],
      /--reason still has the placeholder <why>/,
    ],
    [
      ['key', 'revoke', 'k', '--vault', 'kv', '--yes', '--reason', 'evil \u202etxt'],
      /--reason has unreadable characters/,
    ],
    [
      ['key', 'revoke', 'k', '--vault', 'kv', '--yes', '--reason', 'stolen', '--ticket', 'A\nB'],
      /--ticket has unreadable characters/,
    ],
    [
      ['key', 'restore', 'k', '--vault', 'kv', '--yes', '--revocation', 'cafe', '--ticket', ' '],
      /--ticket takes 1 to 100/,
    ],
    [['key', 'restore', 'k', '--vault', 'kv-files', '--yes', '--revocation', 'cafe'], /Missing: --reason <text>\./],
    [['account', 'restore', 'st1', '--yes'], /Missing: --reason <text>\./],
    [['audit', 'verify', '--from', '2026-13-45'], /"2026-13-45" is not a day/],
  ])('%j: refused before anything is asked of Azure', async (args, message) => {
    const { code, out, err } = await cmk(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
  });
});
