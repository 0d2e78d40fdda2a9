import { Option } from 'commander';
import { formatCount } from '../../formats/text.ts';
import { acceptOneOrMany } from '../bulk/bulk-command.ts';
import type { OnboardOptions } from '../procedures/account/account-onboard.ts';
import type { Verification } from '../procedures/account/account-verify.ts';
import type { KeyChoice } from '../procedures/key/key-source.ts';
import type { Where } from '../procedures/resolve.ts';
import type { CmkCommand } from '../terminal/command.ts';
import { confirmName } from '../terminal/confirm.ts';
import type { Output } from '../terminal/output.ts';
import { addAccountViews } from './account-list.ts';
import { addAccountBreakGlass } from './break-glass.ts';

/** Loaded when a command runs: `--help` needs no operation. */
const operations = () => import('../procedures/account/account-change.ts');

interface EncryptOptions extends Where, KeyChoice {
  waitSeconds: number;
  identity?: string;
  grant?: boolean;
}

export function addAccountCommands(program: CmkCommand): void {
  const account = program
    .command('account')
    .description('storage accounts and their keys')
    .summary('storage accounts: list, show, onboard, verify, enable, pin, …');

  addAccountViews(account);

  const named = (name: string, argument: string): CmkCommand =>
    account
      .command(name)
      .argument(argument, 'name or ARM id of the storage account')
      .option('-g, --resource-group <group>', 'its resource group');

  const there = (name: string): CmkCommand => named(name, '<account>');
  const many = (name: string): CmkCommand => named(name, '[account]');

  addOnboard(many('onboard'));
  addChanges(many);
  addEnable(many('enable'));
  addCreate(account.command('create').argument('<account>', 'name or ARM id of the storage account'));
  addDisable(there('disable'));
  addAccountBreakGlass(there, program.cli);
}

const COVERED = `
The key encrypts the whole account with all file shares, SMB and NFS. A share
cannot have a separate key. This command does not set up shares of
Microsoft.FileShares, which belong to no account.`;

function addOnboard(command: CmkCommand): void {
  withKeyOptions(command)
    .option(...REPLACING)
    .description(
      'ALL IN ONE: vault, key, identity, role, account; keeps existing resources, continues after an interruption',
    )
    .option('--identity <identity>', 'user-assigned identity, created if it does not exist')
    .option('--key-group <group>', "resource group for a new vault or identity (default: the account's)")
    .addHelpText('after', COVERED);

  acceptOneOrMany(command, {
    required: ['vault', 'key', 'identity'],
    shares: ({ vault, key, identity }: Omit<OnboardOptions, 'account'>) => {
      const kv = vault.toLowerCase();
      const id = identity.toLowerCase();
      return [`vault ${kv}`, `key ${kv}/${key.toLowerCase()}`, `identity ${id}`, `role ${id} ${kv}`];
    },
    run: async (account, options, operation) => {
      const { onboardAccount } = await import('../procedures/account/account-onboard.ts');
      return onboardAccount({ ...options, account }, operation);
    },
    trouble: ({ verification }) => verification && troubleOf(verification),
    show: ({ verification }, output) => verification && showChecks(verification, output),
  });
}

function addChanges(many: (name: string) => CmkCommand): void {
  const verify = many('verify').description("check every requirement of an account's encryption with its key");

  acceptOneOrMany(verify, {
    reads: true,
    run: async (account, options: Where, operation) => {
      const { verifyAccount } = await import('../procedures/account/account-verify.ts');
      return verifyAccount({ ...options, account }, operation);
    },
    trouble: troubleOf,
    show: showChecks,
  });

  const changeKey = withKeyOptions(many('change-key'))
    .description('move an account to another key or vault; pinned stays pinned, automatic stays automatic')
    .addOption(new Option('--automatic', 'follow new versions automatically from now on').conflicts('pin'));

  acceptOneOrMany(changeKey, {
    required: ['vault', 'key'],
    run: async (account, { automatic = false, ...options }: EncryptOptions & { automatic?: boolean }, operation) =>
      (await operations()).changeKey({ ...options, account, automatic, key: options }, operation),
  });

  const pin = many('pin')
    .changing()
    .description('pin an account to the newest version of its key')
    .option('--version <version>', "this version; never older than the account's current one");

  acceptOneOrMany(pin, {
    run: async (account, options: Where & { version?: string }, operation) =>
      (await operations()).pinAccount({ ...options, account }, operation),
  });
  acceptOneOrMany(many('unpin').changing().description('make an account follow new versions automatically'), {
    run: async (account, options: Where, operation) =>
      (await operations()).unpinAccount({ ...options, account }, operation),
  });
}

function addEnable(command: CmkCommand): void {
  withKeyOptions(command)
    .option(...REPLACING)
    .option(...GRANTING)
    .description('encrypt an existing account with an existing key')
    .option('--identity <identity>', "user-assigned identity, or system (default: the account's current one)");

  acceptOneOrMany(command, {
    required: ['vault', 'key'],
    // The first row grants the role, the others find it.
    shares: ({ vault, identity, grant }: EncryptOptions & { replaceIdentity?: boolean }) =>
      grant && identity ? [`role ${identity.toLowerCase()} ${vault.toLowerCase()}`] : [],
    run: async (account, options, operation) => {
      const { enableAccount } = await import('../procedures/account/account-enable.ts');
      return enableAccount({ identity: undefined, ...options, account, key: options }, operation);
    },
  });
}

function addCreate(command: CmkCommand): void {
  type Options = EncryptOptions & { location: string | undefined; sku: string; kind: string };

  withKeyOptions(command.inGroup('to create it in'), true)
    .option(...GRANTING)
    .description('create an account that is encrypted with a key from the start')
    .option('--identity <identity>', 'user-assigned identity; required: a new account has no system-assigned one')
    .option('--sku <sku>', 'redundancy', 'Standard_LRS')
    .option('--kind <kind>', 'kind of account', 'StorageV2')
    .changes(async (operation, options: Options, account) => {
      const { createAccount } = await import('../procedures/account/account-enable.ts');
      return createAccount({ identity: undefined, ...options, account, key: options }, operation);
    });
}

function addDisable(command: CmkCommand): void {
  command
    .changing()
    .confirmed('skip the confirmation; needed for an account with the tag cmk-key')
    .description('return an account to Microsoft-managed keys, and tag it as intended')
    .changes(async (operation, options: Where & { reason?: string; yes?: boolean }, account) => {
      const confirm = (name: string): Promise<void> =>
        confirmName('return to Microsoft-managed keys', name, false, command.cli.context.ask);
      return (await operations()).disableAccount({ yes: false, ...options, account, confirm }, operation);
    });
}

/** Returns the failed checks of an account in one line; undefined: none. */
function troubleOf({ ok, checks }: Verification): string | undefined {
  if (ok) return undefined;
  const failed = checks.filter(({ state }) => state !== 'ok');
  return failed.map(({ check, detail }) => `${check}: ${detail}`).join('; ');
}

function showChecks({ ok, checks }: Verification, output: Output): void {
  output.checks(checks);
  if (ok) output.text(`ok: ${formatCount(checks.length, 'check')} passed`);
  output.incompleteIf(!ok);
}

function withKeyOptions(command: CmkCommand, mandatory = false): CmkCommand {
  const pin = new Option('--pin [version]', 'pin it to a version instead of following new versions automatically');
  return command
    .changing()
    .waiting()
    .inVault('the vault, of any region or subscription', mandatory)
    .addOption(new Option('--key <key>', 'name of the key').makeOptionMandatory(mandatory))
    .addOption(pin.preset('newest'));
}

const GRANTING = ['--grant', 'grant the identity its role on the vault, if it lacks it'] as const;
const REPLACING = ['--replace-identity', 'remove another user-assigned identity from the account'] as const;
