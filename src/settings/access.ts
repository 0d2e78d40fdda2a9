import type { AccessRules } from '../http/access.ts';
import { type Environment, SettingsReader } from './reader.ts';

export interface AccessSettings extends AccessRules {
  /** One line for each setting that is wrong: with any, every call of the API is refused. */
  readonly problems: readonly string[];
  /** How many people beside the asker have to approve a restore; 0: none. */
  readonly restoreApprovals: number;
  /** Likewise for a re-key. */
  readonly rekeyApprovals: number;
  /** Likewise for a pause. */
  readonly pauseApprovals: number;
}

/** Whether somebody else has to restore than who revoked; a value that is neither on nor off counts as on. */
export function readDualControl(environment: Environment): boolean {
  return new SettingsReader(environment).read('CMK_DUAL_CONTROL') ?? true;
}

/** Reads what narrows the roles. What is wrong with it must not keep the app from moving accounts. */
export function readAccess(environment: Environment): AccessSettings {
  const reader = new SettingsReader(environment);
  const approvals = reader.read('CMK_APPROVALS');
  const access = {
    clients: reader.read('CMK_CLIENTS') ?? [],
    restoreApplications: reader.read('CMK_RESTORE_APPLICATIONS') ?? [],
    stepUp: reader.read('CMK_STEP_UP'),
    roleScopes: reader.read('CMK_ROLE_SCOPES') ?? [],
    restoreApprovals: approvals?.restore ?? 0,
    rekeyApprovals: approvals?.rekey ?? 0,
    pauseApprovals: approvals?.pause ?? 0,
  };
  return { ...access, problems: reader.problems };
}
