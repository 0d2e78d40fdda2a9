import { type Command, Option } from 'commander';
import { changeKey, disableAccount } from '../../operations/account/account-change-key.ts';
import { createAccount } from '../../operations/account/account-create.ts';
import { enableAccount } from '../../operations/account/account-enable.ts';
import { onboardAccount } from '../../operations/account/account-onboard.ts';
import { pinAccount, unpinAccount } from '../../operations/account/account-pin.ts';
import { type Verification, verifyAccount } from '../../operations/account/account-verify.ts';
import type { KeyChoice } from '../../operations/key/key-source.ts';
import type { Where } from '../../operations/resolve.ts';
import { parseMoment } from '../../time/duration.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { changing, expiry, inGroup, keySize, waiting } from '../options.ts';
import type { Output } from '../output.ts';

interface KeyArguments {
  vault: string;
  key: string;
  pin?: string | boolean;
  wait: number;
}

interface OnboardArguments extends KeyArguments {
  identity: string;
  keyGroup?: string;
  premium?: boolean;
  roleOnKey?: boolean;
  replaceIdentity?: boolean;
  kty?: 'RSA' | 'RSA-HSM';
  size?: number;
  expires?: string;
}

interface EnableArguments extends KeyArguments {
  identity?: string;
  grant?: boolean;
  replaceIdentity?: boolean;
  federatedClientId?: string;
}

interface CreateArguments extends EnableArguments {
  location?: string;
  sku: string;
  kind: string;
}

interface ChangeKeyArguments extends KeyArguments {
  automatic?: boolean;
}

export function addAccountCommands(program: Command, cli: Cli): void {
  const account = program.command('account').description('storage accounts and their keys');
  const named = (name: string): Command =>
    account.command(name).argument('<account>', 'name or ARM id of the storage account');
  const there = (name: string): Command =>
    named(name).option('-g, --resource-group <group>', 'resource group it is in');
  addOnboard(there('onboard'), cli);
  addEnable(there('enable'), cli);
  addCreate(inGroup(named('create'), 'to create it in'), cli);
  addVerify(there('verify'), cli);
  addChangeKey(there('change-key'), cli);
  addPin(there('pin'), cli);
  addUnpin(there('unpin'), cli);
  addDisable(there('disable'), cli);
}

function addOnboard(command: Command, cli: Cli): void {
  keySize(expiry(replacing(withKey(command))))
    .description(
      'ALL IN ONE: vault, key, identity, role, account; keeps what is there, goes on where it was interrupted',
    )
    .requiredOption('--identity <identity>', 'user-assigned identity, created if it is not there')
    .option('--key-group <group>', "resource group for a new vault or identity (default: the account's)")
    .option('--premium', 'a new vault is a premium one, with keys in hardware')
    .option('--role-on-key', 'give the role on the key alone instead of on the vault')
    .action(async (account: string, options: OnboardArguments) => {
      const { vault, key, identity, keyGroup, roleOnKey, replaceIdentity, kty, size, expires, wait } = options;
      const sku = options.premium ? ('premium' as const) : undefined;
      const asked = { account, vault, key, identity, keyGroup, sku, roleOnKey, replaceIdentity, waitSeconds: wait };
      await cli.run(
        command,
        (operation) => {
          const expiresOn = expires ? parseMoment(expires, operation.azure.now()) : undefined;
          const wantedKey = { kty, size, expiresOn };
          return onboardAccount({ ...where(command), ...asked, wantedKey, pin: pinOf(options) }, operation);
        },
        (result, output) => (result.verification ? showChecks(result.verification, output) : undefined),
      );
    });
}

function addEnable(command: Command, cli: Cli): void {
  fromOtherTenant(granting(replacing(withKey(command))))
    .description('encrypt an existing account with a key that is there')
    .option('--identity <identity>', "user-assigned identity (default: the account's system-assigned one)")
    .action(async (account: string, options: EnableArguments) => {
      const { identity, grant, federatedClientId, replaceIdentity, wait } = options;
      const asked = { account, identity, grant, federatedClientId, replaceIdentity, waitSeconds: wait };
      await cli.run(command, (operation) =>
        enableAccount({ ...where(command), ...asked, key: choiceOf(options) }, operation),
      );
    });
}

function addCreate(command: Command, cli: Cli): void {
  fromOtherTenant(granting(withKey(command)))
    .description('create an account that is encrypted with a key from its first byte on')
    .option('--identity <identity>', 'user-assigned identity: a new account has no other yet')
    .option('--sku <sku>', 'redundancy', 'Standard_LRS')
    .option('--kind <kind>', 'kind of account', 'StorageV2')
    .action(async (account: string, options: CreateArguments) => {
      const { identity, grant, federatedClientId, location, sku, kind, wait } = options;
      const asked = { account, identity, grant, federatedClientId, location, sku, kind, waitSeconds: wait };
      await cli.run(command, (operation) =>
        createAccount({ ...where(command), ...asked, key: choiceOf(options) }, operation),
      );
    });
}

function addVerify(command: Command, cli: Cli): void {
  command
    .description('check everything that an account needs to be encrypted with its key')
    .action(async (account: string) => {
      await cli.look(command, (operation) => verifyAccount({ ...where(command), account }, operation), showChecks);
    });
}

function addChangeKey(command: Command, cli: Cli): void {
  withKey(command)
    .description('move an account to another key or vault; pinned stays pinned, automatic stays automatic')
    .addOption(new Option('--automatic', 'follow new versions by itself from now on').conflicts('pin'))
    .action(async (account: string, options: ChangeKeyArguments) => {
      const { vault, key, automatic = false, wait: waitSeconds } = options;
      const choice = { vault, key, pin: pinOf(options) };
      await cli.run(command, (operation) =>
        changeKey({ ...where(command), account, key: choice, automatic, waitSeconds }, operation),
      );
    });
}

function addPin(command: Command, cli: Cli): void {
  changing(command)
    .description('hold an account at the newest version of its key, or move a pinned one there')
    .option('--version <version>', 'this version; never an older one than it is at')
    .action(async (account: string, { version }: { version?: string }) => {
      await cli.run(command, (operation) => pinAccount({ ...where(command), account, version }, operation));
    });
}

function addUnpin(command: Command, cli: Cli): void {
  changing(command)
    .description('let an account follow new versions by itself')
    .action(async (account: string) => {
      await cli.run(command, (operation) => unpinAccount({ ...where(command), account }, operation));
    });
}

function addDisable(command: Command, cli: Cli): void {
  changing(command)
    .description('give an account back to Microsoft-managed keys')
    .action(async (account: string) => {
      await cli.run(command, (operation) => disableAccount({ ...where(command), account }, operation));
    });
}

/** Options of what encrypts an account with a key. */
function withKey(command: Command): Command {
  return waiting(changing(command))
    .requiredOption('--vault <vault>', 'name, ARM id or URI of the vault, of any region or subscription')
    .requiredOption('--key <key>', 'name of the key')
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

function fromOtherTenant(command: Command): Command {
  return command.option(
    '--federated-client-id <id>',
    'the key is in another tenant: client id of the multi-tenant application',
  );
}

function where(command: Command): Where {
  const { subscription, resourceGroup } = command.optsWithGlobals<{ subscription?: string; resourceGroup?: string }>();
  return { subscription, resourceGroup };
}

function pinOf({ pin }: KeyArguments): string | undefined {
  return pin === true ? 'newest' : pin || undefined;
}

function choiceOf(options: EnableArguments): KeyChoice {
  const { vault, key, federatedClientId } = options;
  return { vault, key, pin: pinOf(options), otherTenant: federatedClientId !== undefined };
}

function showChecks({ ok, checks }: Verification, output: Output): ExitCode {
  output.checks(checks);
  return ok ? EXIT.ok : EXIT.incomplete;
}
