import { type Command, Option } from 'commander';
import type { KeyChoice } from '../../operations/key/key-source.ts';
import type { Where } from '../../operations/resolve.ts';
import { changing, inVault, waiting } from '../options.ts';

export interface KeyArguments {
  vault: string;
  key: string;
  pin?: string | boolean;
  wait: number;
}

/** Options of what encrypts an account with a key. */
export function withKeyOptions(command: Command, mandatory = true): Command {
  return inVault(waiting(changing(command)), 'the vault, of any region or subscription', mandatory)
    .addOption(new Option('--key <key>', 'name of the key').makeOptionMandatory(mandatory))
    .option(
      '--pin [version]',
      'hold it at a version (default: the newest) instead of following new versions by itself',
    );
}

export function granting(command: Command): Command {
  return command.option('--grant', 'give the identity its role on the vault, if it lacks it');
}

export function replacing(command: Command): Command {
  return command.option('--replace-identity', 'another user-assigned identity may be taken off the account');
}

export function fromOtherTenant(command: Command): Command {
  return command.option(
    '--federated-client-id <id>',
    'the key is in another tenant: client id of the multi-tenant application',
  );
}

export function placeOf({ subscription, resourceGroup }: Where): Where {
  return { subscription, resourceGroup };
}

export function pinOf({ pin }: KeyArguments): string | undefined {
  return pin === true ? 'newest' : pin || undefined;
}

export function choiceOf(options: KeyArguments & { federatedClientId?: string }): KeyChoice {
  const { vault, key, federatedClientId } = options;
  return { vault, key, pin: pinOf(options), otherTenant: federatedClientId !== undefined };
}
