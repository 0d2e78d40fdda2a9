import { known } from '../../azure/read-or-why.ts';
import { isStorageKind, newestVersion } from '../../keys/key-versions.ts';
import type { Check, Found } from './check.ts';
import { allowOperations } from './commands.ts';
import type { KeySubject, Rules } from './subjects.ts';

function unsupportedKey({ material }: KeySubject): readonly Found[] {
  const read = known(material);
  if (!read) return [];
  const { type, size } = read;
  // An unknown size is no finding.
  if (isStorageKind(read) !== false) return [];
  return [{ is: `It is ${type}${size ? ` of ${size} bits` : ''}.`, shouldBe: 'It is RSA of 2048, 3072 or 4096 bits.' }];
}

/** Storage wraps and unwraps (Azure Storage, "customer-managed keys overview"); Key Vault does nothing that a key does not allow. */
const STORAGE_OPERATIONS = ['wrapKey', 'unwrapKey'];

function keyOperationsMissing({ versions, material }: KeySubject): readonly Found[] {
  const read = known(material);
  // What no key of its type may do is not for its operations to allow: UnsupportedKey says so.
  if (!read || isStorageKind(read) === false) return [];
  const { operations } = read;
  const newest = newestVersion(known(versions) ?? []);
  if (!operations || !newest) return [];
  const allowed = operations.map((operation) => operation.toLowerCase());
  const missing = STORAGE_OPERATIONS.filter((operation) => !allowed.includes(operation.toLowerCase()));
  if (missing.length === 0) return [];
  return [
    {
      is: `Its newest version ${newest.version} does not allow ${missing.join(' and ')}.`,
      shouldBe: 'It allows wrapKey and unwrapKey, without which Storage cannot use it.',
      command: allowOperations(newest, [...operations, ...missing]),
    },
  ];
}

function keyTooSmall({ material }: KeySubject, { drift }: Rules): readonly Found[] {
  const { type = '', size } = known(material) ?? {};
  if (!/^RSA/i.test(type) || size === undefined || size >= drift.keyMinBits) return [];
  return [{ is: `It has ${size} bits.`, shouldBe: `It has ${drift.keyMinBits} bits or more.` }];
}

function keyNotInHsm({ key, material }: KeySubject, { drift }: Rules): readonly Found[] {
  const { type } = known(material) ?? {};
  if (!drift.requireHsm || type === undefined || key.vault.kind === 'managedHsm' || /-HSM$/i.test(type)) return [];
  return [{ is: `It is ${type}, in software.`, shouldBe: 'It is in hardware (RSA-HSM).' }];
}

/** Checks of the material of a key: its type, size and operations. */
export const MATERIAL_CHECKS: readonly Check<KeySubject>[] = [
  {
    reason: 'UnsupportedKey',
    severity: 'warning',
    ensures: 'A key is of a type and size that Storage takes.',
    fix: 'Make a key of RSA 2048, 3072 or 4096 bits; keep others in a vault of their own.',
    find: unsupportedKey,
  },
  {
    reason: 'KeyOperationsMissing',
    severity: 'error',
    ensures: 'The newest version of a key allows what Storage does with it: wrap and unwrap.',
    fix: 'Allow both (`az keyvault key set-attributes --ops`); a rotation may hand on what the version before allows.',
    find: keyOperationsMissing,
  },
  {
    reason: 'KeyTooSmall',
    severity: 'error',
    ensures: 'An RSA key has as many bits as CMK_KEY_MINIMUM asks for.',
    fix: 'Make a larger key and move everything to it (`cmk rekey start`): a rotation keeps the size.',
    find: keyTooSmall,
  },
  {
    reason: 'KeyNotInHsm',
    severity: 'error',
    ensures: 'A key is in hardware, where CMK_KEY_MINIMUM asks for it.',
    fix: 'Make an RSA-HSM key, in a premium vault or a Managed HSM, and move everything to it (`cmk rekey start`): a rotation keeps the type.',
    find: keyNotInHsm,
  },
];
