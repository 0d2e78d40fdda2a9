import { ACCOUNT_TYPE, type ResourceId } from '../../../azure/resource-id.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import { ROLE_MISSING } from '../../../probe/probe.ts';
import { SERVICE_WORDS } from '../../../probe/service-words.ts';
import { formatKeyName } from '../../../revocation/usable-key.ts';
import { createAccount } from '../account/account-enable.ts';
import { ensureIdentity, ensureIdentityRole, ensureOfficer, PROPAGATION_SECONDS } from '../identity/identity-ensure.ts';
import { ensureKey } from '../key/key-ensure.ts';
import type { Operation } from '../operator-azure.ts';
import { findVault, lookUpAccount, resolvePlace, type Where } from '../resolve.ts';
import { findDrillShare, probeShare, requireServed } from './drill-data.ts';
import { awaitProof } from './drill-step.ts';
import {
  createNotForDrills,
  DRILL_TAG,
  findDrillAccountId,
  refuseOtherUsers,
  requireDrillAccount,
  requireManaged,
} from './drill-target.ts';

interface DrillEnsureOptions extends Where {
  /** Name of the account: a new name, or an account that this command made. */
  readonly account: string;
  /** Name of the account's user-assigned identity, created if it does not exist. */
  readonly identity: string;
  /** Where to create account and identity. */
  readonly location?: string | undefined;
  readonly waitSeconds?: number | undefined;
}

/** The account of a drill, or where it will be. */
interface Place {
  readonly id: ResourceId;
  readonly location: string;
  readonly exists: boolean;
}

const SHARE = 'drill';
/** Azure, "Azure built-in roles for Storage". */
const SHARE_READER = { id: 'b8eda974-7b85-4f76-af95-65846b26df6d', name: SERVICE_WORDS.file.role };

/**
 * Makes a key and an account for drills, each with the tag that names the other. Never tags a key or an account that
 * exists, so that no key of the fleet becomes a target. Can be repeated after an interruption.
 *
 * @throws {@link CmkError} `VaultNotManaged`, `NotForDrills`, `DrillKeyInUse`
 */
export async function ensureDrill(named: ManagedKey, options: DrillEnsureOptions, operation: Operation) {
  const { azure, journal } = operation;
  const { waitSeconds = PROPAGATION_SECONDS } = options;
  const key = requireManaged(named, operation);
  const vault = await findVault(key.vault.id, azure);
  const place = await placeAccount(key, options, operation);
  const { id, location } = place;
  const create = { subscription: id.subscriptionId, resourceGroup: id.resourceGroup };

  await ensureOfficer(vault, key, waitSeconds, operation);
  await refuseOtherKey(key, id, operation);

  const { version } = await ensureKey(key, { tags: { [DRILL_TAG]: id.id } }, operation);
  const identity = await ensureIdentity({ name: options.identity, location, create }, operation);

  // Limited to the key: the identity needs no other key of the vault.
  await ensureIdentityRole(identity, vault, key.name, operation);

  const result = { key: key.id, account: id.id, share: SHARE };
  const isNothingToUse = version === undefined || !identity.principalId;

  if (journal.dryRun && (isNothingToUse || !place.exists)) {
    const text = `account ${id.name} created, encrypted with ${formatKeyName(key)}, with the file share ${SHARE}`;
    journal.planned({ text, action: 'account.create', resource: id.id, to: key.id });
    return result;
  }

  if (!place.exists) {
    const choice = { vault: vault.id, key: key.name, pin: 'newest' };
    const asked = { ...create, account: id.name, location, key: choice, identity: identity.id, roleGiven: true };
    const kind = { sku: 'Standard_LRS', kind: 'StorageV2', tags: { [DRILL_TAG]: key.id } };
    await createAccount({ ...asked, ...kind, waitSeconds }, operation);
  }

  await ensureServed(id, waitSeconds, operation);
  await refuseOtherUsers({ key, account: await azure.accounts.get(id) }, operation);

  return result;
}

/** Finds the account, or where to create it. @throws {@link CmkError} `NotForDrills` for another existing account */
async function placeAccount(key: ManagedKey, options: DrillEnsureOptions, operation: Operation): Promise<Place> {
  const { azure, journal } = operation;
  const existing = await lookUpAccount(options.account, azure, options);
  if (!existing) {
    return { ...(await resolvePlace('account', ACCOUNT_TYPE, options.account, options, azure)), exists: false };
  }

  requireDrillAccount(existing, key);
  journal.found(`account ${existing.name} in ${existing.resourceGroup} (${existing.location})`);

  return { id: existing, location: existing.location, exists: true };
}

/** @throws {@link CmkError} `NotForDrills` for an existing key whose tag does not name the account */
async function refuseOtherKey(key: ManagedKey, { id, name }: ResourceId, { azure }: Operation): Promise<void> {
  const versions = await azure.keys.listVersions(key);
  if (versions.length === 0 || findDrillAccountId(versions)?.toLowerCase() === id.toLowerCase()) return;
  throw createNotForDrills(
    key,
    `The key ${formatKeyName(key)} exists, and has no tag ${DRILL_TAG} with the id of ${name}`,
  );
}

/** Creates the file share and assigns the operator the role to list it, if the account does not serve it yet. */
export async function ensureServed(account: ResourceId, waitSeconds: number, operation: Operation): Promise<void> {
  const { azure, journal } = operation;
  let share = await findDrillShare(account, operation);

  if (share.places.length === 0 && !share.unlisted) {
    const change = { text: `file share ${SHARE} of ${account.name} created`, action: 'share.create' };
    const resource = `${account.id}/fileServices/default/shares/${SHARE}`;
    await journal.change({ ...change, resource }, () => azure.accounts.createShare(account, SHARE));
    if (journal.dryRun) return;
    share = await findDrillShare(account, operation);
  }

  const { why = '' } = await probeShare(share, operation);
  if (!why.startsWith(ROLE_MISSING)) {
    await requireServed(share, operation);
    journal.found(`${account.name} serves share ${share.places[0]}`);
    return;
  }

  const { objectId, kind, name } = await azure.operator();
  const text = `${SHARE_READER.name} assigned to ${name} on ${account.name}`;
  await journal.change({ text, action: 'role.assign', resource: account.id, to: objectId }, () =>
    azure.roles.create({ role: SHARE_READER, scope: account.id, principalId: objectId, principalType: kind }),
  );
  if (journal.dryRun) return;

  await awaitProof({ waitingFor: `your role on ${account.name}`, seconds: waitSeconds }, operation, async () => {
    const { state, why: seen = state } = await probeShare(share, operation);
    return state === 'open' ? { proof: seen } : { seen };
  });
}
