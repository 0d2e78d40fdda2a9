import { formatFirst } from '../../formats/text.ts';
import { USER_MODES } from '../../key-users/dependent.ts';
import type { KeyUser, UserList } from '../../key-users/user-list.ts';
import type { CmkCommand } from '../terminal/command.ts';
import { createChoice, UsageError } from '../terminal/options.ts';
import type { Output } from '../terminal/output.ts';

const IN_SIGHT = `
It reads Resource Graph and Key Vault with your own sign-in, and shows what that
sign-in may read. Not in Resource Graph: encryption scopes (cmk account show),
and the keys of Azure AI Search, which its own data plane holds.`;

interface ListOptions {
  vault: string[];
  key?: string;
  type?: string[];
  mode?: string[];
}

/** Adds `user list`: resources of any service that name a key. */
export function addUserCommands(program: CmkCommand): void {
  const user = program.command('user').description('resources of any service that use a key: list, follow');

  user
    .command('list')
    .watching()
    .description('resources that name a key: type, mode, version, lag, and what a revocation does to them')
    .ofVaults('only keys of this vault')
    .option('--key <key>', 'only this key: <vault>/<key> or an identifier')
    .option('--type <type...>', 'only resources of this type: Microsoft.Sql/servers, or its last word')
    .addOption(createChoice('--mode <mode...>', 'only resources in this mode', USER_MODES))
    .addHelpText('after', IN_SIGHT)
    .reads(async (operation, options: ListOptions) => {
      const { listUsers } = await import('../procedures/user/list-users.ts');
      const key = options.key === undefined ? undefined : await program.cli.key(options.key);
      return listUsers({ ...options, key }, operation);
    }, showUsers);

  addFollow(user);
}

const ONE_WRITE = `
One write with your own sign-in, which needs the right to write the resource. It
checks the identity, its role and the size of the key first, follows the
operation to its end, and reads the resource again. The audit trail of the app
(AzureWebJobsStorage__accountName) records it before and after.`;

interface FollowCommandOptions extends ListOptions {
  allPinned?: boolean;
  reason?: string;
  ticket?: string;
}

function addFollow(user: CmkCommand): void {
  user
    .command('follow')
    .changing()
    .argument('[resource]', 'name or ARM id of a resource, as user list shows it')
    .description('make a pinned resource follow new versions of its key, where its provider documents it')
    .option('--all-pinned', 'every pinned resource whose type can follow')
    .ofVaults('only keys of this vault')
    .option('--key <key>', 'only users of this key: <vault>/<key> or an identifier')
    .option('--type <type...>', 'only resources of this type')
    .addHelpText('after', ONE_WRITE)
    .changes(async (operation, options: FollowCommandOptions, resource?: string) => {
      const { followUsers } = await import('../procedures/user/follow-users.ts');
      if ((resource === undefined) === (options.allPinned !== true)) {
        throw new UsageError('Name one resource, or give --all-pinned.', 'List them: cmk user list --mode pinned');
      }

      const key = options.key === undefined ? undefined : await user.cli.key(options.key);
      const { audit } = await user.cli.appRecord();
      return followUsers({ ...options, key, resource, audit }, operation);
    }, showFollowed);
}

function showFollowed({ failed }: { readonly failed: readonly string[] }, output: Output): void {
  output.incompleteIf(failed.length > 0);
}

function showUsers({ value, unread }: UserList, output: Output): void {
  output.list<KeyUser>(
    [
      ['KEY', ({ key }) => key],
      ['TYPE', ({ type }) => ({ full: type, short: type.split('/').slice(1).join('/') })],
      ['NAME', ({ name }) => name],
      'mode',
      ['VERSION', ({ version }) => version && { full: version, short: version.slice(0, 8) }],
      ['BEHIND', ({ behind }) => behind && `${behind.versions} since ${behind.since.slice(0, 10)}`],
      ['WHEN REVOKED', ({ whenRevoked }) => whenRevoked, 'wide'],
      ['ID', ({ id }) => id, 'wide'],
    ],
    value,
  );

  if (output.format === 'terminal') output.notes(describeEffects(value));

  output.problems(unread.map(({ what, detail }) => `The list may be incomplete: ${what}. ${detail}`));
}

/** What a revocation does to each type, and how soon it comes back, once for all resources of the type. */
function describeEffects(users: readonly KeyUser[]): string[] {
  const types = Map.groupBy(users, ({ type }) => type);

  return [...types].map(([type, all]) => {
    const { whenRevoked = 'The app does not know why it names a key.', fieldReports = '' } = all[0] ?? {};
    const names = formatFirst(
      all.map(({ name }) => name),
      3,
    );
    return `${type} (${names}), when the key is revoked: ${whenRevoked} ${fieldReports}`.trimEnd();
  });
}
