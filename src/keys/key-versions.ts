/** What Key Vault says of one version of a key (its attributes and tags, never key material). */
export interface KeyVersion {
  /** Identifier with the version. */
  readonly id: string;
  readonly version: string;
  readonly enabled: boolean;
  readonly createdOn: Date;
  readonly updatedOn: Date | undefined;
  readonly notBefore: Date | undefined;
  readonly expiresOn: Date | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** Key Vault's own answer to "the latest version". It only decides between versions of the same second. */
  readonly latest: boolean;
}

export type Usability = 'Usable' | 'Disabled' | 'NotYetActive' | 'Expired';

/** Whether Storage can wrap with this version now. Disabled wins over the dates: it is the one that cuts off access. */
export function usability(version: KeyVersion, now: Date): Usability {
  if (!version.enabled) return 'Disabled';
  if (version.expiresOn && version.expiresOn <= now) return 'Expired';
  if (version.notBefore && version.notBefore > now) return 'NotYetActive';
  return 'Usable';
}

/** From when on a version can be used, as far as its dates say. */
export function activeFrom({ createdOn, notBefore }: Pick<KeyVersion, 'createdOn' | 'notBefore'>): Date {
  return notBefore && notBefore > createdOn ? notBefore : createdOn;
}

/**
 * Orders by age, oldest first. Key Vault gives creation times in whole seconds; of two versions made in the same second,
 * the one that it calls the latest is the younger.
 */
export function compareAge(a: KeyVersion, b: KeyVersion): number {
  return (
    a.createdOn.getTime() - b.createdOn.getTime() ||
    Number(a.latest) - Number(b.latest) ||
    (a.version < b.version ? -1 : Number(a.version > b.version))
  );
}

/** Whether `a` was made before `b`. False of two versions of the same second, unless Key Vault calls `b` the latest. */
export function isKnownOlder(a: KeyVersion, b: KeyVersion): boolean {
  return (a.createdOn.getTime() - b.createdOn.getTime() || Number(a.latest) - Number(b.latest)) < 0;
}

/** The youngest version, usable or not. */
export function newestVersion(versions: readonly KeyVersion[]): KeyVersion | undefined {
  return versions.reduce<KeyVersion | undefined>(
    (newest, version) => (newest && compareAge(newest, version) > 0 ? newest : version),
    undefined,
  );
}

/** The youngest version that is enabled, active and not expired: the one every dependent should use. */
export function newestUsableVersion(versions: readonly KeyVersion[], now: Date): KeyVersion | undefined {
  return newestVersion(versions.filter((version) => usability(version, now) === 'Usable'));
}

/** When the next version becomes active that is younger than the newest usable one; undefined if there is none. */
export function nextActivation(versions: readonly KeyVersion[], now: Date): Date | undefined {
  const usable = newestUsableVersion(versions, now);
  const times = versions
    .filter((version) => usability(version, now) === 'NotYetActive')
    .filter((version) => !usable || compareAge(version, usable) > 0)
    .flatMap((version) => version.notBefore ?? []);
  return times.sort((a, b) => a.getTime() - b.getTime())[0];
}

export function findVersion(versions: readonly KeyVersion[], version: string): KeyVersion | undefined {
  return versions.find((candidate) => candidate.version === version.toLowerCase());
}

/** Sizes of RSA keys that Storage takes (Azure Storage, "Customer-managed keys overview"). */
const STORAGE_KEY_SIZES: readonly number[] = [2048, 3072, 4096];

/** Whether Storage takes keys of this kind; undefined: the size, on which it depends, is not known. */
export function isStorageKind({ type, size }: { readonly type: string; readonly size: number | undefined }) {
  if (!/^RSA(-HSM)?$/i.test(type)) return false;
  return size === undefined ? undefined : STORAGE_KEY_SIZES.includes(size);
}
