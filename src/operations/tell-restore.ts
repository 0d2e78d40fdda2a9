import { readDualControl } from '../settings/access.ts';
import type { Environment } from '../settings/settings.ts';
import type { Journal } from './journal.ts';

/** Says how what was revoked is given back, and by whom. */
export function tellRestore(command: string, environment: Environment, journal: Journal): void {
  const who = readDualControl(environment) ? 'To give access back, a second person runs' : 'To give access back';
  journal.note(`${who}: ${command}`);
}
