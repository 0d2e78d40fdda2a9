import { nameFirst } from '../text.ts';
import { allows, covers, type RoleGrant } from './role-grant.ts';

/** Who may use the keys of a Managed HSM, by its own access control: it has no conditions, and Azure RBAC counts for nothing. */
export interface LocalAccess {
  readonly model: 'local';
  /** Role assignments at `/`, at `/keys` or at the key, as far as they could be read. */
  readonly grants: readonly RoleGrant[];
  /** Why these are not all; undefined: they are. */
  readonly unread: string | undefined;
  /** Principals that are known to be no groups, lower case. The HSM itself does not say who is one. */
  readonly noGroups: ReadonlySet<string>;
  /** Why others may be none either. */
  readonly groupsUnread?: string | undefined;
}

const NAMED = 3;

/**
 * Why a principal without a sufficient role of its own may be able to use a key all the same; undefined: it certainly may
 * not. What was read says that it may, and never alone that it may not.
 *
 * @param lacking data actions that no role of its own allows
 */
export function whyUntold(lacking: readonly string[], keyName: string, access: LocalAccess): string | undefined {
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
  const unread = access.groupsUnread === undefined ? '' : ` Who of them is none cannot be read: ${access.groupsUnread}`;
  return `It has no sufficient local role of its own. Others have one (${who}), and the Managed HSM does not say whether one of them is a group that it is in.${unread}`;
}
