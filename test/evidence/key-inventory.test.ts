import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { type InventoryKey, toCycloneDx } from '../../src/evidence/key-inventory.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { KEY, NEW, OLD } from './entries.ts';

const NOW = new Date('2026-11-24T12:00:00Z');

function version(name: string, more: Partial<KeyVersion> = {}): KeyVersion {
  return {
    id: `${KEY}/${name}`,
    keyName: 'files-key',
    version: name,
    enabled: true,
    createdOn: new Date('2026-11-01T10:00:00Z'),
    updatedOn: new Date('2026-11-01T10:00:00Z'),
    notBefore: undefined,
    expiresOn: undefined,
    tags: {},
    latest: false,
    ...more,
  };
}

/** The document as it is printed, of one key. */
function bill(versions: readonly KeyVersion[], kinds: InventoryKey['kinds'], unread: readonly string[] = []) {
  return JSON.parse(JSON.stringify(toCycloneDx([{ name: 'kv-files/files-key', versions, kinds }], unread, NOW)));
}

/** Errors of the official schema. The document has neither licences nor signatures, whose schemas stand elsewhere. */
function schemaErrors(document: unknown): unknown {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: 'http://cyclonedx.org/schema/spdx.SNAPSHOT.schema.json' });
  ajv.addSchema({ $id: 'http://cyclonedx.org/schema/jsf-0.82.SNAPSHOT.schema.json', definitions: { signature: {} } });
  const schema = JSON.parse(readFileSync('test/evidence/schemas/cyclonedx-1.6.schema.json', 'utf8'));
  ajv.validate(schema, document);
  return ajv.errors;
}

describe('the bill of materials of keys', () => {
  it('A bill of keys is valid by the schema of CycloneDX 1.6, and has a component for each version', () => {
    const expiring = version(NEW, { expiresOn: new Date('2028-11-01T10:00:00Z') });
    const kinds = new Map([[NEW, { type: 'RSA-HSM', size: 3072 }]]);
    const document = bill([version(OLD, { enabled: false }), expiring], kinds, ['kv-other: 403.']);

    expect(schemaErrors(document)).toBeNull();
    expect(document.components).toMatchObject([
      { type: 'cryptographic-asset', name: 'kv-files/files-key', version: OLD },
      {
        version: NEW,
        'bom-ref': `${KEY}/${NEW}`,
        cryptoProperties: {
          assetType: 'related-crypto-material',
          relatedCryptoMaterialProperties: {
            type: 'private-key',
            id: `${KEY}/${NEW}`,
            state: 'active',
            creationDate: '2026-11-01T10:00:00.000Z',
            activationDate: '2026-11-01T10:00:00.000Z',
            updateDate: '2026-11-01T10:00:00.000Z',
            expirationDate: '2028-11-01T10:00:00.000Z',
            size: 3072,
            securedBy: { mechanism: 'HSM' },
          },
        },
      },
    ]);
  });

  it('A bill of keys leaves out size and protection that Key Vault did not return', () => {
    const [component] = bill([version(OLD, { enabled: false })], new Map()).components;
    const { relatedCryptoMaterialProperties: material } = component.cryptoProperties;
    expect(material).toMatchObject({ type: 'key', state: 'suspended' });
    expect(material).not.toHaveProperty('size');
    expect(material).not.toHaveProperty('securedBy');
    expect(component.properties).toEqual([{ name: 'cmk-autopilot:keyType', value: 'unknown' }]);
  });

  it.each<[string, Partial<KeyVersion>]>([
    ['active', {}],
    ['pre-activation', { notBefore: new Date('2026-12-01T10:00:00Z') }],
    ['deactivated', { expiresOn: new Date('2026-11-20T10:00:00Z') }],
    ['suspended', { enabled: false }],
    ['deactivated', { enabled: false, tags: { 'cmk-retired': `2026-11-20T10:00:00.000Z ${NEW}` } }],
  ])('A bill of keys has the state %s of a version with %j', (state, more) => {
    const [component] = bill([version(OLD, more)], new Map()).components;
    expect(component.cryptoProperties.relatedCryptoMaterialProperties.state).toBe(state);
  });

  it('A bill of keys is incomplete if a read failed, and names the read', () => {
    const document = bill([version(OLD)], new Map(), ['kv-other: 403.']);
    expect(document.compositions).toEqual([{ aggregate: 'incomplete' }]);
    expect(document.metadata.properties).toEqual([{ name: 'cmk-autopilot:unread', value: 'kv-other: 403.' }]);
    expect(bill([version(OLD)], new Map())).not.toHaveProperty('compositions');
  });
});
