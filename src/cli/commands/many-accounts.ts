import { type Command, Option } from 'commander';
import type { Onboarding } from '../../operations/account/account-onboard.ts';
import type { Verification } from '../../operations/account/account-verify.ts';
import type { Operation } from '../../operations/operator-azure.ts';
import type { Where } from '../../operations/resolve.ts';
import { count } from '../../text.ts';
import { type BulkCommand, isBulk, manyAccounts, runMany } from '../bulk/bulk-command.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { changing, expiry, expiryOf, keySize, rotationPolicy } from '../options.ts';
import type { Output } from '../output.ts';
import {
  choiceOf,
  fromOtherTenant,
  granting,
  type KeyArguments,
  pinOf,
  placeOf,
  replacing,
  withKeyOptions,
} from './account-options.ts';

const COVERED = `
The key is for the whole account: for all of its file shares, SMB and NFS alike.
A share has no key of its own. Shares of Microsoft.FileShares belong to no
account, and are not set up by this command.`;

interface OnboardArguments extends KeyArguments {
  identity: string;
  keyGroup?: string;
  premium?: boolean;
  roleOnKey?: boolean;
  replaceIdentity?: boolean;
  kty?: 'RSA' | 'RSA-HSM';
  size?: number;
  expires?: string;
  rotationPolicy?: boolean;
}

interface EnableArguments extends KeyArguments {
  identity?: string;
  grant?: boolean;
  replaceIdentity?: boolean;
  federatedClientId?: string;
}

interface ChangeKeyArguments extends KeyArguments {
  automatic?: boolean;
}

/** Commands that take one account, or many. */
export function addManyAccountCommands(named: (name: string) => Command, cli: Cli): void {
  addOnboard(named('onboard'), cli);
  addVerify(named('verify'), cli);
  addChangeKey(named('change-key'), cli);
  addPin(named('pin'), cli);
  addUnpin(named('unpin'), cli);
  addEnable(named('enable'), cli);
}

function addOnboard(command: Command, cli: Cli): void {
  const bulk: BulkCommand = {
    required: ['vault', 'key', 'identity'],
    shares: (options) => {
      const { vault, key, identity } = options as unknown as OnboardArguments;
      const [kv, id] = [vault, identity].map((name) => name.toLowerCase());
      return [`vault ${kv}`, `key ${kv}/${key.toLowerCase()}`, `identity ${id}`, `role ${id} ${kv}`];
    },
    run: async (account, given, operation) => {
      const { onboardAccount } = await import('../../operations/account/account-onboard.ts');
      const options = given as unknown as OnboardArguments & Where;
      const { vault, key, identity, keyGroup, roleOnKey, replaceIdentity, kty, size, expires, wait } = options;
      const sku = options.premium ? ('premium' as const) : undefined;
      const asked = { account, vault, key, identity, keyGroup, sku, roleOnKey, replaceIdentity, waitSeconds: wait };
      const expiresOn = expiryOf(expires, operation.azure.now());
      const policy = options.rotationPolicy === false ? ('none' as const) : undefined;
      return onboardAccount(
        { ...placeOf(options), ...asked, wantedKey: { kty, size, expiresOn, policy }, pin: pinOf(options) },
        operation,
      );
    },
    trouble: (result) => troubleOf((result as Onboarding).verification),
  };
  rotationPolicy(keySize(expiry(replacing(withKeyOptions(command, false)))))
    .description(
      'ALL IN ONE: vault, key, identity, role, account; keeps what is there, goes on where it was interrupted',
    )
    .option('--identity <identity>', 'user-assigned identity, created if it is not there')
    .option('--key-group <group>', "resource group for a new vault or identity (default: the account's)")
    .option('--premium', 'a new vault is a premium one, with keys in hardware')
    .option('--role-on-key', 'give the role on the key alone instead of on the vault')
    .addHelpText('after', COVERED);
  oneOrMany(command, cli, bulk, (result, output) => {
    const { verification } = result as Onboarding;
    return verification ? showChecks(verification, output) : undefined;
  });
}

function addVerify(command: Command, cli: Cli): void {
  command.description('check everything that an account needs to be encrypted with its key');
  const bulk: BulkCommand = {
    required: [],
    looks: true,
    run: async (account, options, operation) => {
      const { verifyAccount } = await import('../../operations/account/account-verify.ts');
      return verifyAccount({ ...placeOf(options), account }, operation);
    },
    trouble: (result) => troubleOf(result as Verification),
  };
  oneOrMany(command, cli, bulk, (result, output) => showChecks(result as Verification, output));
}

function addChangeKey(command: Command, cli: Cli): void {
  withKeyOptions(command, false)
    .description('move an account to another key or vault; pinned stays pinned, automatic stays automatic')
    .addOption(new Option('--automatic', 'follow new versions by itself from now on').conflicts('pin'));
  oneOrMany(command, cli, {
    required: ['vault', 'key'],
    run: async (account, given, operation) => {
      const { changeKey } = await import('../../operations/account/account-change.ts');
      const options = given as unknown as ChangeKeyArguments & Where;
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
  oneOrMany(command, cli, {
    required: [],
    run: async (account, options, operation) => {
      const { pinAccount } = await import('../../operations/account/account-change.ts');
      const { version } = options as { version?: string };
      return pinAccount({ ...placeOf(options), account, version }, operation);
    },
  });
}

function addUnpin(command: Command, cli: Cli): void {
  changing(command).description('let an account follow new versions by itself');
  oneOrMany(command, cli, {
    required: [],
    run: async (account, options, operation) => {
      const { unpinAccount } = await import('../../operations/account/account-change.ts');
      return unpinAccount({ ...placeOf(options), account }, operation);
    },
  });
}

function addEnable(command: Command, cli: Cli): void {
  fromOtherTenant(granting(replacing(withKeyOptions(command, false))))
    .description('encrypt an existing account with an existing key')
    .option('--identity <identity>', 'user-assigned identity, or system (default: the one that the account has)');
  oneOrMany(command, cli, {
    required: ['vault', 'key'],
    // One gives the role, the others find it.
    shares: (given) => {
      const { vault, identity, grant } = given as unknown as EnableArguments;
      return grant && identity ? [`role ${identity.toLowerCase()} ${vault.toLowerCase()}`] : [];
    },
    run: async (account, given, operation) => {
      const { enableAccount } = await import('../../operations/account/account-enable.ts');
      const options = given as unknown as EnableArguments & Where;
      const { identity, grant, federatedClientId, replaceIdentity, wait: waitSeconds } = options;
      const asked = { account, identity, grant, federatedClientId, replaceIdentity, waitSeconds };
      return enableAccount({ ...placeOf(options), ...asked, key: choiceOf(options) }, operation);
    },
  });
}

/** A command that takes one account, or many from a file or by a condition. */
function oneOrMany(
  command: Command,
  cli: Cli,
  bulk: BulkCommand,
  show?: (result: unknown, output: Output) => ExitCode | undefined,
): void {
  manyAccounts(command).action(async (account: string | undefined) => {
    if (isBulk(account, command, bulk.required) || account === undefined) return runMany(bulk, command, cli);
    const work = (operation: Operation) => bulk.run(account, command.optsWithGlobals(), operation);
    if (bulk.looks && show) await cli.look(command, work, show);
    else await cli.run(command, work, show);
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
