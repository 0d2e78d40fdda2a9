import type { Command } from 'commander';
import { CmkError } from '../../errors.ts';
import type { AppApi } from '../../operations/app-api.ts';
import { restoreCommand } from '../../revocation/restore-command.ts';
import type { KeySummary } from '../../views/key-schemas.ts';
import { reading } from '../app-of-environment.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { OF_VAULTS } from './key-views.ts';

type Revoked = KeySummary & { readonly revocation: NonNullable<KeySummary['revocation']> };

/** Adds commands for open revocations of keys; `key revoke` and `key restore` start and end them. */
export function addRevocationCommands(program: Command, cli: Cli): void {
  const revocation = program.command('revocation').description('open revocations of keys: list, show');
  const list = revocation
    .command('list')
    .description('revoked keys, with time, revoker and number of accounts without access')
    .addOption(OF_VAULTS());
  reading(list, cli, (app) => readAll(list, app), showAll);
  const show = revocation
    .command('show')
    .argument('<revocation>', 'its id, or the revoked key: <key>, <vault>/<key> or an identifier')
    .description('one open revocation: revoker, time, accounts without access, and how to end it')
    .addOption(OF_VAULTS());
  const readOne = async (app: AppApi) => {
    const { keyByName } = await import('../../operations/resolve.ts');
    const found = find(show.args[0] ?? '', await readAll(show, app));
    const key = keyByName(found.key, undefined, cli.cloud(show));
    return { ...found, restore: restoreCommand(key, found.revocation) };
  };
  reading(show, cli, readOne, showOne);
}

async function readAll(command: Command, app: AppApi): Promise<Revocations> {
  const { readKeys } = await import('../read-keys.ts');
  const { keys, unread } = await readKeys(command.opts<{ vault: string[] }>().vault, app);
  return { revocations: keys.filter((key): key is Revoked => key.revocation !== undefined), unread };
}

interface Revocations {
  readonly revocations: readonly Revoked[];
  readonly unread: readonly string[];
}

/** @throws {@link CmkError} `NotFound` */
function find(which: string, { revocations }: Revocations): Revoked {
  const wanted = which.toLowerCase();
  const found = revocations.filter(({ key, vault, name, revocation }) =>
    [revocation.id, key, `${vault}/${name}`, name].some((one) => one.toLowerCase() === wanted),
  );
  if (found.length === 1 && found[0]) return found[0];
  const message =
    found.length === 0 ? `No revocation ${which} is open.` : `${found.length} revoked keys have the name ${which}.`;
  throw new CmkError('NotFound', message, 'List the open revocations: cmk revocation list');
}

function showAll({ revocations, unread }: Revocations, output: Output): ExitCode {
  if (revocations.length === 0 && unread.length === 0) output.text('No key is revoked.');
  output.list<Revoked>(
    [
      ['KEY', ({ vault, name }) => `${vault}/${name}`],
      ['SINCE', ({ revocation: { revokedOn } }) => ({ full: revokedOn, short: `${revokedOn.slice(0, 16)}Z` })],
      ['BY', ({ revocation }) => revocation.revokedBy],
      ['ACCOUNTS', ({ users }) => users?.accounts],
      ['RESTORING', ({ revocation }) => revocation.restoringBy],
      ['REVOCATION', ({ revocation }) => revocation.id],
    ],
    revocations,
  );
  for (const text of unread) output.note(text);
  return unread.length > 0 ? EXIT.incomplete : EXIT.ok;
}

function showOne(revoked: Revoked & { readonly restore: string }, output: Output): ExitCode {
  const { vault, name, key, revocation, users, restore } = revoked;
  output.facts(
    [
      ['key', `${vault}/${name}`],
      ['identifier', key],
      ['revocation', revocation.id],
      ['since', revocation.revokedOn],
      ['by', revocation.revokedBy],
      ['restoring', revocation.restoringBy],
      ['accounts', users && String(users.accounts)],
      ['scopes', users && String(users.scopes)],
    ],
    revoked,
  );
  output.text(`Why: cmk audit list --key ${vault}/${name} --action key.revoke`);
  output.text(`Accounts without access: cmk key show ${key}`);
  output.text(`To end it: ${restore}`);
  return EXIT.ok;
}
