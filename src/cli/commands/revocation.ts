import { CmkError } from '../../errors.ts';
import type { AppApi } from '../../operations/app-api.ts';
import { keyByName } from '../../operations/resolve.ts';
import { restoreCommand } from '../../revocation/restore-command.ts';
import type { KeySummary } from '../../views/key-schemas.ts';
import type { CmkCommand } from '../command.ts';
import type { Output } from '../output.ts';
import { KEYS_OF } from './key-views.ts';

type Revoked = KeySummary & { readonly revocation: NonNullable<KeySummary['revocation']> };

interface Revocations {
  readonly revocations: readonly Revoked[];
  readonly unread: readonly string[];
}

/** Adds commands for open revocations of keys; `key revoke` and `key restore` start and end them. */
export function addRevocationCommands(program: CmkCommand): void {
  const revocation = program.command('revocation').description('open revocations of keys: list, show');
  type Options = { vault: string[] };
  revocation
    .command('list')
    .description('revoked keys, with time, revoker and number of accounts without access')
    .ofVaults(...KEYS_OF)
    .readsApp(({ app }, { vault }: Options) => readAll(vault, app), showAll);
  revocation
    .command('show')
    .argument('<revocation>', 'its id, or the revoked key: <key>, <vault>/<key> or an identifier')
    .description('one open revocation: revoker, time, accounts without access, and how to end it')
    .ofVaults(...KEYS_OF)
    .readsApp(async ({ app }, { vault }: Options, which) => {
      const found = find(which, await readAll(vault, app));
      const key = keyByName(found.key, undefined, program.cli.cloud());
      return { ...found, restore: restoreCommand(key, found.revocation) };
    }, showOne);
}

async function readAll(vaults: readonly string[], app: AppApi): Promise<Revocations> {
  const { readKeys } = await import('../read-keys.ts');
  const { keys, unread } = await readKeys(vaults, app);
  return { revocations: keys.filter((key): key is Revoked => key.revocation !== undefined), unread };
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

function showAll({ revocations, unread }: Revocations, output: Output): void {
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
  output.unread(unread);
}

function showOne(revoked: Revoked & { readonly restore: string }, output: Output): void {
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
}
