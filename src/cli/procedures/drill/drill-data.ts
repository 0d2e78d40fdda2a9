import { abortAfter } from '../../../azure/deadline.ts';
import type { ResourceId } from '../../../azure/resource-id.ts';
import { createShellCommand, renderCommandOr } from '../../../azure/shell-command.ts';
import { CmkError } from '../../../errors/errors.ts';
import { type ProbeResult, type ProbeTarget, probe, ROLE_MISSING } from '../../../probe/probe.ts';
import { findProbeTarget } from '../../../probe/probe-targets.ts';
import { SERVICE_WORDS } from '../../../probe/service-words.ts';
import type { Operation } from '../operator-azure.ts';

/** Deadline of one probe, in milliseconds. */
const PROBE_MS = 10_000;

/** Finds the file share that shows whether the account can use its key. */
export function findDrillShare(account: ResourceId, { azure }: Operation): Promise<ProbeTarget> {
  const lists = { settings: { probeBlobs: false }, shares: azure.shares, containers: azure.containers };
  return abortAfter((signal) => findProbeTarget(account, lists, signal), PROBE_MS);
}

export async function probeShare(share: ProbeTarget, { azure }: Operation): Promise<ProbeResult> {
  const [result] = await probe([share], azure, PROBE_MS);
  if (!result) throw new TypeError('The probe of one share has no result.');
  return result;
}

/** @throws {@link CmkError} if the share is not served: then no later probe could show the effect of a change */
export async function requireServed(share: ProbeTarget, operation: Operation): Promise<void> {
  const { state, why = '' } = await probeShare(share, operation);
  if (state === 'open') return;

  const isRoleMissing = why.startsWith(ROLE_MISSING);
  const command = createShellCommand('az role assignment create --assignee <you>', [
    ['--role', SERVICE_WORDS.file.role],
    ['--scope', share.account],
  ]);

  throw new CmkError(
    isRoleMissing ? 'MissingPermission' : 'FileServiceRefuses',
    `The drill needs to see the data of its account, and does not: ${why || state}`,
    isRoleMissing
      ? renderCommandOr(command, `Assign yourself ${SERVICE_WORDS.file.role} on the account.`)
      : 'Run `cmk account verify` on the account, and `cmk drill ensure` if it has no file share.',
  );
}
