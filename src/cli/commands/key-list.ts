import { type Command, Option } from 'commander';
import type { KeySummary } from '../../views/key-schemas.ts';
import { BY_APP_OR_STORAGE } from '../app-of-environment.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { choice, watching } from '../options.ts';
import type { Output } from '../output.ts';
import type { ReadKeys } from '../read-keys.ts';

const STATES = ['usable', 'revoked', 'disabled', 'notYetActive', 'expired', 'missing', 'unknown'] as const;

/** What a list of keys is narrowed by. */
export const OF_VAULTS = (): Option =>
  new Option('--vault <vault...>', 'those of this vault').default([], 'all vaults');

export function addKeyList(key: Command, cli: Cli): void {
  watching(key.command('list'))
    .description('every key of the vaults: state, newest version, expiry, next rotation, and how many use it')
    .addOption(OF_VAULTS())
    .addOption(choice('--state <state...>', 'those in this state', STATES))
    .addHelpText('after', `${BY_APP_OR_STORAGE}\nWith neither, Key Vault is asked on your sign-in.`)
    .action(async ({ vault, state }: { vault: string[]; state?: string[] }, command: Command) => {
      const { keyReader } = await import('../read-keys.ts');
      const read = await keyReader(vault, cli, command);
      await cli.look(
        command,
        async ({ azure }) => {
          const found = await read(azure);
          return { ...found, keys: found.keys.filter((one) => state === undefined || state.includes(one.state)) };
        },
        showKeys,
      );
    });
}

function showKeys({ keys, unread }: ReadKeys, output: Output): ExitCode {
  output.table(
    ['KEY', 'STATE', 'NEWEST', 'CREATED', 'EXPIRES', 'NEXT ROTATION', 'ACCOUNTS', 'SCOPES', 'PAUSED'],
    keys.map((key) => [
      `${key.vault}/${key.name}`,
      key.state,
      key.newest && { full: key.newest.version, short: key.newest.version.slice(0, 8) },
      day(key.newest?.createdOn),
      day(key.expiresOn),
      nextOf(key),
      numberOf(key.users?.accounts),
      numberOf(key.users?.scopes),
      key.paused?.reason,
    ]),
    keys,
  );
  for (const text of unread) output.entry({ kind: 'note', text });
  return unread.length > 0 ? EXIT.incomplete : EXIT.ok;
}

function nextOf({ nextRotation }: KeySummary): string | undefined {
  return nextRotation && (nextRotation.on ? `${nextRotation.on.slice(0, 10)} (${nextRotation.by})` : nextRotation.by);
}

function day(time: string | undefined): { full: string; short: string } | undefined {
  return time === undefined ? undefined : { full: time, short: time.slice(0, 10) };
}

function numberOf(count: number | undefined): string | undefined {
  return count === undefined ? undefined : String(count);
}
