/** Attributes and tags of one key version, as Key Vault returns them. Never contains key material. */
export interface KeyVersion {
  /** Identifier with the version, in lower case. */
  readonly id: string;
  /** Name of the key, as Key Vault spells it. */
  readonly keyName: string;
  readonly version: string;
  readonly enabled: boolean;
  readonly createdOn: Date;
  readonly updatedOn: Date | undefined;
  readonly notBefore: Date | undefined;
  readonly expiresOn: Date | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** Whether Key Vault returns it as the latest version. Only orders versions of the same second. */
  readonly latest: boolean;
}

export type Usability = 'Usable' | 'Disabled' | 'NotYetActive' | 'Expired';

/** Whether Storage can wrap with this version now. `Disabled` precedes the dates, because it cuts off access. */
export function getUsability(version: KeyVersion, now: Date): Usability {
  if (!version.enabled) return 'Disabled';
  if (version.expiresOn && version.expiresOn <= now) return 'Expired';
  if (version.notBefore && version.notBefore > now) return 'NotYetActive';
  return 'Usable';
}

/** Time from which the dates of a version permit its use. */
export function getActiveFrom({ createdOn, notBefore }: Pick<KeyVersion, 'createdOn' | 'notBefore'>): Date {
  return notBefore && notBefore > createdOn ? notBefore : createdOn;
}

/**
 * Latest time since which an enabled version can have been usable. Key Vault does not return when a version was enabled,
 * only when it was changed.
 */
export function getUsableSince(version: KeyVersion): Date {
  const { updatedOn } = version;
  const from = getActiveFrom(version);
  return updatedOn && updatedOn > from ? updatedOn : from;
}

/**
 * Orders by age, oldest first. Key Vault returns creation times in whole seconds. For versions of the same second, Key
 * Vault's latest version is the younger.
 */
export function compareAge(a: KeyVersion, b: KeyVersion): number {
  return (
    a.createdOn.getTime() - b.createdOn.getTime() ||
    Number(a.latest) - Number(b.latest) ||
    (a.version < b.version ? -1 : Number(a.version > b.version))
  );
}

/** Whether `a` was created before `b`. False in the same second, unless Key Vault returns `b` as the latest version. */
export function isKnownOlder(a: KeyVersion, b: KeyVersion): boolean {
  return (a.createdOn.getTime() - b.createdOn.getTime() || Number(a.latest) - Number(b.latest)) < 0;
}

/** The youngest version, usable or not. */
export function findNewestVersion(versions: readonly KeyVersion[]): KeyVersion | undefined {
  return versions.reduce<KeyVersion | undefined>(
    (newest, version) => (newest && compareAge(newest, version) > 0 ? newest : version),
    undefined,
  );
}

/** The youngest version that is enabled, active and not expired. Every dependent should use it. */
export function findNewestUsableVersion(versions: readonly KeyVersion[], now: Date): KeyVersion | undefined {
  return findNewestVersion(versions.filter((version) => getUsability(version, now) === 'Usable'));
}

/** When the next version younger than the newest usable one becomes active; undefined if no such version exists. */
export function findNextActivation(versions: readonly KeyVersion[], now: Date): Date | undefined {
  const usable = findNewestUsableVersion(versions, now);
  const times = versions
    .filter((version) => getUsability(version, now) === 'NotYetActive')
    .filter((version) => !usable || compareAge(version, usable) > 0)
    .flatMap((version) => version.notBefore ?? []);
  return times.sort((a, b) => a.getTime() - b.getTime())[0];
}

export function findVersion(versions: readonly KeyVersion[], version: string): KeyVersion | undefined {
  return versions.find((candidate) => candidate.version === version.toLowerCase());
}

/** RSA key sizes that Storage supports (Azure Storage, "Customer-managed keys overview"). */
const STORAGE_KEY_SIZES: readonly number[] = [2048, 3072, 4096];

/** Whether Storage supports this type and size; undefined if the result depends on an unknown size. */
export function isStorageKind({ type, size }: { readonly type: string; readonly size: number | undefined }) {
  if (!/^RSA(-HSM)?$/i.test(type)) return false;
  return size === undefined ? undefined : STORAGE_KEY_SIZES.includes(size);
}
