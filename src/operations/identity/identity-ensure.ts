import type { ManagedIdentity } from '../../identities/identity-client.ts';
import { ENCRYPTION_USER } from '../../identities/key-roles.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import type { Operation } from '../operator-azure.ts';
import { IDENTITY_TYPE, lookUpIdentity, placeToCreate, type Where } from '../resolve.ts';
import { changeOf, ensureRole } from './role-ensure.ts';

interface IdentityOptions extends Where {
  /** Name or ARM id. */
  readonly name: string;
  /** Needed only to create the identity. */
  readonly location?: string | undefined;
  /** Where to create the identity; undefined: where it is searched. */
  readonly create?: Where | undefined;
}

/** An identity; in a dry run a planned identity has no principal. */
type EnsuredIdentity = Pick<ManagedIdentity, 'id' | 'name'> & { readonly principalId?: string | undefined };

export async function ensureIdentity(wanted: IdentityOptions, { azure, journal }: Operation): Promise<EnsuredIdentity> {
  const found = await lookUpIdentity(wanted.name, azure, wanted);
  if (found) {
    journal.found(`identity ${found.name} (${found.location})`);
    return found;
  }
  const { name, create: place = wanted } = wanted;
  const asked = { ...place, location: wanted.location };
  const { id, location } = await placeToCreate('identity', IDENTITY_TYPE, name, asked, azure);
  const text = `identity ${name} created in ${id.resourceGroup} (${location})`;
  const created = await journal.change({ text, action: 'identity.create', resource: id.id }, () =>
    azure.identities.create(id, location),
  );
  return created ?? { id: id.id, name };
}

/**
 * Assigns an identity the role that Storage needs, on a vault or on one key.
 *
 * @param key limits the role to one key, for a vault that also has other keys
 */
export async function ensureIdentityRole(
  { id, name, principalId }: EnsuredIdentity,
  vault: Vault,
  key: string | undefined,
  operation: Operation,
): Promise<void> {
  const grantee = { principalId: principalId ?? id, principalType: 'ServicePrincipal', name } as const;
  const wanted = { role: ENCRYPTION_USER, grantee, vault, key };
  // Only in a dry run does an identity have no principal.
  if (!principalId) operation.journal.planned(changeOf(wanted));
  else await ensureRole(wanted, operation);
}
