import { describe, expect, it } from 'vitest';
import { ARM_ADDRESS, askedOfHsmKey, HSM_PATH, PATH_OF_KEY, SOUNDS_LIKE_USE } from '../../src/keys/hsm-log-entry.ts';

const V = '0123456789abcdef0123456789abcdef';
const pathOf = (address: string) => new RegExp(HSM_PATH).exec(address.toLowerCase())?.[1];
const keyOf = (address: string) => new RegExp(PATH_OF_KEY).exec(pathOf(address) ?? '')?.[1];

describe('an entry of the log of a Managed HSM', () => {
  it.each<[string, string, object]>([
    [`/keys/k/${V}/unwrapkey`, 'anything', { version: V, operation: 'unwrap' }],
    [`/keys/k/${V}/wrapkey`, 'KeyWrap', { version: V, operation: 'wrap' }],
    [`//keys//k/${V}/sign/`, 'x', { version: V, operation: 'other' }],
    ['/keys/k/unwrapkey', 'x', { version: undefined, operation: 'unwrap' }],
    // What the API may have by then, and what is named as a use although its address does not say so.
    [`/keys/k/${V}/secureunwrap`, 'x', { version: V, operation: 'other' }],
    [`/keys/k/${V}`, 'KeyUnwrap', { version: V, operation: 'unwrap' }],
    ['/keys/k', 'KeyDecrypt', { version: undefined, operation: 'other' }],
  ])('is a use: %s, %s', (path, name, asked) => {
    expect(askedOfHsmKey(path, name)).toEqual(asked);
  });

  it.each([
    ['/keys/k', 'KeyGet'],
    [`/keys/k/${V}`, 'KeyUpdate'],
    ['/keys/k/versions', 'KeyListVersions'],
    ['/keys/k/rotationpolicy', 'x'],
    ['/keys/k/providers/microsoft.authorization/roleassignments', 'RoleAssignmentList'],
  ])('is none: %s, %s', (path, name) => {
    expect(askedOfHsmKey(path, name)).toBeUndefined();
  });

  it.each<[string | undefined, string | undefined]>([
    [undefined, 'KeyUnwrap'],
    ['', 'Authentication'],
    ['/backup', 'KeyUnwrap'],
    ['/keys/k/something', 'KeyGet'],
    ['/keys/k/versions', 'KeyUnwrap'],
    ['/keys', 'EkmProxyOperation'],
    [`/pool/keys/k/${V}/unwrapkey`, 'x'],
    ['/', undefined],
  ])('may be anything: %s, %s', (path, name) => {
    expect(askedOfHsmKey(path, name)).toEqual({ version: undefined, operation: 'unclear', entry: name });
  });
});

describe('an address', () => {
  it.each([
    [`https://HSM-1.managedhsm.azure.net/keys/Files-Key/${V}/unwrapkey?api-version=7.4`, 'files-key'],
    [`https://hsm-1.managedhsm.azure.net:443/keys/files-key/${V}`, 'files-key'],
    [`https://hsm-1.managedhsm.usgovcloudapi.net//keys//files-key`, 'files-key'],
    // Not as documented, and a request for that key all the same.
    [`https://hsm-1.managedhsm.azure.net/pool/keys/files-key/${V}/unwrapkey`, 'files-key'],
  ])('is about a key: %s', (address, key) => {
    expect(keyOf(address)).toBe(key);
  });

  it.each([
    'https://hsm-1.managedhsm.azure.net/backup',
    'https://hsm-1.managedhsm.azure.net/keys?api-version=7.4',
    'https://hsm-1.managedhsm.azure.net///providers/Microsoft.Authorization/roleAssignments?$filter=atScope()',
  ])('is of the Managed HSM, and about no key: %s', (address) => {
    expect([pathOf(address), keyOf(address)]).toEqual([expect.stringMatching(/^\//), undefined]);
  });

  it.each([
    `https://proxy.example/keys/files-key/${V}/unwrapkey`,
    `https://evil.example/?x=https://hsm-1.managedhsm.azure.net/keys/other/${V}`,
    'https://hsm-1.managedhsm.azure.net/keys%2Ffiles-key/unwrapkey',
    'https://hsm-1.managedhsm.azure.net/keys/files key/unwrapkey',
    `https://hsm-1.managedhsm.azure.net/keys/other/../files-key/${V}/unwrapkey`,
    `https://hsm-1.managedhsm.azure.net/keys/./files-key/${V}/unwrapkey`,
    `https://hsm-1.managedhsm.azure.net/keys/other/${V}/..`,
    '/keys/files-key/unwrapkey',
    '',
  ])('is none that is known: %j', (address) => {
    expect(pathOf(address)).toBeUndefined();
  });

  it('of Azure Resource Manager is told by what it is about', () => {
    const id = '/subscriptions/1/resourcegroups/rg/providers/microsoft.keyvault/managedhsms/hsm-1';
    expect(`https://management.azure.com${id}?api-version=1`).toMatch(new RegExp(ARM_ADDRESS));
    expect(`https://management.azure.com${id}/privateendpointconnections/pe.1_x?x=1`).toMatch(new RegExp(ARM_ADDRESS));
    expect('https://management.azure.com/subscriptions/1/providers/microsoft.keyvault/managedhsms').toMatch(
      new RegExp(ARM_ADDRESS),
    );
    expect(`https://x.managedhsm.azure.net/keys/a?x=${id}`).not.toMatch(new RegExp(ARM_ADDRESS));
    // However the Managed HSM reads such an address, it may be a request for a key.
    const up = '../'.repeat(7);
    expect(`https://x.managedhsm.azure.net${id}/${up}keys/a/${V}/unwrapkey`).not.toMatch(new RegExp(ARM_ADDRESS));
    expect(`https://x.managedhsm.azure.net${id}/%2e%2e/keys/a`).not.toMatch(new RegExp(ARM_ADDRESS));
  });
});

it('takes no name of what is done to roles for a use', () => {
  const named = (name: string) => new RegExp(SOUNDS_LIKE_USE).test(name.toLowerCase());
  expect(['RoleAssignmentCreate', 'BackupCreate', 'KeyGet', 'Authentication'].filter(named)).toEqual([]);
  expect(['KeyWrap', 'KeyUnwrap', 'KeyEncrypt', 'KeySign', 'KeyVerify', 'KeyRelease', 'EkmX'].every(named)).toBe(true);
});
