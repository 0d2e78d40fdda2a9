import type { AccessRules } from '../http/access.ts';
import { type Environment, SettingsReader } from './reader.ts';

export interface AccessSettings extends AccessRules {
  /** One line for each setting that is wrong: with any, every call of the API is refused. */
  readonly problems: readonly string[];
}

/** Whether the restorer must be another person than the revoker; a value that is neither on nor off counts as on. */
export function readDualControl(environment: Environment): boolean {
  return new SettingsReader(environment).read('CMK_DUAL_CONTROL') ?? true;
}

/** Reads what narrows the roles. What is wrong with it must not keep the app from moving accounts. */
export function readAccess(environment: Environment): AccessSettings {
  const reader = new SettingsReader(environment);
  const access = {
    clients: reader.read('CMK_CLIENTS') ?? [],
    restoreApplications: reader.read('CMK_RESTORE_APPLICATIONS') ?? [],
    stepUp: reader.read('CMK_STEP_UP'),
    roleScopes: reader.read('CMK_ROLE_SCOPES') ?? [],
  };
  return { ...access, problems: reader.problems };
}
