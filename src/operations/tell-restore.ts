import { readDualControl } from '../settings/access.ts';
import type { Environment } from '../settings/settings.ts';
import type { Journal } from './journal.ts';

/** Says how what was revoked is given back, and by whom. */
export function tellRestore(command: string, environment: Environment, journal: Journal): void {
  const who = readDualControl(environment) ? ', run by somebody else than you' : '';
  journal.note(`To give access back: ${command}${who}`);
}
