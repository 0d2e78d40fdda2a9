import { nameFirst } from '../text.ts';
import { allows, covers, type RoleGrant } from './role-grant.ts';

/** Access to the keys of a Managed HSM by local RBAC, which has no conditions. Azure RBAC does not apply to them. */
export interface LocalAccess {
  readonly model: 'local';
  /** Readable role assignments at `/`, at `/keys` or at the key. */
  readonly grants: readonly RoleGrant[];
  /** Why the list is incomplete; undefined: it is complete. */
  readonly unread: string | undefined;
  /** Principals that are not groups, lower case. The HSM itself does not return the type of a principal. */
  readonly noGroups: ReadonlySet<string>;
  /** Why the list of principals that are not groups may be incomplete. */
  readonly groupsUnread?: string | undefined;
}

const NAMED = 3;

/**
 * Why a principal without a sufficient direct role may have access through a group; undefined: it has no access. Data
 * read can prove access, but an incomplete list cannot disprove it.
 *
 * @param lacking data actions that no direct role allows
 */
export function whyUnknown(lacking: readonly string[], keyName: string, access: LocalAccess): string | undefined {
  if (access.unread !== undefined) return access.unread;
  const perhaps = access.grants.filter(
    (grant) => covers(grant.scope, `/keys/${keyName}`) && !access.noGroups.has(grant.principalId.toLowerCase()),
  );
  // A principal may get each missing action from another role or group.
  if (!lacking.every((action) => perhaps.some((grant) => allows(grant, action)))) return undefined;
  const others = new Set(
    perhaps
      .filter((grant) => lacking.some((action) => allows(grant, action)))
      .map(({ principalId }) => principalId.toLowerCase()),
  );
  const who = nameFirst([...others], NAMED);
  const unread = access.groupsUnread === undefined ? '' : ` Their types cannot be read: ${access.groupsUnread}`;
  return `The principal has no sufficient local role. Other principals do (${who}); one of them may be a group that contains it, but the Managed HSM does not show that.${unread}`;
}
