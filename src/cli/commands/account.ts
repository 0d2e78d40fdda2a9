import { type Command, Option } from 'commander';
import { changeKey, disableAccount } from '../../operations/account/account-change-key.ts';
import { createAccount } from '../../operations/account/account-create.ts';
import { enableAccount } from '../../operations/account/account-enable.ts';
import { onboardAccount } from '../../operations/account/account-onboard.ts';
import { pinAccount, unpinAccount } from '../../operations/account/account-pin.ts';
import { type Verification, verifyAccount } from '../../operations/account/account-verify.ts';
import { parseMoment } from '../../time/duration.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { changing, expiry, inGroup, keySize, waiting } from '../options.ts';
import type { Output } from '../output.ts';

const PIN = 'hold it at a version (default: the newest) instead of following new versions by itself';

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
  const where = (command: Command) => {
    const { subscription, resourceGroup } = command.optsWithGlobals<{
      subscription?: string;
      resourceGroup?: string;
    }>();
    return { subscription, resourceGroup };
  };
  const withKey = (command: Command): Command =>
    command
      .requiredOption('--vault <vault>', 'name, ARM id or URI of the vault, of any region or subscription')
      .requiredOption('--key <key>', 'name of the key');
  const pinOf = (pin: string | boolean | undefined): string | undefined => (pin === true ? 'newest' : pin || undefined);
  const group = (command: Command): Command =>
    command.option('-g, --resource-group <group>', 'resource group it is in');

  keySize(expiry(waiting(changing(withKey(group(named('onboard')))))))
    .description(
      'ALL IN ONE: vault, key, identity, role, account; keeps what is there, goes on where it was interrupted',
    )
    .requiredOption('--identity <identity>', 'user-assigned identity, created if it is not there')
    .option('--key-group <group>', "resource group for a new vault or identity (default: the account's)")
    .option('--premium', 'a new vault is a premium one, with keys in hardware')
    .option('--pin [version]', PIN)
    .option('--role-on-key', 'give the role on the key alone instead of on the vault')
    .option('--replace-identity', 'another user-assigned identity may be taken off the account')
    .action(async (name: string, options: OnboardArguments, command: Command) => {
      await cli.run(
        command,
        (procedure) =>
          onboardAccount(
            {
              ...where(command),
              account: name,
              vault: options.vault,
              keyGroup: options.keyGroup,
              sku: options.premium ? 'premium' : undefined,
              key: options.key,
              wantedKey: {
                kty: options.kty,
                size: options.size,
                expiresOn: options.expires ? parseMoment(options.expires, procedure.azure.now()) : undefined,
              },
              identity: options.identity,
              pin: pinOf(options.pin),
              roleOnKey: options.roleOnKey,
              replaceIdentity: options.replaceIdentity,
              waitSeconds: options.wait,
            },
            procedure,
          ),
        (result, output) => (result.verification ? showChecks(result.verification, output) : undefined),
      );
    });

  waiting(changing(withKey(group(named('enable')))))
    .description('encrypt an existing account with a key that is there')
    .option('--identity <identity>', "user-assigned identity (default: the account's system-assigned one)")
    .option('--grant', 'give the identity its role on the vault, if it lacks it')
    .option('--pin [version]', PIN)
    .option('--replace-identity', 'another user-assigned identity may be taken off the account')
    .option('--federated-client-id <id>', 'the key is in another tenant: client id of the multi-tenant application')
    .action(async (name: string, options: EnableArguments, command: Command) => {
      const { vault, key, identity, grant, federatedClientId, replaceIdentity, wait } = options;
      const choice = { vault, key, pin: pinOf(options.pin), otherTenant: federatedClientId !== undefined };
      await cli.run(command, (procedure) =>
        enableAccount(
          {
            ...where(command),
            account: name,
            key: choice,
            identity,
            grant,
            federatedClientId,
            replaceIdentity,
            waitSeconds: wait,
          },
          procedure,
        ),
      );
    });

  inGroup(waiting(changing(withKey(named('create')))), 'to create it in')
    .description('create an account that is encrypted with a key from its first byte on')
    .option('--identity <identity>', 'user-assigned identity: a new account has no other yet')
    .option('--sku <sku>', 'redundancy', 'Standard_LRS')
    .option('--kind <kind>', 'kind of account', 'StorageV2')
    .option('--grant', 'give the identity its role on the vault, if it lacks it')
    .option('--pin [version]', PIN)
    .option('--federated-client-id <id>', 'the key is in another tenant: client id of the multi-tenant application')
    .action(async (name: string, options: CreateArguments, command: Command) => {
      const { vault, key, federatedClientId, wait, location, sku, kind, identity, grant } = options;
      const choice = { vault, key, pin: pinOf(options.pin), otherTenant: federatedClientId !== undefined };
      await cli.run(command, (procedure) =>
        createAccount(
          {
            ...where(command),
            account: name,
            key: choice,
            identity,
            grant,
            federatedClientId,
            location,
            sku,
            kind,
            waitSeconds: wait,
          },
          procedure,
        ),
      );
    });

  group(named('verify'))
    .description('check everything that an account needs to be encrypted with its key')
    .action(async (name: string, _options: unknown, command: Command) => {
      await cli.look(
        command,
        (procedure) => verifyAccount({ ...where(command), account: name }, procedure),
        showChecks,
      );
    });

  waiting(changing(withKey(group(named('change-key')))))
    .description('move an account to another key or vault; pinned stays pinned, automatic stays automatic')
    .option('--pin [version]', PIN)
    .addOption(new Option('--automatic', 'follow new versions by itself from now on').conflicts('pin'))
    .action(async (name: string, options: ChangeKeyArguments, command: Command) => {
      const { vault, key, automatic = false, wait } = options;
      const choice = { vault, key, pin: pinOf(options.pin) };
      await cli.run(command, (procedure) =>
        changeKey({ ...where(command), account: name, key: choice, automatic, waitSeconds: wait }, procedure),
      );
    });

  changing(group(named('pin')))
    .description('hold an account at the newest version of its key, or move a pinned one there')
    .option('--version <version>', 'this version; never an older one than it is at')
    .action(async (name: string, options: { version?: string }, command: Command) => {
      await cli.run(command, (procedure) =>
        pinAccount({ ...where(command), account: name, version: options.version }, procedure),
      );
    });

  changing(group(named('unpin')))
    .description('let an account follow new versions by itself')
    .action(async (name: string, _options: unknown, command: Command) => {
      await cli.run(command, (procedure) => unpinAccount({ ...where(command), account: name }, procedure));
    });

  changing(group(named('disable')))
    .description('give an account back to Microsoft-managed keys')
    .action(async (name: string, _options: unknown, command: Command) => {
      await cli.run(command, (procedure) => disableAccount({ ...where(command), account: name }, procedure));
    });
}

function showChecks({ ok, checks }: Verification, output: Output): ExitCode {
  output.checks(checks);
  return ok ? EXIT.ok : EXIT.incomplete;
}
