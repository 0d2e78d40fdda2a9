import { CmkError } from '../../errors/errors.ts';
import { formatRestoreCommand } from '../../revocation/restore-command.ts';
import { KEY_LIST, type KeySummary } from '../../status/key-schemas.ts';
import { type AppApi, readPages } from '../procedures/app-api.ts';
import { resolveKeyByName } from '../procedures/resolve.ts';
import type { GlobalOptions } from '../terminal/cli.ts';
import type { CmkCommand } from '../terminal/command.ts';
import { createChoice } from '../terminal/options.ts';
import type { Output } from '../terminal/output.ts';

const STATES = ['usable', 'revoked', 'disabled', 'notYetActive', 'expired', 'missing', 'unknown'] as const;

/** Arguments of the option that limits a list of keys to vaults. */
const KEYS_OF = ['only keys of this vault', 'all vaults'] as const;

interface Listed {
  readonly keys: readonly KeySummary[];
  /** Failed reads, one sentence each. */
  readonly unread: readonly string[];
}

/** Reads every key of these vaults; of all vaults of the app if the list is empty. */
async function readKeys(vaults: readonly string[], app: AppApi): Promise<Listed> {
  const keys: KeySummary[] = [];
  const unread: string[] = [];

  for (const vault of vaults.length === 0 ? [undefined] : vaults) {
    const first = vault === undefined ? '/keys' : `/keys?vault=${encodeURIComponent(vault)}`;
    for await (const { value, vaults: listed, nextLink } of readPages(app, first, KEY_LIST)) {
      keys.push(...value);
      if (nextLink !== undefined) continue;
      unread.push(...listed.flatMap((one) => (one.unread ? `${one.vault}: ${one.unread.detail}` : [])));
    }
  }

  return {
    keys,
    unread: [...unread, ...keys.flatMap((key) => key.unread.map(({ detail }) => `${key.name}: ${detail}`))],
  };
}

export function addKeyList(key: CmkCommand): void {
  key
    .command('list')
    .description('every key of the vaults: state, newest version, expiry, next rotation and number of users')
    .ofVaults(...KEYS_OF)
    .addOption(createChoice('--state <state...>', 'only keys in this state', STATES))
    .printing('cyclonedx', BILL)
    .readsApp<KeyListOptions, ListedKeys>(async ({ app, azure }, { vault, state, output }) => {
      const listed = await readKeys(vault, app);
      const keys = listed.keys.filter((one) => state === undefined || state.includes(one.state));
      if (output !== 'cyclonedx') return { keys, unread: listed.unread };

      const { readInventory } = await import('../procedures/key/key-inventory.ts');
      const { toCycloneDx } = await import('../../evidence/key-inventory.ts');
      const cloud = key.cli.cloud();
      const named = keys.map((one) => resolveKeyByName(one.key, undefined, cloud));
      const { inventory, unread } = await readInventory(named, azure);
      const all = [...listed.unread, ...unread];
      return { keys, unread: all, bill: toCycloneDx(inventory, all, azure.now()) };
    }, showKeys);
}

const BILL = `a bill of materials of cryptography (CycloneDX 1.6) with a
component for each version: state, size, dates, protection. It reads Key Vault
with your sign-in.`;

type KeyListOptions = Pick<GlobalOptions, 'output'> & { readonly vault: string[]; readonly state?: string[] };
/** `bill`: only with `-o cyclonedx`. */
type ListedKeys = Listed & { readonly bill?: object };

function showKeys({ keys, unread, bill }: ListedKeys, output: Output): void {
  if (bill) output.json(bill);

  output.list<KeySummary>(
    [
      ['KEY', ({ vault, name }) => `${vault}/${name}`],
      'state',
      ['NEWEST', ({ newest }) => newest && { full: newest.version, short: newest.version.slice(0, 8) }],
      ['CREATED', ({ newest }) => day(newest?.createdOn)],
      ['EXPIRES', ({ expiresOn }) => day(expiresOn)],
      ['NEXT ROTATION', nextOf],
      ['ACCOUNTS', ({ users }) => users?.accounts],
      ['SCOPES', ({ users }) => users?.scopes],
      ['PAUSED', ({ paused }) => paused?.reason],
    ],
    keys,
  );

  output.problems(unread);
}

function nextOf({ nextRotation }: KeySummary): string | undefined {
  return nextRotation && (nextRotation.on ? `${nextRotation.on.slice(0, 10)} (${nextRotation.by})` : nextRotation.by);
}

function day(time: string | undefined): { full: string; short: string } | undefined {
  return time === undefined ? undefined : { full: time, short: time.slice(0, 10) };
}

type Revoked = KeySummary & { readonly revocation: NonNullable<KeySummary['revocation']> };
type Revocations = Pick<Listed, 'unread'> & { readonly revocations: readonly Revoked[] };

/** Adds commands for open revocations of keys; `key revoke` and `key restore` start and end them. */
export function addRevocationCommands(program: CmkCommand): void {
  const revocation = program.command('revocation').description('open revocations of keys: list, show');

  type Options = { vault: string[] };

  revocation
    .command('list')
    .description('revoked keys, with time, revoker and number of accounts without access')
    .ofVaults(...KEYS_OF)
    .readsApp(({ app }, { vault }: Options) => readRevocations(vault, app), showRevocations);

  revocation
    .command('show')
    .argument('<revocation>', 'its id, or the revoked key: <key>, <vault>/<key> or an identifier')
    .description('one open revocation: revoker, time, accounts without access, and how to end it')
    .ofVaults(...KEYS_OF)
    .readsApp(async ({ app }, { vault }: Options, which) => {
      const found = findRevocation(which, await readRevocations(vault, app));
      const key = resolveKeyByName(found.key, undefined, program.cli.cloud());
      return { ...found, restore: formatRestoreCommand(key, found.revocation) };
    }, showRevocation);
}

async function readRevocations(vaults: readonly string[], app: AppApi): Promise<Revocations> {
  const { keys, unread } = await readKeys(vaults, app);
  return { revocations: keys.filter((key): key is Revoked => key.revocation !== undefined), unread };
}

/** @throws {@link CmkError} `NotFound` */
function findRevocation(which: string, { revocations }: Revocations): Revoked {
  const wanted = which.toLowerCase();
  const found = revocations.filter(({ key, vault, name, revocation }) =>
    [revocation.id, key, `${vault}/${name}`, name].some((one) => one.toLowerCase() === wanted),
  );
  if (found.length === 1 && found[0]) return found[0];
  const message =
    found.length === 0 ? `No revocation ${which} is open.` : `${found.length} revoked keys have the name ${which}.`;
  throw new CmkError('NotFound', message, 'List the open revocations: cmk revocation list');
}

function showRevocations({ revocations, unread }: Revocations, output: Output): void {
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

  output.problems(unread);
}

function showRevocation(revoked: Revoked & { readonly restore: string }, output: Output): void {
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
