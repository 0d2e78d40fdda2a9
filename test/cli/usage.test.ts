import { describe, expect, it } from 'vitest';
import { runCmk } from '../support/run-cmk.ts';

const cmk = (...args: readonly string[]) => runCmk(undefined, args);

describe('a wrong command line', () => {
  it.each([
    ['accont verify st1', "Unknown command 'accont'. Did you mean account?", 'cmk'],
    ['key rotat', "Unknown command 'rotat'. Did you mean rotate?", 'cmk key'],
    ['account verify', 'Missing: <account>.', 'cmk account verify'],
    ['account enable st1 --vault kv', 'Missing: --key <key>.', 'cmk account enable'],
    ['doctor --fast', "Unknown option '--fast'.", 'cmk doctor'],
    [
      'account pin st1 more',
      "Too many arguments for 'pin'. Expected 1 argument but got 2: st1, more.",
      'cmk account pin',
    ],
    [
      'key ensure k --size -5',
      "Option '--size <bits>' argument '-5' is invalid. The value must be a whole number.",
      'cmk key ensure',
    ],
    [
      '--subscription key admin replay drift',
      "Command-argument value 'drift' is invalid for argument 'queue'. Allowed choices are key-work, fleet-work, notify-work.",
      'cmk admin replay',
    ],
  ])('The wrong command line "%s" gets a sentence, a hint, and exit code 2', async (line, message, command) => {
    const nextStep = `${command} --help lists the arguments and options.`;
    const args = line.split(' ');
    const err = `error: ArgumentInvalid: ${message}\nhint: ${nextStep}\n`;
    expect(await cmk(...args)).toEqual({ code: 2, out: '', err });
    const json = await cmk(...args, '--json');
    expect(json).toMatchObject({ code: 2, err: '' });
    expect(JSON.parse(json.out)).toEqual({ version: 1, error: { reason: 'ArgumentInvalid', message, nextStep } });
  });

  it.each([[[]], [['key']], [['account']]])('The arguments %j get the list of commands', async (args) => {
    const { code, out, err } = await cmk(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(args.length === 0 ? /^ {2}account /m : /^Commands:/m);
    const json = await cmk(...args, '--json');
    expect(JSON.parse(json.out)).toMatchObject({
      error: { reason: 'ArgumentInvalid', message: 'The command line names no command.' },
    });
  });
});

it.each([
  [['account', 'list', '-o', 'cyclonedx'], 'This command has no output in the format cyclonedx.'],
  [['key', 'list', '-o', 'cyclonedx', '--query', 'result'], '--query needs the document that -o json prints.'],
])('The arguments %j are rejected, because the command does not print that document', async (args, message) => {
  expect(await cmk(...args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(message) });
});

it('a restore without the id of a revocation prints the command that lists revocations', async () => {
  const { code, err } = await cmk('key', 'restore', 'k', '--vault', 'kv-files', '--reason', 'Found');
  expect(code).toBe(2);
  expect(err).toMatch(/'--revocation <id>' not specified\.\nhint: List the open revocations: cmk revocation list\n$/);
});

it.each([
  [['key', 'revoke', 'k'], 'No vault is named for the key k.'],
  [['key', 'revoke', 'k', '--reason', 'Stolen'], 'No vault is named for the key k.'],
  [['key', 'revoke', 'k', '--dry-run'], 'No vault is named for the key k.'],
  [['key', 'revoke', 'https://kv-files.vault.azure.net/keys/files-key'], 'Missing: --reason <text>.'],
])('The arguments %j are rejected with the missing options, before any call of Azure', async (args, message) => {
  const { code, err } = await cmk(...args);
  expect({ code, said: err.split('\n')[0] }).toEqual({ code: 2, said: `error: ArgumentInvalid: ${message}` });
});

describe('a wrong option', () => {
  const ensure = (...args: string[]) => ['key', 'ensure', 'k', '--vault', 'kv-files', ...args];
  const breakGlass = (verb: string, ...args: string[]) => ['key', verb, 'k', '--vault', 'kv-files', '--yes', ...args];
  const restore = (...args: string[]) => breakGlass('restore', '--revocation', 'cafe', ...args);

  it.each([
    [ensure('--expires', '2028-02-31'), /"2028-02-31" is neither a date nor a duration/],
    [ensure('--expires', '30.06.2028'), /"30\.06\.2028" is neither a date nor a duration/],
    [ensure('--rotate-after', '18months'), /"18months" is not a duration/],
    [ensure('--version-lifetime', '2Y'), /"2Y" is not a duration/],
    [ensure('--rotate-before-expiry', '-P30D'), /"-P30D" is not a duration/],
    [ensure('--rotate-after', 'P18M', '--rotate-before-expiry', 'P30D'), /cannot be used with/],
    [['now', '--watch', '0'], /The duration must be at least one second/],
    [['key', 'rotate', 'k', '--vault', 'kv', '--if-older-than', '-1'], /"-1" is not a duration/],
    [['account', 'change-key', 'st1', '--vault', 'kv', '--key', 'k', '--pin', '--automatic'], /cannot be used with/],
    [breakGlass('revoke', '--reason', 'x'.repeat(501)), /--reason takes 3 to 500 .* has 501/],
    [breakGlass('revoke', '--reason', ' no '), /--reason takes 3 to 500 .* has 2/],
    // What the app refuses to write into the trail, the command line does not write there either.
    [restore('--reason', '<why>'), /--reason still has the placeholder <why>/],
    [breakGlass('revoke', '--reason', 'evil \u202etxt'), /--reason has unreadable characters/],
    [breakGlass('revoke', '--reason', 'stolen', '--ticket', 'A\nB'), /--ticket has unreadable characters/],
    [restore('--ticket', ' '), /--ticket takes 1 to 100/],
    [restore(), /Missing: --reason <text>\./],
    [['account', 'restore', 'st1', '--yes'], /Missing: --reason <text>\./],
    [['audit', 'verify', '--from', '2026-13-45'], /"2026-13-45" is not a day/],
  ])('The wrong option in %j is rejected before any call of Azure', async (args, message) => {
    expect(await cmk(...args)).toEqual({ code: 2, out: '', err: expect.stringMatching(message) });
  });
});
