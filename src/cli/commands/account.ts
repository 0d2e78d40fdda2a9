import { type Command, Option } from 'commander';
import type { Onboarding, OnboardOptions } from '../../operations/account/account-onboard.ts';
import type { Verification } from '../../operations/account/account-verify.ts';
import type { KeyChoice } from '../../operations/key/key-source.ts';
import type { Operation } from '../../operations/operator-azure.ts';
import type { Where } from '../../operations/resolve.ts';
import { count } from '../../text.ts';
import { type BulkCommand, isBulk, manyAccounts, runMany } from '../bulk/bulk-command.ts';
import type { Cli } from '../cli.ts';
import { confirmName } from '../confirm.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { changing, inGroup, inVault, waiting } from '../options.ts';
import type { Output } from '../output.ts';
import { addAccountViews } from './account-list.ts';
import { addAccountBreakGlass } from './break-glass.ts';

/** Loaded when a command runs: `--help` needs no operation. */
const changes = () => import('../../operations/account/account-change.ts');

/** Arguments of commands that encrypt an account with a key. */
interface EncryptArguments extends Where, KeyChoice {
  waitSeconds: number;
  identity?: string;
  grant?: boolean;
}

type OnboardArguments = Omit<OnboardOptions, 'account'>;

export function addAccountCommands(program: Command, cli: Cli): void {
  const account = program
    .command('account')
    .description('storage accounts and their keys')
    .summary('storage accounts: list, show, onboard, verify, enable, pin, …');
  addAccountViews(account, cli);
  const named = (name: string, argument = '<account>'): Command =>
    account.command(name).argument(argument, 'name or ARM id of the storage account');
  const inPlace = (command: Command): Command => command.option('-g, --resource-group <group>', 'its resource group');
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
The key encrypts the whole account with all file shares, SMB and NFS. A share
cannot have a separate key. This command does not set up shares of
Microsoft.FileShares, which belong to no account.`;

function addOnboard(command: Command, cli: Cli): void {
  replacing(withKeyOptions(command))
    .description(
      'ALL IN ONE: vault, key, identity, role, account; keeps existing resources, continues after an interruption',
    )
    .option('--identity <identity>', 'user-assigned identity, created if it does not exist')
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
      return onboardAccount({ ...options, account }, operation);
    },
    trouble: ({ verification }) => troubleOf(verification),
    show: ({ verification }, output) => (verification ? showChecks(verification, output) : undefined),
  });
}

function addVerify(command: Command, cli: Cli): void {
  command.description("check every requirement of an account's encryption with its key");
  oneOrMany<Where, Verification>(command, cli, {
    required: [],
    reads: true,
    run: async (account, options, operation) =>
      (await import('../../operations/account/account-verify.ts')).verifyAccount({ ...options, account }, operation),
    trouble: troubleOf,
    show: showChecks,
  });
}

function addChangeKey(command: Command, cli: Cli): void {
  withKeyOptions(command)
    .description('move an account to another key or vault; pinned stays pinned, automatic stays automatic')
    .addOption(new Option('--automatic', 'follow new versions automatically from now on').conflicts('pin'));
  oneOrMany<EncryptArguments & { automatic?: boolean }>(command, cli, {
    required: ['vault', 'key'],
    run: async (account, { automatic = false, ...options }, operation) =>
      (await changes()).changeKey({ ...options, account, automatic, key: choiceOf(options) }, operation),
  });
}

function addPin(command: Command, cli: Cli): void {
  changing(command)
    .description('pin an account to the newest version of its key')
    .option('--version <version>', "this version; never older than the account's current one");
  oneOrMany<Where & { version?: string }>(command, cli, {
    required: [],
    run: async (account, options, operation) => (await changes()).pinAccount({ ...options, account }, operation),
  });
}

function addUnpin(command: Command, cli: Cli): void {
  changing(command).description('make an account follow new versions automatically');
  oneOrMany<Where>(command, cli, {
    required: [],
    run: async (account, options, operation) => (await changes()).unpinAccount({ ...options, account }, operation),
  });
}

function addEnable(command: Command, cli: Cli): void {
  granting(replacing(withKeyOptions(command)))
    .description('encrypt an existing account with an existing key')
    .option('--identity <identity>', "user-assigned identity, or system (default: the account's current one)");
  oneOrMany<EncryptArguments & { replaceIdentity?: boolean }>(command, cli, {
    required: ['vault', 'key'],
    // The first row grants the role, the others find it.
    shares: ({ vault, identity, grant }) =>
      grant && identity ? [`role ${identity.toLowerCase()} ${vault.toLowerCase()}`] : [],
    run: async (account, options, operation) =>
      (await import('../../operations/account/account-enable.ts')).enableAccount(
        { identity: undefined, ...options, account, key: choiceOf(options) },
        operation,
      ),
  });
}

type CreateArguments = EncryptArguments & { location: string | undefined; sku: string; kind: string };

function addCreate(command: Command, cli: Cli): void {
  granting(withKeyOptions(command, true))
    .description('create an account that is encrypted with a key from the start')
    .option('--identity <identity>', 'user-assigned identity; required: a new account has no system-assigned one')
    .option('--sku <sku>', 'redundancy', 'Standard_LRS')
    .option('--kind <kind>', 'kind of account', 'StorageV2')
    .action(async (account: string) => {
      const { createAccount } = await import('../../operations/account/account-enable.ts');
      const options = command.optsWithGlobals<CreateArguments>();
      const asked = { identity: undefined, ...options, account, key: choiceOf(options) };
      await cli.run(command, (operation) => createAccount(asked, operation));
    });
}

function addDisable(command: Command, cli: Cli): void {
  changing(command)
    .description('return an account to Microsoft-managed keys, and tag it as intended')
    .option('--yes', 'skip the confirmation; needed for an account with the tag cmk-key')
    .action(async (account: string) => {
      const options = command.optsWithGlobals<Where & { reason?: string; yes?: boolean }>();
      const confirm = (name: string): Promise<void> =>
        confirmName('return to Microsoft-managed keys', name, false, cli.context.ask);
      const asked = { yes: false, ...options, account, confirm };
      await cli.run(command, async (operation) => (await changes()).disableAccount(asked, operation));
    });
}

/** Adds the action of a command for one account, or for many from a file. */
function oneOrMany<A, R = unknown>(command: Command, cli: Cli, typed: BulkCommand<A, R>): void {
  // Commander's options have no types.
  const bulk = typed as unknown as BulkCommand;
  manyAccounts(command).action(async (account: string | undefined) => {
    if (isBulk(account, command, bulk.required) || account === undefined) return runMany(bulk, command, cli);
    const work = (operation: Operation) => bulk.run(account, command.optsWithGlobals(), operation);
    if (bulk.reads && bulk.show) await cli.read(command, work, bulk.show);
    else await cli.run(command, work, bulk.show);
  });
}

/** Returns the failed checks of an account in one line. */
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

/** Adds the options of commands that encrypt an account with a key. */
function withKeyOptions(command: Command, mandatory = false): Command {
  return inVault(waiting(changing(command)), 'the vault, of any region or subscription', mandatory)
    .addOption(new Option('--key <key>', 'name of the key').makeOptionMandatory(mandatory))
    .addOption(
      new Option('--pin [version]', 'pin it to a version instead of following new versions automatically').preset(
        'newest',
      ),
    );
}

function granting(command: Command): Command {
  return command.option('--grant', 'grant the identity its role on the vault, if it lacks it');
}

function replacing(command: Command): Command {
  return command.option('--replace-identity', 'remove another user-assigned identity from the account');
}

function choiceOf({ vault, key, pin }: EncryptArguments): KeyChoice {
  return { vault, key, pin };
}
