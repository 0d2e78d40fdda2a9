import { CmkError } from '../../errors.ts';
import type { ManagedIdentity } from '../../identities/identity-client.ts';
import { ENCRYPTION_USER } from '../../identities/key-roles.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import { checkName } from '../names.ts';
import type { Operation } from '../operator-azure.ts';
import { IDENTITY_TYPE, lookForIdentity, resourceId, subscriptionFor, type Where } from '../resolve.ts';
import { changeOf, ensureRole } from './role-ensure.ts';

interface IdentityOptions extends Where {
  /** Name or ARM id. */
  readonly name: string;
  /** Only needed to create it. */
  readonly location?: string | undefined;
  /** Where to create it, when that is elsewhere than where it is looked for. */
  readonly create?: Where | undefined;
}

/** An identity; in a dry run one that is not there yet has no principal. */
type EnsuredIdentity = Pick<ManagedIdentity, 'id' | 'name'> & { readonly principalId?: string | undefined };

export async function ensureIdentity(wanted: IdentityOptions, { azure, journal }: Operation): Promise<EnsuredIdentity> {
  const found = await lookForIdentity(wanted.name, azure, wanted);
  if (found) {
    journal.found(`identity ${found.name} (${found.location})`);
    return found;
  }
  checkName('identity', wanted.name);
  const { name, location } = wanted;
  const place = wanted.create ?? wanted;
  const { resourceGroup } = place;
  if (!resourceGroup || !location) {
    const lacking = resourceGroup ? ['region', '--location <region>'] : ['resource group', '--resource-group <group>'];
    throw new CmkError(
      'ArgumentInvalid',
      `Your sign-in sees no identity ${name}, and to create it a ${lacking[0]} is needed.`,
      `Add ${lacking[1]}; or, if it is there, ask for Reader on it.`,
    );
  }
  const id = resourceId(await subscriptionFor(azure, place), resourceGroup, IDENTITY_TYPE, name);
  const text = `identity ${name} created in ${resourceGroup} (${location})`;
  const created = await journal.change({ text, action: 'identity.create', resource: id.id }, () =>
    azure.identities.create(id, location),
  );
  return created ?? { id: id.id, name };
}

/**
 * Lets an identity use the keys of a vault, or one of them, as Storage does.
 *
 * @param key the one key, for a vault that holds other keys too
 */
export async function ensureIdentityRole(
  { id, name, principalId }: EnsuredIdentity,
  vault: Vault,
  key: string | undefined,
  operation: Operation,
): Promise<void> {
  const grantee = { principalId: principalId ?? id, principalType: 'ServicePrincipal', name } as const;
  const wanted = { role: ENCRYPTION_USER, grantee, vault, key };
  // Only a dry run leaves an identity unmade.
  if (!principalId) operation.journal.planned(changeOf(wanted));
  else await ensureRole(wanted, operation);
}
