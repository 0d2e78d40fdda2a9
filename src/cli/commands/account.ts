import { type Command, Option } from 'commander';
import type { Onboarding } from '../../operations/account/account-onboard.ts';
import type { Verification } from '../../operations/account/account-verify.ts';
import type { KeyChoice } from '../../operations/key/key-source.ts';
import type { Operation } from '../../operations/operator-azure.ts';
import type { Where } from '../../operations/resolve.ts';
import { count } from '../../text.ts';
import { type BulkCommand, isBulk, manyAccounts, runMany } from '../bulk/bulk-command.ts';
import type { Cli } from '../cli.ts';
import { confirmName } from '../confirm.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { changing, inGroup, inVault, placeOf, waiting } from '../options.ts';
import type { Output } from '../output.ts';
import { addAccountViews } from './account-list.ts';
import { addAccountBreakGlass } from './break-glass.ts';

interface KeyArguments extends Where {
  vault: string;
  key: string;
  pin?: string | boolean;
  wait: number;
}

interface OnboardArguments extends KeyArguments {
  identity: string;
  keyGroup?: string;
  replaceIdentity?: boolean;
}

interface EnableArguments extends KeyArguments {
  identity?: string;
  grant?: boolean;
  replaceIdentity?: boolean;
}

interface CreateArguments extends KeyArguments {
  identity?: string;
  grant?: boolean;
  location?: string;
  sku: string;
  kind: string;
}

export function addAccountCommands(program: Command, cli: Cli): void {
  const account = program
    .command('account')
    .description('storage accounts and their keys')
    .summary('storage accounts: list, show, onboard, verify, enable, pin, …');
  addAccountViews(account, cli);
  const named = (name: string, argument = '<account>'): Command =>
    account.command(name).argument(argument, 'name or ARM id of the storage account');
  const inPlace = (command: Command): Command =>
    command.option('-g, --resource-group <group>', 'resource group it is in');
  const there = (name: string): Command => inPlace(named(name));
  const many = (name: string): Command => inPlace(named(name, '[account]'));
  addOnboard(many('onboard'), cli);
  addVerify(many('verify'), cli);
  addChangeKey(many('change-key'), cli);
  addPin(many('pin'), cli);
  addUnpin(many('unpin'), cli);
  addEnable(many('enable'), cli);
  addCreate(inGroup(named('create'), 'to create it in'), cli);
  addDisable(there('disable'), cli);
  addAccountBreakGlass(there, cli);
}

const COVERED = `
The key is for the whole account: for all of its file shares, SMB and NFS alike.
A share has no key of its own. Shares of Microsoft.FileShares belong to no
account, and are not set up by this command.`;

function addOnboard(command: Command, cli: Cli): void {
  replacing(withKeyOptions(command, false))
    .description(
      'ALL IN ONE: vault, key, identity, role, account; keeps what is there, goes on where it was interrupted',
    )
    .option('--identity <identity>', 'user-assigned identity, created if it is not there')
    .option('--key-group <group>', "resource group for a new vault or identity (default: the account's)")
    .addHelpText('after', COVERED);
  oneOrMany<OnboardArguments, Onboarding>(command, cli, {
    required: ['vault', 'key', 'identity'],
    shares: ({ vault, key, identity }) => {
      const [kv, id] = [vault, identity].map((name) => name.toLowerCase());
      return [`vault ${kv}`, `key ${kv}/${key.toLowerCase()}`, `identity ${id}`, `role ${id} ${kv}`];
    },
    run: async (account, options, operation) => {
      const { onboardAccount } = await import('../../operations/account/account-onboard.ts');
      const { vault, key, identity, keyGroup, replaceIdentity, wait: waitSeconds } = options;
      const asked = { account, vault, key, identity, keyGroup, replaceIdentity, waitSeconds };
      return onboardAccount({ ...placeOf(options), ...asked, pin: pinOf(options) }, operation);
    },
    trouble: ({ verification }) => troubleOf(verification),
    show: ({ verification }, output) => (verification ? showChecks(verification, output) : undefined),
  });
}

function addVerify(command: Command, cli: Cli): void {
  command.description('check everything that an account needs to be encrypted with its key');
  oneOrMany<Where, Verification>(command, cli, {
    required: [],
    looks: true,
    run: async (account, options, operation) => {
      const { verifyAccount } = await import('../../operations/account/account-verify.ts');
      return verifyAccount({ ...placeOf(options), account }, operation);
    },
    trouble: troubleOf,
    show: showChecks,
  });
}

function addChangeKey(command: Command, cli: Cli): void {
  withKeyOptions(command, false)
    .description('move an account to another key or vault; pinned stays pinned, automatic stays automatic')
    .addOption(new Option('--automatic', 'follow new versions by itself from now on').conflicts('pin'));
  oneOrMany<KeyArguments & { automatic?: boolean }>(command, cli, {
    required: ['vault', 'key'],
    run: async (account, options, operation) => {
      const { changeKey } = await import('../../operations/account/account-change.ts');
      const { vault, key, automatic = false, wait: waitSeconds } = options;
      const choice = { vault, key, pin: pinOf(options) };
      return changeKey({ ...placeOf(options), account, key: choice, automatic, waitSeconds }, operation);
    },
  });
}

function addPin(command: Command, cli: Cli): void {
  changing(command)
    .description('hold an account at the newest version of its key, or move a pinned one there')
    .option('--version <version>', 'this version; never an older one than it is at');
  oneOrMany<Where & { version?: string }>(command, cli, {
    required: [],
    run: async (account, options, operation) => {
      const { pinAccount } = await import('../../operations/account/account-change.ts');
      return pinAccount({ ...placeOf(options), account, version: options.version }, operation);
    },
  });
}

function addUnpin(command: Command, cli: Cli): void {
  changing(command).description('let an account follow new versions by itself');
  oneOrMany<Where>(command, cli, {
    required: [],
    run: async (account, options, operation) => {
      const { unpinAccount } = await import('../../operations/account/account-change.ts');
      return unpinAccount({ ...placeOf(options), account }, operation);
    },
  });
}

function addEnable(command: Command, cli: Cli): void {
  granting(replacing(withKeyOptions(command, false)))
    .description('encrypt an existing account with an existing key')
    .option('--identity <identity>', 'user-assigned identity, or system (default: the one that the account has)');
  oneOrMany<EnableArguments>(command, cli, {
    required: ['vault', 'key'],
    // One gives the role, the others find it.
    shares: ({ vault, identity, grant }) =>
      grant && identity ? [`role ${identity.toLowerCase()} ${vault.toLowerCase()}`] : [],
    run: async (account, options, operation) => {
      const { enableAccount } = await import('../../operations/account/account-enable.ts');
      const { identity, grant, replaceIdentity, wait: waitSeconds } = options;
      const asked = { account, identity, grant, replaceIdentity, waitSeconds };
      return enableAccount({ ...placeOf(options), ...asked, key: choiceOf(options) }, operation);
    },
  });
}

function addCreate(command: Command, cli: Cli): void {
  granting(withKeyOptions(command))
    .description('create an account that is encrypted with a key from its first byte on')
    .option('--identity <identity>', 'user-assigned identity: a new account has no other yet')
    .option('--sku <sku>', 'redundancy', 'Standard_LRS')
    .option('--kind <kind>', 'kind of account', 'StorageV2')
    .action(async (account: string, options: CreateArguments) => {
      const { createAccount } = await import('../../operations/account/account-create.ts');
      const { identity, grant, location, sku, kind, wait } = options;
      const asked = { account, identity, grant, location, sku, kind, waitSeconds: wait };
      await cli.run(command, (operation) =>
        createAccount({ ...placeOf(command.optsWithGlobals()), ...asked, key: choiceOf(options) }, operation),
      );
    });
}

function addDisable(command: Command, cli: Cli): void {
  changing(command)
    .description('give an account back to Microsoft-managed keys, and record on it that this is meant')
    .option('--yes', 'do not ask for the name to be typed; needed for an account that is tagged cmk-key')
    .action(async (account: string, { reason, yes = false }: { reason?: string; yes?: boolean }) => {
      const { disableAccount } = await import('../../operations/account/account-change.ts');
      const confirm = (name: string): Promise<void> =>
        confirmName('give back to Microsoft-managed keys', name, false, cli.context.ask);
      await cli.run(command, (operation) =>
        disableAccount({ ...placeOf(command.optsWithGlobals()), account, reason, yes, confirm }, operation),
      );
    });
}

/** A command that takes one account, or many from a file or by a condition. */
function oneOrMany<A, R = unknown>(command: Command, cli: Cli, typed: BulkCommand<A, R>): void {
  // Commander knows no types of options.
  const bulk = typed as unknown as BulkCommand;
  manyAccounts(command).action(async (account: string | undefined) => {
    if (isBulk(account, command, bulk.required) || account === undefined) return runMany(bulk, command, cli);
    const work = (operation: Operation) => bulk.run(account, command.optsWithGlobals(), operation);
    if (bulk.looks && bulk.show) await cli.look(command, work, bulk.show);
    else await cli.run(command, work, bulk.show);
  });
}

/** What keeps an account from being as it should, in one line. */
function troubleOf(verification: Verification | undefined): string | undefined {
  if (!verification || verification.ok) return undefined;
  const failed = verification.checks.filter(({ state }) => state !== 'ok');
  return failed.map(({ check, detail }) => `${check}: ${detail}`).join('; ');
}

function showChecks({ ok, checks }: Verification, output: Output): ExitCode {
  output.checks(checks);
  if (ok) output.text(`ok: ${count(checks.length, 'check')} passed`);
  return ok ? EXIT.ok : EXIT.incomplete;
}

/** Options of what encrypts an account with a key. */
function withKeyOptions(command: Command, mandatory = true): Command {
  return inVault(waiting(changing(command)), 'the vault, of any region or subscription', mandatory)
    .addOption(new Option('--key <key>', 'name of the key').makeOptionMandatory(mandatory))
    .option(
      '--pin [version]',
      'hold it at a version (default: the newest) instead of following new versions by itself',
    );
}

function granting(command: Command): Command {
  return command.option('--grant', 'give the identity its role on the vault, if it lacks it');
}

function replacing(command: Command): Command {
  return command.option('--replace-identity', 'another user-assigned identity may be taken off the account');
}

function pinOf({ pin }: KeyArguments): string | undefined {
  return pin === true ? 'newest' : pin || undefined;
}

function choiceOf(options: KeyArguments): KeyChoice {
  const { vault, key } = options;
  return { vault, key, pin: pinOf(options) };
}
