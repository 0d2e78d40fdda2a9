import type { BlastRadius } from '../dependents/blast-radius.ts';
import { RETIRED_TAG } from '../drift/retire.ts';
import { CmkError } from '../errors.ts';
import { compareAge, findVersion, type KeyVersion, newestUsableVersion, usability } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { openRevocation } from '../keys/revocation.ts';
import type { Procedure } from './azure.ts';
import { type AppEnvironment, blastRadiusOf } from './blast-radius-of.ts';
import { usersByVersion } from './key-status.ts';

/** Storage looks for a new version once a day: before that, an account may still be on its way. Hours. */
export const LEAST_HOURS = 24;
const DEPENDENTS_MS = 120_000;
/** Key Vault allows 15 tags a version (Key Vault, "About keys"). */
const MAX_TAGS = 15;

/** Why a version must stay, one sentence each; none: it may go. */
export function reasonsToKeep(
  version: KeyVersion,
  versions: readonly KeyVersion[],
  dependents: BlastRadius,
  hours: number,
  now: Date,
): string[] {
  const reasons: string[] = [];
  if (openRevocation(versions)) reasons.push('A revocation of the key is open: everything stays as it is.');
  const successor = versions
    .filter((candidate) => compareAge(candidate, version) > 0 && usability(candidate, now) === 'Usable')
    .sort(compareAge)[0];
  if (!successor) reasons.push('No newer version is usable.');
  else {
    const active = Math.max(successor.createdOn.getTime(), successor.notBefore?.getTime() ?? 0);
    const age = (now.getTime() - active) / 3_600_000;
    if (age < hours) {
      reasons.push(`Its successor ${successor.version} is ${Math.floor(age)} hours old, and has to be ${hours}.`);
    }
  }
  const users = usersByVersion(dependents);
  const using = users.get(version.version) ?? [];
  if (using.length > 0) reasons.push(`It is used by ${using.join(', ')}.`);
  const unknown = users.get('unknown') ?? [];
  if (unknown.length > 0) reasons.push(`Nobody says which version ${unknown.join(', ')} uses.`);
  for (const { what, detail } of dependents.unread) reasons.push(`Not everything could be read: ${what}. ${detail}`);
  return reasons;
}

export interface Retirement {
  readonly key: string;
  readonly retired: readonly string[];
  readonly kept: readonly { readonly version: string; readonly reasons: readonly string[] }[];
}

/**
 * Disables versions that nothing uses any more, after fresh reads of everything that uses the key.
 *
 * @param version one version; undefined: every one that may go
 * @param hours how old the successor has to be; 24 at least
 * @throws {@link CmkError} `VersionInUse` when the one version asked for has to stay
 */
export async function retireVersions(
  key: ManagedKey,
  version: string | undefined,
  hours: number,
  environment: AppEnvironment,
  { azure, journal }: Procedure,
): Promise<Retirement> {
  if (!(hours >= LEAST_HOURS)) {
    throw new CmkError(
      'ArgumentInvalid',
      `${hours} hours are too few.`,
      `Storage may take a day to follow: ${LEAST_HOURS} at least.`,
    );
  }
  const name = `${key.vault.name}/${key.name}`;
  const dependents = await blastRadiusOf(key, azure, environment, DEPENDENTS_MS);
  const versions = await azure.keys.listVersions(key);
  const asked = version === undefined ? versions : [findVersion(versions, version)];
  const enabled = asked.filter((candidate) => candidate?.enabled === true) as KeyVersion[];
  if (version !== undefined && asked[0] === undefined) {
    throw new CmkError(
      'UnknownVersion',
      `The key ${name} has no version ${version}.`,
      `See: cmk key status ${key.name} --vault ${key.vault.name}`,
    );
  }
  if (version !== undefined && enabled.length === 0) journal.found(`version ${version} of ${name} is disabled already`);
  const retired: string[] = [];
  const kept: { version: string; reasons: string[] }[] = [];
  for (const candidate of enabled) {
    const reasons = reasonsToKeep(candidate, versions, dependents, hours, azure.now());
    if (reasons.length > 0) {
      kept.push({ version: candidate.version, reasons });
      continue;
    }
    const text = `version ${candidate.version} of ${name} disabled`;
    const done = await journal.change(text, () =>
      azure.keys.updateVersion(key, candidate.version, {
        enabled: false,
        ...retiredTag(candidate, versions, azure.now()),
      }),
    );
    const late = done ? turnedUp(candidate, await blastRadiusOf(key, azure, environment, DEPENDENTS_MS)) : undefined;
    if (late) {
      await journal.change(`version ${candidate.version} enabled again: ${late}`, () =>
        azure.keys.updateVersion(key, candidate.version, { enabled: true, tags: { ...candidate.tags } }),
      );
      kept.push({ version: candidate.version, reasons: [late] });
    } else retired.push(candidate.version);
  }
  if (version !== undefined && kept[0]) {
    throw new CmkError(
      'VersionInUse',
      `Version ${version} of ${name} stays. ${kept[0].reasons.join(' ')}`,
      'Move what uses it (cmk account pin), wait, and run this again.',
    );
  }
  for (const { version: stays, reasons } of kept) journal.found(`version ${stays} stays: ${reasons.join(' ')}`);
  return { key: key.id, retired, kept };
}

/** Somebody may have been pinned to the version between the look and the change. */
function turnedUp({ version }: KeyVersion, dependents: BlastRadius): string | undefined {
  const using = usersByVersion(dependents).get(version) ?? [];
  if (using.length > 0) return `${using.join(', ')} turned up after it was disabled.`;
  return dependents.unread[0] && `afterwards ${dependents.unread[0].what} could not be read.`;
}

/** The same record as the app's own retirement leaves; a version without a tag to spare is retired without it. */
function retiredTag(
  version: KeyVersion,
  versions: readonly KeyVersion[],
  now: Date,
): { tags?: Record<string, string> } {
  const successor = newestUsableVersion(versions, now);
  if (!successor || Object.keys(version.tags).length >= MAX_TAGS) return {};
  return { tags: { ...version.tags, [RETIRED_TAG]: `${now.toISOString()} ${successor.version}` } };
}
