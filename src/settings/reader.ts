import type { z } from 'zod';
import { SettingsError } from '../errors.ts';
import { SETTINGS, type SettingName } from './settings-table.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads settings one by one and keeps every problem for the end. */
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

  /** Notes what is wrong with a setting; the first problem of each is the one that is told. */
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

/** Settings of version 2 that are gone, with what replaces each. */
const REMOVED: Readonly<Record<string, string>> = {
  CMK_AUDIT_KEY:
    'CMK_AUDIT_KEY is no setting of this version, and does nothing: lock the immutability policy of the audit trail instead (cmk audit lock), and remove the setting.',
};

/** Of the connection to the work zone, as which identity the host reads its queues. */
const HOST_READS: ReadonlySet<string> = new Set(['CMK_WORK__credential', 'CMK_WORK__clientId']);

/**
 * A line for each setting by a name that the app does not have, a misspelled one for instance: what it was set for is not done.
 * Of an environment that Azure gives an app alone: that of a shell has variables of the command line and of deployments too.
 */
export function misnamed(environment: Environment): string[] {
  if (environment.WEBSITE_SITE_NAME === undefined) return [];
  const names = Object.keys(environment).filter(
    (name) => /^CMK_/i.test(name) && !Object.hasOwn(SETTINGS, name) && !HOST_READS.has(name),
  );
  return names.sort().map((name) => REMOVED[name] ?? unknown(name));
}

function unknown(name: string): string {
  return `${name} is no setting of this version, and does nothing. The table in README.md has all.`;
}
