import type { z } from 'zod';
import { SettingsError } from '../errors.ts';
import { SETTINGS, type SettingName } from './settings-table.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads settings and collects every problem, so the error can list them all. */
export class SettingsReader {
  readonly #environment: Environment;
  readonly #problems = new Map<SettingName, string>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  read<N extends SettingName>(name: N): z.output<(typeof SETTINGS)[N]['schema']> | undefined {
    const raw = this.#environment[name];
    const present = raw !== undefined && raw.trim() !== '';
    const result = SETTINGS[name].schema.safeParse(present ? raw : undefined);
    if (result.success) return result.data as z.output<(typeof SETTINGS)[N]['schema']>;
    this.problem(name, present ? result.error.issues.map((issue) => issue.message).join(', ') : 'is missing');
    return undefined;
  }

  /** Adds a problem of a setting; only the first problem of a setting counts. */
  problem(name: SettingName, what: string): void {
    if (!this.#problems.has(name)) this.#problems.set(name, `${name} ${what}. Example: ${SETTINGS[name].example}`);
  }

  get problems(): readonly string[] {
    return [...this.#problems.values()];
  }

  done(): void {
    if (this.#problems.size > 0) throw new SettingsError([...this.#problems.values()]);
  }
}

interface Gone {
  /** Replacement of the setting. */
  readonly instead: string;
  /**
   * Value in lower case that matches the app's behaviour without the setting; `*`: any. With other values the app does
   * not start.
   */
  readonly harmless?: string;
}

const OF_THE_QUEUE = 'the tables and blobs of the work zone are in the account that CMK_WORK__queueServiceUri names';

/** Removed settings. */
const GONE: Readonly<Record<string, Gone>> = {
  CMK_APPROVALS: {
    instead: 'have the app roles approved by Microsoft Entra Privileged Identity Management (docs/how-to/access.md)',
  },
  CMK_AUDIT_KEY: {
    instead: 'lock the immutability policy of the audit trail (cmk admin lock-audit)',
    harmless: '*',
  },
  CMK_KEY_MIN_BITS: { instead: 'set CMK_KEY_MINIMUM, for instance RSA-3072', harmless: '2048' },
  CMK_REQUIRE_HSM: { instead: 'set CMK_KEY_MINIMUM, for instance RSA-HSM-3072', harmless: 'off' },
  CMK_NO_EXPIRY: {
    instead:
      'NoExpiry is advice; assign the built-in Azure Policy "Key Vault keys should have an expiration date" to demand more',
    harmless: 'advice',
  },
  CMK_RETIRE_AFTER_HOURS: {
    instead: 'a version can be retired 24 hours after its successor',
    harmless: '24',
  },
  CMK_REFRESH_AUTOMATIC: {
    instead:
      'leave LaggingAutomaticVersion out of CMK_AUTOFIX, and Storage moves automatic accounts by its daily check',
    harmless: 'on',
  },
  CMK_SCOPE_DISCOVERY: { instead: 'the encryption scopes of all accounts are read', harmless: 'all' },
  CMK_BUDGET_SHARE: {
    instead: 'the app uses at most 80 % of the budgets of the Storage resource provider',
    harmless: '0.8',
  },
  CMK_PAGE: { instead: 'set CMK_PAGE_SIGN_IN to off', harmless: 'on' },
  CMK_KEY_MAX_AGE_DAYS: {
    instead:
      'KeyTooOld means older than two years; assign the built-in Azure Policy "Keys should not be active for longer than the specified number of days" to demand less',
    harmless: '730',
  },
  CMK_STORAGE_ACCOUNT_ID: {
    instead: 'it is the account of AzureWebJobsStorage__accountName in the resource group of the function app',
    harmless: '*',
  },
  CMK_DRIFT_SCHEDULE: { instead: 'the drift check runs every hour', harmless: '*' },
  CMK_HSM_WATCH: { instead: 'keys of Managed HSMs are read every five minutes', harmless: '*' },
  CMK_WORK__tableServiceUri: { instead: OF_THE_QUEUE, harmless: '*' },
  CMK_WORK__blobServiceUri: { instead: OF_THE_QUEUE, harmless: '*' },
};

/** Lists removed settings whose value requests behaviour that the app no longer has, a line each. */
export function goneSettings(environment: Environment): readonly string[] {
  return Object.entries(GONE).flatMap(([name, { instead, harmless }]) => {
    const value = environment[name]?.trim().toLowerCase();
    if (!value || harmless === '*' || harmless === value) return [];
    return `${name} is no longer supported: ${instead}. Remove the setting.`;
  });
}

/** Host settings of the work zone's connection: the identity with which the host reads its queues. */
const HOST_READS: ReadonlySet<string> = new Set(['CMK_WORK__credential', 'CMK_WORK__clientId']);

/**
 * Lists unknown `CMK_` settings, for example misspelled names, a line each: such a setting has no effect. Only for an
 * app's environment in Azure: a shell also has variables of the command line and of deployments.
 */
export function misnamed(environment: Environment): string[] {
  if (environment.WEBSITE_SITE_NAME === undefined) return [];
  const names = Object.keys(environment).filter(
    (name) => /^CMK_/i.test(name) && !Object.hasOwn(SETTINGS, name) && !HOST_READS.has(name),
  );
  return names.sort().map((name) => {
    const gone = GONE[name];
    return gone ? `${name} has no effect in this version: ${gone.instead}. Remove the setting.` : unknown(name);
  });
}

function unknown(name: string): string {
  return `${name} is not a setting of this version and has no effect. docs/reference/settings.md lists all settings.`;
}
