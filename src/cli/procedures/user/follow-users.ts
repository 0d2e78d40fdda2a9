import { describeError } from '../../../azure/failure.ts';
import { isSameResource } from '../../../azure/resource-id.ts';
import { CmkError } from '../../../errors/errors.ts';
import { findKeyUserType } from '../../../key-users/key-user-types.ts';
import type { KeyUser } from '../../../key-users/user-list.ts';
import type { Operation } from '../operator-azure.ts';
import { type FollowOptions, followUser } from './follow-user.ts';
import { listUsers, type UserFilters } from './list-users.ts';

interface FollowUsers extends UserFilters, FollowOptions {
  /** Name or ARM id; undefined: every pinned resource whose type can follow. */
  readonly resource?: string | undefined;
}

/**
 * Makes one resource, or all pinned ones, follow new versions. Of many, a failure does not stop the others.
 *
 * @returns ARM ids
 */
export async function followUsers(
  { resource, ...options }: FollowUsers,
  operation: Operation,
): Promise<{ readonly followed: readonly string[]; readonly failed: readonly string[] }> {
  const { journal } = operation;
  const { value, unread } = await listUsers(options, operation);
  for (const { what, detail } of unread) journal.note(`Not every user was found: ${what}. ${detail}`);

  if (resource !== undefined) {
    const user = requireOne(value, resource);
    await followUser(user, options, operation);
    return { followed: [user.id], failed: [] };
  }

  const followed: string[] = [];
  const failed: string[] = [];
  const pinned = value.filter(({ mode, type }) => mode === 'pinned' && findKeyUserType(type)?.follow !== undefined);

  // One after another, so that an interruption leaves one in progress, which the audit trail names.
  for (const user of pinned) {
    try {
      await followUser(user, options, operation);
      followed.push(user.id);
    } catch (error) {
      const next = error instanceof CmkError ? ` ${error.nextStep}` : '';
      journal.note(`${user.name} NOT changed: ${describeError(error)}${next}`);
      failed.push(user.id);
    }
  }

  if (pinned.length === 0) journal.found('no pinned resource whose type can follow names a key in sight');

  return { followed, failed };
}

/** @throws {@link CmkError} `NotFound`, `NotUnique` */
function requireOne(users: readonly KeyUser[], named: string): KeyUser {
  const found = users.filter(({ id, name }) =>
    named.startsWith('/') ? isSameResource(id, named) : name.toLowerCase() === named.toLowerCase(),
  );
  const [user] = found;
  if (user && found.length === 1) return user;

  const message = user ? `${found.length} users of a key are named ${named}.` : `No user of a key is named ${named}.`;
  throw new CmkError(user ? 'NotUnique' : 'NotFound', message, 'Pass an ARM id, as `cmk user list --wide` shows it.');
}
