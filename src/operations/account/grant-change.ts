import { lastName } from '../../azure/resource-id.ts';
import type { KeyGrant } from '../../identities/key-grant.ts';
import type { Change } from '../journal.ts';

/** A grant that is removed or restored, as a change. */
export function grantChange(grant: KeyGrant, did: 'remove' | 'restore'): Change {
  const { principalId } = grant;
  const verb = did === 'remove' ? 'removed' : 'restored';
  const of = did === 'remove' ? { from: principalId } : { to: principalId };
  if (grant.kind === 'policy') {
    const text = `key permissions ${grant.keyPermissions.join(', ')} of ${principalId} on ${lastName(grant.vault)} ${verb}`;
    return { text, action: did === 'remove' ? 'policy.remove' : 'policy.add', resource: grant.vault, ...of };
  }
  const scope = grant.kind === 'role' ? grant.scope : `${grant.hsm}${grant.scope}`;
  const at = scope.replace(/^.*\/vaults\/|^https:\/\//i, '');
  return {
    text: `role of ${principalId} on ${at} ${verb}`,
    action: did === 'remove' ? 'role.remove' : 'role.assign',
    resource: `${scope}/providers/Microsoft.Authorization/roleAssignments/${grant.name}`,
    ...of,
  };
}
