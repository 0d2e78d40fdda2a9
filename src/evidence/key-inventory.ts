import { randomUUID } from 'node:crypto';
import type { KeyKind } from '../keys/key-client.ts';
import { getActiveFrom, getUsability, type KeyVersion } from '../keys/key-versions.ts';
import { findRetiredRecord } from '../retirement/retirement.ts';
import { readRevocation } from '../revocation/revocation.ts';

/** A key with its versions, to be listed as cryptographic assets. */
export interface InventoryKey {
  /** `<vault>/<key>` */
  readonly name: string;
  readonly versions: readonly KeyVersion[];
  /** By version; no entry: Key Vault did not return it, as for a disabled version. */
  readonly kinds: ReadonlyMap<string, KeyKind>;
}

/** Prefix of this app's properties: CycloneDX has no fields for them. */
const OWN = 'cmk-autopilot';

/**
 * Returns a cryptography bill of materials (CycloneDX 1.6, JSON): a component for each version of each key.
 *
 * @param unread failed reads, one sentence each: then the document says that it is incomplete
 */
export function toCycloneDx(keys: readonly InventoryKey[], unread: readonly string[], now: Date) {
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${randomUUID()}`,
    version: 1,
    metadata: {
      timestamp: now.toISOString(),
      lifecycles: [{ phase: 'operations' }],
      tools: { components: [{ type: 'application', name: OWN }] },
      properties: unread.map((value) => ({ name: `${OWN}:unread`, value })),
    },
    components: keys.flatMap((key) => toComponents(key, now)),
    ...(unread.length > 0 ? { compositions: [{ aggregate: 'incomplete' }] } : {}),
  };
}

function toComponents({ name, versions, kinds }: InventoryKey, now: Date) {
  const { open } = readRevocation(versions, now);

  return versions.map((version) => {
    const kind = kinds.get(version.version);
    return {
      type: 'cryptographic-asset',
      'bom-ref': version.id,
      name,
      version: version.version,
      cryptoProperties: {
        assetType: 'related-crypto-material',
        relatedCryptoMaterialProperties: {
          type: materialOf(kind),
          id: version.id,
          state: stateOf(version, now),
          creationDate: version.createdOn.toISOString(),
          activationDate: getActiveFrom(version).toISOString(),
          updateDate: version.updatedOn?.toISOString(),
          expirationDate: version.expiresOn?.toISOString(),
          size: kind?.size,
          securedBy: kind && { mechanism: kind.type.endsWith('-HSM') ? 'HSM' : 'Software' },
        },
      },
      properties: [
        { name: `${OWN}:keyType`, value: kind?.type ?? 'unknown' },
        ...(open ? [{ name: `${OWN}:revocation`, value: open.id }] : []),
      ],
    };
  });
}

/** Type of the material in CycloneDX; `key` if Key Vault did not return the type of the key. */
function materialOf(kind: KeyKind | undefined): string {
  if (kind === undefined) return 'key';
  return kind.type.startsWith('oct') ? 'secret-key' : 'private-key';
}

/** State in the words of NIST SP 800-57: a disabled version is suspended, because it can be enabled again. */
function stateOf(version: KeyVersion, now: Date): string {
  if (findRetiredRecord(version)) return 'deactivated';

  switch (getUsability(version, now)) {
    case 'Usable':
      return 'active';
    case 'NotYetActive':
      return 'pre-activation';
    case 'Expired':
      return 'deactivated';
    case 'Disabled':
      return 'suspended';
  }
}
