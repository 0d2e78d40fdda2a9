import type { z } from 'zod';
import { SettingsError } from '../errors/errors.ts';
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

/** Host settings of the work zone's connection: the identity with which the host reads its queues. */
const HOST_READS: ReadonlySet<string> = new Set(['CMK_WORK__credential', 'CMK_WORK__clientId']);

/**
 * Lists unknown `CMK_` settings, for example misspelled names, a line each: such a setting has no effect. Only for an
 * app's environment in Azure: a shell also has variables of the command line and of deployments.
 */
export function listMisnamed(environment: Environment): string[] {
  if (environment.WEBSITE_SITE_NAME === undefined) return [];
  const names = Object.keys(environment).filter(
    (name) => /^CMK_/i.test(name) && !Object.hasOwn(SETTINGS, name) && !HOST_READS.has(name),
  );

  return names
    .sort()
    .map(
      (name) =>
        `${name} is not a setting of this version and has no effect. docs/reference/settings.md lists all settings.`,
    );
}
