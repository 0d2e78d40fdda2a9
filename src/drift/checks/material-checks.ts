import { known } from '../../azure/read-or-why.ts';
import { isStorageKind, newestVersion } from '../../keys/key-versions.ts';
import type { Check, Found } from './check.ts';
import { allowOperations } from './commands.ts';
import type { KeySubject } from './subjects.ts';

/**
 * Storage wraps and unwraps (Azure Storage, "customer-managed keys overview"). Key Vault rejects operations that a key
 * does not permit.
 */
const STORAGE_OPERATIONS = ['wrapKey', 'unwrapKey'];

function keyOperationsMissing({ versions, material }: KeySubject): Found | undefined {
  const read = known(material);
  const newest = newestVersion(known(versions) ?? []);
  // UnsupportedKey reports key types that cannot have these operations.
  if (!read?.operations || !newest || isStorageKind(read) === false) return undefined;
  const { operations } = read;
  const allowed = operations.map((operation) => operation.toLowerCase());
  const missing = STORAGE_OPERATIONS.filter((operation) => !allowed.includes(operation.toLowerCase()));
  if (missing.length === 0) return undefined;
  return {
    is: `Its newest version ${newest.version} does not allow ${missing.join(' and ')}.`,
    shouldBe: 'It allows wrapKey and unwrapKey, without which Storage cannot use it.',
    command: allowOperations(newest, [...operations, ...missing]),
  };
}

/** Checks of a key's type, size and operations. */
export const MATERIAL_CHECKS: readonly Check<KeySubject>[] = [
  {
    reason: 'UnsupportedKey',
    severity: 'warning',
    ensures: 'A key has a type and size that Storage supports.',
    fix: 'Create an RSA key of 2048, 3072 or 4096 bits. Keep other keys in a separate vault.',
    find: ({ material }) => {
      const read = known(material);
      // An unknown size causes no finding.
      if (!read || isStorageKind(read) !== false) return undefined;
      const is = `It is ${read.type}${read.size ? ` of ${read.size} bits` : ''}.`;
      return { is, shouldBe: 'It is RSA of 2048, 3072 or 4096 bits.' };
    },
  },
  {
    reason: 'KeyOperationsMissing',
    severity: 'error',
    ensures: 'The newest version of a key allows the operations of Storage: wrap and unwrap.',
    fix: 'Allow both (`az keyvault key set-attributes --ops`). A rotation may copy the operations of the previous version.',
    find: keyOperationsMissing,
  },
  {
    reason: 'KeyTooSmall',
    severity: 'error',
    ensures: 'An RSA key has at least the bits that CMK_KEY_MINIMUM requires.',
    fix: 'Create a larger key and move all users to it (`cmk rekey start`): a rotation keeps the size.',
    find: ({ material }, { drift }) => {
      const { type = '', size } = known(material) ?? {};
      if (!/^RSA/i.test(type) || size === undefined || size >= drift.keyMinBits) return undefined;
      return { is: `It has ${size} bits.`, shouldBe: `It has ${drift.keyMinBits} bits or more.` };
    },
  },
  {
    reason: 'KeyNotInHsm',
    severity: 'error',
    ensures: 'A key is in hardware if CMK_KEY_MINIMUM requires it.',
    fix: 'Create an RSA-HSM key, in a premium vault or a Managed HSM, and move all users to it (`cmk rekey start`): a rotation keeps the type.',
    find: ({ key, material }, { drift }) => {
      const read = known(material);
      if (!read || !drift.requireHsm || key.vault.kind === 'managedHsm' || /-HSM$/i.test(read.type)) return undefined;
      return { is: `It is ${read.type}, in software.`, shouldBe: 'It is in hardware (RSA-HSM).' };
    },
  },
];
