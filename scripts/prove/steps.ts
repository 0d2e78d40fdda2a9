import { findAccountKeyUse } from '../../src/accounts/key-use.ts';
import type { ResourceId } from '../../src/azure/resource-id.ts';
import { pinAccount } from '../../src/cli/procedures/account/account-change.ts';
import { createAccount } from '../../src/cli/procedures/account/account-enable.ts';
import type { AccountResult } from '../../src/cli/procedures/account/account-plan.ts';
import { verifyAccount } from '../../src/cli/procedures/account/account-verify.ts';
import { checkDrift } from '../../src/cli/procedures/app/drift-check.ts';
import { type AppRecord, openAppRecord } from '../../src/cli/procedures/app-storage.ts';
import { findDrillShare, probeShare } from '../../src/cli/procedures/drill/drill-data.ts';
import { ensureServed } from '../../src/cli/procedures/drill/drill-ensure.ts';
import { awaitProof } from '../../src/cli/procedures/drill/drill-step.ts';
import {
  ensureIdentity,
  ensureIdentityRole,
  ensureOfficer,
} from '../../src/cli/procedures/identity/identity-ensure.ts';
import { restoreAsOperator, revokeAsOperator } from '../../src/cli/procedures/key/key-break-glass.ts';
import { ensureKey } from '../../src/cli/procedures/key/key-ensure.ts';
import { createKeyIn } from '../../src/cli/procedures/resolve.ts';
import { ensureVault } from '../../src/cli/procedures/vault/vault-ensure.ts';
import { withKeyVersion } from '../../src/controller/plan.ts';
import type { DriftServices } from '../../src/drift/run-drift-check.ts';
import { CmkError } from '../../src/errors/errors.ts';
import { formatCount } from '../../src/formats/text.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import { KEY_NOT_FOUND, type ProbeTarget } from '../../src/probe/probe.ts';
import { rotateKey } from '../../src/rotation/rotate-key.ts';
import type { Environment } from '../../src/settings/settings.ts';
import type { Notes, Proof } from './proof.ts';
import { FIRST_KEY, getAccounts, SECOND_KEY, type Site } from './site.ts';

export interface ProofOptions {
  readonly location: string;
  /** Longest wait for a role or for the file service, in seconds. */
  readonly waitSeconds: number;
  /** Creates the app's services with these settings and the operator's sign-in. */
  readonly services: (environment: Environment) => DriftServices;
}

/** The revoker restores here: the keys exist for the run alone. */
const ENVIRONMENT: Environment = { CMK_DUAL_CONTROL: 'off' };
/** There is no app, so no audit trail. */
const NO_APP: AppRecord = openAppRecord({}, () => {
  throw new TypeError('Without settings of a storage no credential is needed.');
});
const REASON = 'npm run prove';

/** What a run has made. */
interface Made {
  readonly first: ManagedKey;
  readonly second: ManagedKey;
  /** The first version of the first key. */
  readonly version: string;
}

/** Runs the command line's own procedures on resources that the run makes. Deletes nothing. */
export async function runSteps(site: Site, options: ProofOptions, proof: Proof): Promise<void> {
  const made = await makeKeys(site, options, proof);
  const shares = await makeAccounts(site, made, options, proof);
  const newest = await rotate(site, made, options, proof);
  await move(site, newest, proof);
  await breakGlass(site, made, shares, options, proof);
}

/** A failed expectation: Azure answered, and not what the procedure promises. */
function expect(isTrue: boolean, saw: string): asserts isTrue {
  if (!isTrue) throw new CmkError('NotProven', saw, 'Report it, with the table.');
}

async function makeKeys(site: Site, { location, waitSeconds }: ProofOptions, proof: Proof): Promise<Made> {
  const { operation } = proof;
  const where = { subscription: site.subscription, resourceGroup: site.resourceGroup };

  const vault = await proof.require('create a vault', async () => {
    const value = await ensureVault({ name: site.vault.name, location, create: where, ...where }, operation);
    const { accessModel, purgeProtection, softDelete } = value;
    expect(accessModel === 'rbac' && purgeProtection && softDelete, 'No roles, soft delete or purge protection.');
    return { saw: `${value.name} in ${value.location}, with roles and purge protection`, value };
  });

  const first = createKeyIn(vault, FIRST_KEY, operation.azure.cloud);
  const second = createKeyIn(vault, SECOND_KEY, operation.azure.cloud);

  await proof.require('let this sign-in manage its keys', async ({ timed }) => {
    await timed('rolePropagationMs', 'the role reached Key Vault', () =>
      ensureOfficer(vault, first, waitSeconds, operation),
    );
    return { saw: 'Key Vault Crypto Officer on the vault', value: undefined };
  });

  const version = await proof.require('create two keys', async () => {
    const { version } = await ensureKey(first, {}, operation);
    await ensureKey(second, {}, operation);
    expect(version !== undefined, 'The key has no version.');
    return { saw: `${FIRST_KEY} and ${SECOND_KEY}, with rotation policies`, value: version };
  });

  await proof.require('create an identity with its role', async () => {
    const { name } = site.identity;
    const identity = await ensureIdentity({ name, location, create: where, ...where }, operation);
    await ensureIdentityRole(identity, vault, undefined, operation);
    return { saw: `${name}, which may use the keys`, value: undefined };
  });

  return { first, second, version };
}

/** Returns a file share of each account, in the order of the accounts. */
async function makeAccounts(
  site: Site,
  { version }: Made,
  { location, waitSeconds }: ProofOptions,
  proof: Proof,
): Promise<readonly ProbeTarget[]> {
  const { operation } = proof;
  const place = { subscription: site.subscription, resourceGroup: site.resourceGroup, location };
  const kind = { identity: site.identity.id, sku: 'Standard_LRS', kind: 'StorageV2', roleGiven: true, waitSeconds };
  const create = ({ name }: ResourceId, key: string, pin?: 'newest') =>
    createAccount({ ...place, ...kind, account: name, key: { vault: site.vault.id, key, pin } }, operation);

  await proof.require('create three accounts', async ({ timed }) => {
    const created = await timed('rolePropagationMs', 'the role of the identity reached Storage', () =>
      Promise.all([
        create(site.pinned, FIRST_KEY, 'newest'),
        create(site.automatic, FIRST_KEY),
        create(site.other, SECOND_KEY, 'newest'),
      ]),
    );
    const modes = created.map(({ mode }) => mode).join(', ');
    expect(modes === 'pinned, automatic, pinned', `The answers say: ${modes}`);
    expect(created[0]?.version === version, `The answer names version ${created[0]?.version}, not ${version}.`);
    return { saw: `${modes}; the answers name the versions`, value: undefined };
  });

  const shares = await proof.require('serve a file share of each', async ({ timed }) => {
    const value: ProbeTarget[] = [];
    await timed('rolePropagationMs', 'the role to list shares reached Storage', async () => {
      for (const account of getAccounts(site)) await ensureServed(account, waitSeconds, operation);
    });
    for (const account of getAccounts(site)) value.push(await findDrillShare(account, operation));
    return { saw: 'the file services list their shares', value };
  });

  await proof.check('verify the accounts', async () => {
    for (const { id } of getAccounts(site)) {
      const { ok, checks } = await verifyAccount({ account: id }, operation);
      const failed = checks.filter(({ state }) => state !== 'ok').map(({ check, detail }) => `${check}: ${detail}`);
      expect(ok, `${id}: ${failed.join('; ')}`);
    }
    return 'every check of each passed';
  });

  return shares;
}

/** Returns the newest version. */
async function rotate(site: Site, { first, version }: Made, options: ProofOptions, proof: Proof): Promise<string> {
  const { operation } = proof;

  const newest = await proof.require('rotate a key', async () => {
    const { to } = await rotateKey(first, 0, operation);
    expect(to !== undefined && to !== version, 'Key Vault made no version.');
    return { saw: `version ${to}`, value: to };
  });

  await proof.check('find the account that lags', async (notes) => {
    const stale = await readFindings('StaleKeyVersion', site, options, proof);
    expect(stale.length === 1 && isAbout(stale[0], site.pinned), `StaleKeyVersion of: ${stale.join(', ') || 'none'}`);

    const { encryption } = await operation.azure.accounts.get(site.automatic);
    const { current } = findAccountKeyUse(encryption) ?? {};
    if (current !== version) notes.differs('automaticCheckMs', `the automatic account is on ${current} already`);

    return `StaleKeyVersion of ${site.pinned.name} alone`;
  });

  return newest;
}

/** Writes the key's version as the app does: the answer is the proof. */
async function move(site: Site, newest: string, proof: Proof): Promise<void> {
  const { operation } = proof;

  await proof.check('move the pinned account', async () => {
    const { mode, version }: AccountResult = await pinAccount({ account: site.pinned.id }, operation);
    expect(mode === 'pinned' && version === newest, `The answer says: ${mode}, version ${version}`);
    return `the answer names version ${version}`;
  });

  await proof.check('move the automatic account', async (notes) => {
    const { accounts } = operation.azure;
    const { encryption: before } = await accounts.get(site.automatic);
    const { encryption } = await accounts.update(site.automatic, { encryption: withKeyVersion(before, '') });
    const use = findAccountKeyUse(encryption);
    expect(use !== undefined && use.pinned === undefined, 'The answer says that it is pinned.');
    if (use.current !== newest) notes.differs('refreshAutomaticOnPatch', `the answer names version ${use.current}`);
    return `it stays automatic, on version ${use.current}`;
  });
}

async function breakGlass(
  site: Site,
  { first }: Made,
  shares: readonly ProbeTarget[],
  options: ProofOptions,
  proof: Proof,
): Promise<void> {
  const { operation } = proof;
  const [pinned, automatic, other] = shares as readonly [ProbeTarget, ProbeTarget, ProbeTarget];
  const asked = { reason: REASON, environment: ENVIRONMENT, app: NO_APP };

  const revocation = await proof.require('revoke a key', async () => {
    const { complete, revocation, versions } = await revokeAsOperator(first, asked, operation);
    expect(complete && revocation !== undefined, 'Not every version is disabled.');
    return { saw: `${formatCount(versions.length, 'version')} disabled`, value: revocation.id };
  });

  await proof.check('see its file services refuse', async (notes) => {
    for (const share of [pinned, automatic]) await awaitRefusal(share, notes, options, proof);
    return 'they refuse with the code that the app knows';
  });

  await proof.check('see the other key unharmed', async () => {
    const { state, why = '' } = await probeShare(other, operation);
    expect(state === 'open', `${state}: ${why}`);
    return `${site.other.name} serves`;
  });

  await proof.check('find the revocation', async () => {
    const open = await readFindings('RevocationOpen', site, options, proof);
    expect(open.length > 0, 'The drift check reports no RevocationOpen.');
    return 'RevocationOpen';
  });

  await proof.check('restore the key', async () => {
    const named = { ...asked, revocation, dualControl: false };
    const { complete, versions } = await restoreAsOperator(first, named, operation);
    const enabled = versions.filter(({ after }) => after === 'Usable');
    expect(complete && enabled.length === 2, `${formatCount(enabled.length, 'version')} of two enabled again.`);
    return `${formatCount(enabled.length, 'version')} enabled again`;
  });

  await proof.check('see its file services serve', async ({ timed }) => {
    for (const share of [pinned, automatic]) {
      await timed('fileServiceDelayMs', 'a file service served', () => awaitState(share, 'open', options, proof));
    }
    return 'they list their shares';
  });

  await proof.check('find nothing else', async () => {
    const left = await readFindings(undefined, site, options, proof);
    expect(left.length === 0, left.join(', '));
    return 'no error and no warning about the accounts and keys';
  });
}

async function awaitRefusal(share: ProbeTarget, notes: Notes, options: ProofOptions, proof: Proof): Promise<void> {
  const code = await notes.timed('fileServiceDelayMs', 'a file service refused', () =>
    awaitState(share, 'blocked', options, proof),
  );
  if (code !== KEY_NOT_FOUND) notes.differs('code of the refusal', `${code}, there ${KEY_NOT_FOUND}`);
}

/** Waits until the file service answers so. Returns its code. */
function awaitState(
  share: ProbeTarget,
  wanted: 'open' | 'blocked',
  { waitSeconds: seconds }: ProofOptions,
  { operation }: Proof,
): Promise<string> {
  const waitingFor = `the file service of ${share.account} to ${wanted === 'open' ? 'serve' : 'refuse'}`;

  return awaitProof({ waitingFor, seconds }, operation, async () => {
    const { state, why = state } = await probeShare(share, operation);
    return state === wanted ? { proof: why } : { seen: why };
  });
}

/**
 * Runs the drift check of the vault, and reads its findings about the run's accounts and keys: those about the vault
 * itself ask for an app, which is not there.
 *
 * @param reason of the findings; undefined: errors and warnings of every reason, in words
 * @returns the resources of the findings
 */
async function readFindings(
  reason: string | undefined,
  site: Site,
  { services }: ProofOptions,
  { operation }: Proof,
): Promise<readonly string[]> {
  const environment = { ...ENVIRONMENT, CMK_SUBSCRIPTIONS: site.subscription };
  const { findings } = await checkDrift({ vaults: [site.vault.id], environment, services }, operation);
  const isOurs = (resource: string): boolean =>
    getAccounts(site).some(({ id }) => isAbout(resource, { id })) || resource.includes('/keys/');

  const ours = findings.filter(({ resource }) => isOurs(resource));
  if (reason !== undefined) return ours.filter((one) => one.reason === reason).map(({ resource }) => resource);

  const counted = ours.filter(({ severity }) => severity !== 'advice');

  return counted.map((one) => `${one.reason} of ${one.resource}: ${one.is}`);
}

function isAbout(resource: string | undefined, { id }: Pick<ResourceId, 'id'>): boolean {
  return resource?.toLowerCase().startsWith(id.toLowerCase()) ?? false;
}
