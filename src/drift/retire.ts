import pMap from 'p-map';
import { accountKeyUse, type KeyUse, scopeKeyUse, usesKey } from '../accounts/key-use.ts';
import { describeFailure } from '../azure/failure.ts';
import { parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import { readBlastRadius } from '../dependents/blast-radius.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { Services } from '../services.ts';
import { describe } from '../work/outcome.ts';
import { retirable } from './key-checks.ts';
import type { Retirement } from './report.ts';

/** Tag on a version that was retired: when, and the version that has taken its place. */
export const RETIRED_TAG = 'cmk-retired';
/** Key Vault allows 15 tags a version (Key Vault, "About keys"). */
const MAX_TAGS = 15;
const CONCURRENCY = 8;
const AUDIT_TIMEOUT_MS = 5_000;

export type RetireServices = Pick<
  Services,
  'settings' | 'keys' | 'accounts' | 'subscriptions' | 'shares' | 'resourceGraph' | 'audit' | 'now'
>;

/**
 * Disables old versions of a key that provably nobody uses: everything is read afresh for it, nothing may be left unread,
 * and every dependent has to show another version. Afterwards the dependents are read once more; should one have been
 * pinned to the version meanwhile, it is enabled again. It never throws.
 *
 * @param correlationId finds the check in the log and in the audit trail
 */
export async function retireVersions(
  key: ManagedKey,
  correlationId: string,
  services: RetireServices,
  log: Log,
): Promise<Retirement[]> {
  const hours = services.settings.drift.retireAfterHours;
  if (hours === undefined) return [];
  try {
    const versions = await services.keys.listVersions(key);
    const candidates = retirable(versions, services.now(), hours);
    const successor = newestUsableVersion(versions, services.now());
    if (candidates.length === 0 || !successor) return [];
    const proof = await readProof(key, services);
    const retirements: Retirement[] = [];
    for (const version of candidates) {
      retirements.push(await retire(key, version, successor, proof, correlationId, services, log));
    }
    return retirements;
  } catch (error) {
    const detail = describe(describeFailure(error));
    log({
      level: 'warning',
      reason: 'RetirementRefused',
      message: `${REASONS.RetirementRefused} ${detail}`,
      key: key.id,
    });
    return [{ version: key.id, outcome: 'failed', detail }];
  }
}

/** Who uses which version of a key, read afresh. */
interface Proof {
  /** What is not known; empty: everything is. */
  readonly gaps: readonly string[];
  readonly uses: readonly { readonly who: string; readonly versions: readonly string[] }[];
}

async function readProof(key: ManagedKey, services: RetireServices): Promise<Proof> {
  const radius = await readBlastRadius(key, services);
  const gaps = radius.unread.map(({ what, detail }) => `${what}: ${detail}`);
  const uses: { who: string; versions: string[] }[] = [];
  for (const { id, uses: named } of radius.otherResources) {
    const versions = named.flatMap(({ version }) => version ?? []);
    // Which version it is on is not told, and its service moves when it likes.
    if (versions.length < named.length) gaps.push(`${id} uses the key without naming a version.`);
    uses.push({ who: id, versions });
  }
  const fresh = await pMap(radius.accounts, ({ id }) => usesOf(id, key, services), { concurrency: CONCURRENCY });
  for (const { who, use } of fresh.flat()) {
    // Automatic, and Azure does not say where it stands.
    if (use.current === undefined) gaps.push(`${who} does not show the version in use.`);
    uses.push({ who, versions: [...new Set([use.pinned, use.current].flatMap((version) => version ?? []))] });
  }
  return { gaps, uses };
}

async function usesOf(
  id: string,
  key: ManagedKey,
  { accounts }: RetireServices,
): Promise<{ readonly who: string; readonly use: KeyUse }[]> {
  const account = parseResourceId(id) as ResourceId;
  const found: { who: string; use: KeyUse }[] = [];
  const use = accountKeyUse((await accounts.get(account)).encryption);
  if (usesKey(use, key)) found.push({ who: id, use });
  for await (const scope of accounts.listScopes(account)) {
    const of = scopeKeyUse(scope);
    if (usesKey(of, key)) found.push({ who: `${id}/encryptionScopes/${scope.name}`, use: of });
  }
  return found;
}

async function retire(
  key: ManagedKey,
  version: KeyVersion,
  successor: KeyVersion,
  proof: Proof,
  correlationId: string,
  services: RetireServices,
  log: Log,
): Promise<Retirement> {
  const about = { key: key.id, version: version.version, successor: successor.version, correlationId };
  const refuse = (detail: string): Retirement => {
    log({ level: 'info', reason: 'RetirementRefused', message: `${REASONS.RetirementRefused} ${detail}`, ...about });
    return { version: version.id, outcome: 'refused', detail };
  };
  const [gap] = proof.gaps;
  if (gap) return refuse(`Not everything is known: ${gap}`);
  const user = userOf(version, proof);
  if (user) return refuse(`${user} uses it.`);

  const disabled = await services.keys.updateVersion(key, version.version, {
    enabled: false,
    ...retiredTag(version, successor, services.now()),
  });
  const after = await readProof(key, services);
  const late = userOf(version, after) ?? after.gaps[0];
  if (late) {
    await services.keys.updateVersion(key, version.version, { enabled: true, tags: { ...version.tags } });
    return refuse(`It was enabled again: ${late} turned up after it was disabled.`);
  }
  const message = `${REASONS.VersionRetired} ${version.id}`;
  log({ level: 'warning', reason: 'VersionRetired', message, ...about });
  const written = await services.audit(
    {
      action: 'key.retire',
      reason: 'VersionRetired',
      resource: key.id,
      correlationId,
      details: {
        version: version.id,
        successor: successor.id,
        enabled: disabled.enabled,
        // The proof: who uses the key, and which version each of them showed.
        dependents: proof.uses,
      },
    },
    AUDIT_TIMEOUT_MS,
  );
  const audited = 'written' in written ? '' : ` ${written.failed}`;
  return {
    version: version.id,
    outcome: 'retired',
    detail: `${proof.uses.length} users show other versions.${audited}`,
  };
}

function userOf(version: KeyVersion, { uses }: Proof): string | undefined {
  return uses.find(({ versions }) => versions.includes(version.version))?.who;
}

/** Tags are replaced as a whole; a version without one to spare is retired without it. */
function retiredTag({ tags }: KeyVersion, successor: KeyVersion, now: Date): { tags?: Record<string, string> } {
  if (Object.keys(tags).length >= MAX_TAGS && tags[RETIRED_TAG] === undefined) return {};
  return { tags: { ...tags, [RETIRED_TAG]: `${now.toISOString()} ${successor.version}` } };
}
