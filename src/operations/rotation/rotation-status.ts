import { CmkError } from '../../errors.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { Log } from '../../log.ts';
import { type ControlPorts, type Ordered, orderPause, orderResume } from '../../orders/order-pause.ts';
import { endProblem } from '../../orders/standing-orders.ts';
import { callBy } from '../key/app-record.ts';
import type { Operator } from '../operator.ts';

const SILENT: Log = () => {};

interface ControlCommand {
  readonly key: ManagedKey | undefined;
  readonly reason: string;
  readonly ticket?: string | undefined;
}

/**
 * Pauses on the operator's own sign-in, as the app's API does it. Errors are the SDK's.
 *
 * @throws {@link CmkError} `ArgumentInvalid` for a time that is over, or too far away
 */
export async function pauseRotations(
  { key, ...said }: ControlCommand & { readonly until?: Date | undefined },
  operator: Operator,
  ports: ControlPorts,
): Promise<Ordered> {
  const problem = said.until && endProblem(said.until, ports.now());
  if (problem) {
    throw new CmkError(
      'ArgumentInvalid',
      `${problem} Nothing was changed.`,
      'Give a time to come (--until PT4H), or leave it out.',
    );
  }
  const approval = 'none: by the command line, on the sign-in of the operator' as const;
  return orderPause({ ...said, ...callBy(operator), key: key?.id, approval }, ports, SILENT);
}

export function resumeRotations(
  { key, ...said }: ControlCommand,
  operator: Operator,
  ports: ControlPorts,
): Promise<Ordered> {
  return orderResume({ ...said, ...callBy(operator), key: key?.id }, ports, SILENT);
}
