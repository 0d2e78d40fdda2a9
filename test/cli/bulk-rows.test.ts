import { Command, Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { acceptManyAccounts } from '../../src/cli/bulk/bulk-command.ts';
import { parseCsv, readBulkRows } from '../../src/cli/bulk/bulk-rows.ts';
import type { Cli } from '../../src/cli/terminal/cli.ts';
import { CmkCommand } from '../../src/cli/terminal/command.ts';

describe('CSV', () => {
  it('A CSV may have quotes, with commas and line feeds in them, CRLF, a byte order mark, empty lines and spaces', () => {
    const { titles, rows } = parseCsv('\ufeffaccount, Vault\r\n\r\nst1, "a ""b"", c" \r\n"st\n2",\nst3,x');
    expect(titles).toEqual(['account', 'vault']);
    expect(rows.map(({ record, info }) => [info.lines, ...Object.values(record)])).toEqual([
      [3, 'st1', 'a "b", c'],
      [5, 'st\n2', ''],
      [6, 'st3', 'x'],
    ]);
  });

  it.each([
    ['', /It is empty/],
    ['account,account\nst1,st2', /two columns are named "account"/],
    ['account\n"st1', /line 2: a quote is not closed/],
    ['account\n"st1"x', /line 2: .* text follows it/],
    ['account;vault\nst1;kv', /This CSV uses semicolons/],
    // As Excel saves it in most of Europe, a byte order mark included.
    ['\ufeffaccount;vault;key\r\nst1;kv;k\r\n', /This CSV uses semicolons/],
  ])('A CSV with errors is rejected with their lines: %j', (text, message) => {
    expect(() => parseCsv(text)).toThrow(message);
  });
});

describe('the rows of a bulk command', () => {
  function command(...args: string[]): Command {
    const program = new Command('cmk').exitOverride().option('--subscription <id>').option('--json');
    const one = acceptManyAccounts(program.command('account').command('onboard').argument('[account]'))
      .option('--vault <vault>')
      .option('--pin [version]')
      .option('--premium')
      .addOption(new Option('--kty <type>').choices(['RSA', 'RSA-HSM']))
      .action(() => {});
    program.parse(['account', 'onboard', ...args], { from: 'user' });
    return one;
  }

  it('A bulk command reads values from the row, and the rest from the command line', () => {
    const text = 'account,vault,pin,premium,kty,subscription\nst1,kv-1,yes,yes,RSA-HSM,sub-1\nst2,,cafe,no,,\n';
    const rows = readBulkRows(text, command('--from', 'x', '--vault', 'kv', '--kty', 'RSA'), ['vault']);

    expect(rows).toEqual([
      {
        account: 'st1',
        options: expect.objectContaining({
          vault: 'kv-1',
          pin: true,
          premium: true,
          kty: 'RSA-HSM',
          subscription: 'sub-1',
        }),
      },
      { account: 'st2', options: expect.objectContaining({ vault: 'kv', pin: 'cafe', premium: false, kty: 'RSA' }) },
    ]);
  });

  it('A row may name a Managed HSM, and not a vault as well', () => {
    const enable = acceptManyAccounts(new CmkCommand({} as Cli, 'enable'))
      .inVault('the vault')
      .exitOverride();
    enable.parse(['--from', 'x', '--vault', 'kv'], { from: 'user' });
    const vaultsOf = (text: string) => readBulkRows(text, enable, ['vault']).map(({ options }) => options.vault);
    expect(vaultsOf('account,hsm,vault\nst1,hsm-1,\nst2,,kv-2\nst3,,\n')).toEqual(['managedHSMs/hsm-1', 'kv-2', 'kv']);
    expect(() => vaultsOf('account,hsm,vault\nst1,hsm-1,kv-1\n')).toThrow(/line 2: .*takes --vault or --hsm, not both/);
  });

  it('The rows of a bulk command are rejected with all their errors at once', () => {
    const text = 'account,vault,kty,premium\nst1,kv,EC,\n,kv,,\nst2,,,perhaps\nST1,kv,,\nst3,kv\nst4,kv,RSA,,\n';
    const read = () => readBulkRows(text, command('--from', 'x'), ['vault']);
    expect(read).toThrow(/line 2: option '--kty <type>' argument 'EC' is invalid\. Allowed choices are RSA, RSA-HSM/);
    expect(read).toThrow(/line 3: no account/);
    expect(read).toThrow(/line 4: premium "perhaps": The value must be yes or no/);
    expect(read).toThrow(/line 4: neither the row nor the command line has vault/);
    expect(read).toThrow(/line 5: ST1 is in line 2 already/);
    for (const line of [6, 7]) expect(read).toThrow(`line ${line}: the number of cells differs from the 4 columns`);
  });

  it('A row may have known columns only, and no option of the whole run', () => {
    const read = () => readBulkRows('name,valt,yes,json\nst1,kv,y,y', command('--from', 'x'), []);
    for (const column of ['name', 'valt', 'yes', 'json']) expect(read).toThrow(`unknown column "${column}"`);
    expect(read).toThrow('the column "account" is missing');
  });
});
