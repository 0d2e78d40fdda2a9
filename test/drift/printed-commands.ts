import type { Finding } from '../../src/drift/report/report.ts';

/**
 * The commands that findings of each reason print. Each is run on the situation that it is for: by a case of
 * `drift.slow.test.ts`, those of `az` by `npm run test:az`. A check that prints another one fails until it is listed here,
 * and what is listed fails until a case runs it.
 */
export const PRINTED: Readonly<Record<string, readonly string[]>> = {
  StaleKeyVersion: ['cmk account pin'],
  VersionReverted: ['cmk account pin'],
  NoLongerCustomerManaged: ['cmk account enable'],
  KeyDisabled: ['cmk key restore'],
  KeyExpired: ['cmk key rotate', 'cmk account pin'],
  KeyDeleted: ['az keyvault key recover', 'az keyvault recover'],
  IdentityMissing: ['cmk account enable'],
  IdentityWithoutRole: ['az role assignment create'],
  KeyTooOld: ['cmk key rotate'],
  NearExpiry: ['cmk key rotate'],
  RotationIncomplete: ['cmk key rotate'],
  PolicyBlocksMove: ['az policy exemption create'],
  PolicyBlocksRotation: ['cmk key ensure', 'az policy exemption create'],
  KeyOperationsMissing: ['az keyvault key set-attributes'],
  RevocationOpen: ['cmk key restore'],
  RetirableVersion: ['cmk key retire'],
  OldVersionInUse: ['cmk key unretire'],
  VaultNotFound: ['az keyvault recover'],
  PurgeProtectionOff: ['az keyvault update'],
  VaultUnreachable: ['az keyvault update'],
  VaultNotLocked: ['az lock create'],
  EventSubscriptionMissing: ['cmk admin ensure-events'],
  EventSubscriptionMisaimed: ['cmk admin ensure-events'],
  ChangesNotWatched: ['cmk admin watch-changes'],
  ContestedChange: ['cmk drift release'],
};

/** The command that a finding prints: its own, or the one that its text ends with. */
export function commandOf({ command, fix }: Pick<Finding, 'command' | 'fix'>): string | undefined {
  return command ?? /: (cmk .+)$/.exec(fix)?.[1];
}

/** Which command it is: `cmk account pin`, `az keyvault key recover`. */
export function kindOf(command: string): string {
  const words = command.split(' ');
  const end = words[0] === 'cmk' ? 3 : words.findIndex((word) => word.startsWith('-'));
  return words.slice(0, end).join(' ');
}
