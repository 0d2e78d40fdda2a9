import { CmkError } from '../../../errors/errors.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import { formatRestoreCommand } from '../../../revocation/restore-command.ts';
import { findRestoreRefusal } from '../../../revocation/restore-key.ts';
import { openRevocation } from '../../../revocation/revocation.ts';
import { formatKeyName } from '../../../revocation/usable-key.ts';
import { readDualControl } from '../../../settings/settings.ts';
import type { AppRecord } from '../app-storage.ts';
import { restoreAsOperator, revokeAsOperator } from '../key/key-break-glass.ts';
import type { Operation } from '../operator-azure.ts';
import { awaitProof, type StepClock } from './drill-step.ts';

export interface DrillOptions {
  readonly reason: string;
  readonly ticket?: string | undefined;
  /** Longest wait for each proof, and for a second person. */
  readonly waitSeconds: number;
  readonly app: AppRecord;
}

/** How a drill cuts off its key and gives it back: like an incident, with the same code and the same records. */
export interface DrillPath {
  /** @throws {@link CmkError} if the key is not completely revoked */
  revoke(key: ManagedKey, options: DrillOptions, operation: Operation): Promise<void>;
  /** Whether the key is revoked, by this drill or an interrupted one. */
  isRevoked(key: ManagedKey, operation: Operation): Promise<boolean>;
  /**
   * @returns false if the key was not revoked
   * @throws {@link CmkError} if the key is still revoked
   */
  restore(key: ManagedKey, options: DrillOptions, operation: Operation, clock?: StepClock): Promise<boolean>;
}

/** The path that disables every version of the key. */
export const KEYS_PATH: DrillPath = {
  async revoke(key, options, operation) {
    const { environment = {} } = operation;
    const { complete } = await revokeAsOperator(key, { ...options, environment }, operation);
    if (complete) return;

    throw new CmkError(
      'RevocationIncomplete',
      `${formatKeyName(key)}: not every version is disabled.`,
      'Read the notes above, and revoke the key by hand: cmk key revoke',
    );
  },

  async isRevoked(key, { azure }) {
    return openRevocation(await azure.urgentKeys.listVersions(key), azure.now()) !== undefined;
  },

  async restore(key, options, operation, clock) {
    const { azure, environment = {} } = operation;
    const versions = await azure.urgentKeys.listVersions(key);
    const open = openRevocation(versions, azure.now());
    if (!open) return false;

    const { objectId } = await azure.operator();
    const dualControl = readDualControl(environment);
    const request = { revocation: open.id, restoredBy: objectId, dualControl };

    if (findRestoreRefusal(versions, request, azure.now()) === 'SecondPersonNeeded') {
      await awaitSecondPerson(key, open, options, operation);
      clock?.restart();
      return true;
    }

    const asked = { ...options, revocation: open.id, dualControl, environment };
    const { complete } = await restoreAsOperator(key, asked, operation);
    if (complete) return true;

    throw new CmkError(
      'RestoreIncomplete',
      `${formatKeyName(key)}: not every version is enabled again.`,
      `Run it again: ${formatRestoreCommand(key, open)}`,
    );
  },
};

/** Dual control holds for a drill too: the operator who revoked asks another person, and waits. */
async function awaitSecondPerson(
  key: ManagedKey,
  open: { readonly id: string },
  { waitSeconds }: DrillOptions,
  operation: Operation,
): Promise<void> {
  const { azure, journal } = operation;
  const command = formatRestoreCommand(key, open);

  journal.note(`Dual control: a second person restores the key now, by the page, the API, or: ${command}`);

  await awaitProof({ waitingFor: 'a second person to restore the key', seconds: waitSeconds }, operation, async () => {
    const isOpen = openRevocation(await azure.urgentKeys.listVersions(key), azure.now()) !== undefined;
    return isOpen ? { seen: `${formatKeyName(key)} is revoked (${open.id})` } : { proof: 'restored' };
  });
}
