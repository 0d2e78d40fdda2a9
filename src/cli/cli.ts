import type { Command } from 'commander';
import { CLOUDS, type Cloud, findCloud } from '../azure/cloud.ts';
import type { TokenCredential } from '../azure/credential.ts';
import { type CallLimits, LIMITS } from '../azure/limits.ts';
import { CmkError } from '../errors.ts';
import { type ManagedKey, managedKey } from '../keys/managed-vaults.ts';
import type { AppRecord, ChangeRecorder } from '../operations/app-storage.ts';
import { Journal } from '../operations/journal.ts';
import type { Azure, Operation } from '../operations/operator-azure.ts';
import { knowsAppStorage } from '../settings/own-storage.ts';
import { addDuration } from '../time/duration.ts';
import type { Ask } from './confirm.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Explanation } from './explain.ts';
import { DOCUMENT_VERSION, type Format, type OUTPUTS, Output, type Sink } from './output.ts';
import { watchScreen } from './watch-screen.ts';

/** Inputs of the command line. */
export interface CliContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly out: Sink;
  readonly err: Sink;
  readonly ask: Ask;
  /** Undefined: the sign-in of the Azure CLI, of a developer tool or of the environment. */
  readonly credential?: TokenCredential;
  /** Undefined: the real Azure. */
  readonly azure?: Azure;
  /** Aborts with an `Interruption` when a signal ends the command early. */
  readonly interrupted?: AbortSignal;
}

/** Options of every command. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly output?: (typeof OUTPUTS)[number] | 'wide';
  /** JMESPath expression for the document. */
  readonly query?: string;
  readonly wide?: boolean;
  readonly quiet?: boolean;
  readonly subscription?: string;
  readonly cloud?: string;
}

/** Options of commands that change resources. */
interface RunOptions {
  readonly dryRun?: boolean;
  readonly reason?: string;
  readonly ticket?: string;
}

type Work<R> = (operation: Operation) => Promise<R>;
type Show<R> = (result: R, output: Output) => ExitCode | undefined;

interface OnceOptions {
  readonly changes: boolean;
  readonly record?: ChangeRecorder['record'] | undefined;
  /** Replaces stdout. */
  readonly out?: Sink | undefined;
}

/** Discards a command's normal output while a query prints its result. */
const SILENT = new Output('json', { write: () => true }, { write: () => true }, {});

/** One run of the command line. */
export class Cli {
  readonly context: CliContext;
  exitCode: ExitCode = EXIT.ok;
  /** The command runs until a signal ends it, which is no failure. */
  isEndless = false;
  /** The running operation with its journal. */
  #running: { readonly operation: string; readonly journal: Journal; readonly output: Output } | undefined;
  #recorded: ChangeRecorder['end'] | undefined;

  constructor(context: CliContext) {
    this.context = context;
  }

  get environment(): CliContext['environment'] {
    return this.context.environment;
  }

  /** @param out replaces stdout */
  output(options: GlobalOptions, out = this.context.out): Output {
    const wide = options.wide || options.output === 'wide';
    return new Output(this.#formatOf(options), out, this.context.err, this.environment, { ...options, wide });
  }

  cloud(command: Command): Cloud {
    const name = command.optsWithGlobals<GlobalOptions>().cloud ?? this.environment.AZURE_CLOUD ?? 'AzureCloud';
    const found = findCloud(name);
    if (found) return found;
    throw new CmkError(
      'ArgumentInvalid',
      `The cloud "${name}" is unknown.`,
      `Choose one of ${CLOUDS.map((known) => known.name).join(', ')}.`,
    );
  }

  /** Resolves the key of a command: `<key>` and `--vault`, `<vault>/<key>` as in lists, or an identifier. */
  async key(text: string, command: Command): Promise<ManagedKey> {
    const { keyByName } = await import('../operations/resolve.ts');
    const options = command.optsWithGlobals<GlobalOptions & { readonly vault?: string }>();
    const cloud = this.cloud(command);
    const [, vault, key] = /^([\w-]+)\/([\w-]+)$/.exec(text) ?? [];
    if (options.vault !== undefined || !vault || !key) return keyByName(text, options.vault, cloud);
    // A Managed HSM may have the same name as a vault.
    const { appVaults } = await import('../operations/vault/vault-ensure.ts');
    const known = appVaults(this.environment, cloud)?.byName(vault.toLowerCase());
    return known ? managedKey(known, key) : keyByName(key, vault, cloud);
  }

  credential(command: Command): TokenCredential {
    return this.context.credential ?? lateCredential(this.cloud(command));
  }

  /** The audit trail and queue of the app for break-glass, if the environment names its storage. */
  async appRecord(command: Command): Promise<AppRecord> {
    const { appRecord } = await import('../operations/app-storage.ts');
    return appRecord(this.environment, () => this.credential(command));
  }

  async azure(command: Command): Promise<Azure> {
    if (this.context.azure) return this.context.azure;
    const { createAzure } = await import('../operations/operator-azure.ts');
    return createAzure(
      this.credential(command),
      this.cloud(command),
      this.environment.AZURE_SUBSCRIPTION_ID || undefined,
      patience(this.context.err),
    );
  }

  /**
   * Runs an operation, shows its entries, and prints the report.
   *
   * @param show shows the result, unless the format is JSON
   */
  async run<R>(command: Command, work: Work<R>, show: Show<R> = () => undefined): Promise<void> {
    const recorder = await this.#recorder(command);
    this.#recorded = recorder?.end;
    await this.#once(command, work, show, { changes: true, record: recorder?.record });
  }

  /**
   * Like {@link run}, for commands that only read: without changes and dry run. Repeats with `--watch`.
   *
   * @param isOver whether --watch ends after this result
   */
  async read<R>(
    command: Command,
    work: Work<R>,
    show: Show<R>,
    isOver: (result: R) => boolean = () => false,
  ): Promise<void> {
    const { watch, ...options } = command.optsWithGlobals<GlobalOptions & { readonly watch?: number }>();
    const once = (out?: Sink): Promise<R> => this.#once(command, work, show, { changes: false, out });
    if (watch === undefined) {
      await once();
      return;
    }
    if (this.#formatOf(options) === 'json') {
      throw new CmkError(
        'ArgumentInvalid',
        '--watch prints an endless stream, not one JSON document.',
        'Use -o jsonl.',
      );
    }
    this.isEndless = true;
    const { sleep } = await this.azure(command);
    await watchScreen(watch, { once, isOver, sleep, ...this.context });
  }

  async #once<R>(command: Command, work: Work<R>, show: Show<R>, { changes, record, out }: OnceOptions): Promise<R> {
    const options = command.optsWithGlobals<GlobalOptions & RunOptions>();
    const output = this.output(options, out);
    const dryRun = changes && options.dryRun === true;
    const journal = new Journal({ dryRun, show: (entry) => output.entry(entry), ...(record ? { record } : {}) });
    const operation = nameOf(command);
    this.#running = { operation, journal, output };
    const result = await work({ azure: await this.azure(command), journal, environment: this.environment });
    await this.recorded();
    const isQueried = options.query !== undefined;
    this.exitCode = show(result, isQueried ? SILENT : output) ?? EXIT.ok;
    const report = journal.report(operation, result);
    if (changes && !isQueried) output.report(report);
    const { entries } = report;
    const seen = changes ? report : { operation, ...(entries.length > 0 ? { entries } : {}), result };
    const document = { version: DOCUMENT_VERSION, ...seen };
    if (options.query !== undefined) (await import('./query.ts')).printQuery(document, options.query, output);
    else if (output.format === 'json') output.json(document);
    // A result without rows becomes one item.
    else if (output.format === 'jsonl' && !output.hasRows) output.line(document);
    return result;
  }

  /** Waits until every change is in the audit trail, and notes the failures. */
  async recorded(): Promise<void> {
    const end = this.#recorded;
    this.#recorded = undefined;
    for (const problem of (await end?.()) ?? []) this.#running?.journal.note(`Not in the audit trail: ${problem}`);
  }

  /** Undefined if no setting names the app's storage. */
  async #recorder(command: Command): Promise<ChangeRecorder | undefined> {
    const { dryRun, reason, ticket } = command.optsWithGlobals<RunOptions>();
    if (dryRun || !knowsAppStorage(this.environment)) return undefined;
    const { changeRecorder } = await import('../operations/app-storage.ts');
    const { audit } = await this.appRecord(command);
    const { operator } = await this.azure(command);
    return changeRecorder({ command: nameOf(command), why: reason, ticket }, operator, audit);
  }

  #formatOf({ json, output, query }: GlobalOptions): Format {
    if (output !== undefined) return output === 'table' || output === 'wide' ? 'terminal' : output;
    if (json || query !== undefined) return 'json';
    return this.context.out.isTTY ? 'terminal' : 'lines';
  }

  /** Prints an error; as JSON, in one document with the entries so far. */
  fail(explanation: Explanation, options: GlobalOptions): void {
    const { operation = '', journal, output = this.output(options) } = this.#running ?? {};
    const { result: _, ...before } = journal?.report(operation, undefined) ?? {};
    output.error(explanation, journal?.entries.length ? before : {});
  }

  /** Explains an interruption, with the step in progress. */
  explainInterruption(): Explanation {
    const underWay = this.#running?.journal.underWay;
    const message = underWay
      ? `The command was ended during this step: ${underWay}. It is unknown whether the step took effect.`
      : `The command was ended. ${this.#running ? 'Completed steps stay done.' : 'Nothing was changed.'}`;
    return { reason: 'Interrupted', message, nextStep: 'Run the same command again: it continues from there.' };
  }

  /** Removes the progress line before other output to stderr. */
  clearProgress(): void {
    this.#running?.output.clear();
  }
}

/** `account enable`. */
function nameOf(command: Command): string {
  return command.parent?.parent ? `${command.parent.name()} ${command.name()}` : command.name();
}

/** Parses a duration option in seconds: `PT10M`, or a number of seconds. */
export function seconds(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const start = new Date(0);
  return (addDuration(start, text).getTime() - start.getTime()) / 1000;
}

/** Limits of the command line's calls. Shows each wait; of several simultaneous waits only the first. */
function patience(err: Sink): CallLimits {
  let shownUntilMs = 0;
  return {
    ...LIMITS.commandLine,
    onWait(ms) {
      const nowMs = performance.now();
      if (nowMs < shownUntilMs) return;
      shownUntilMs = nowMs + ms;
      // In a terminal the progress line does not end with a line break.
      err.write(`${err.isTTY ? '\n' : ''}Azure is throttling: waiting for ${Math.ceil(ms / 1_000)} s\n`);
    },
  };
}

/** The operator's sign-in, loaded with the first token: help and completion need none. */
function lateCredential({ authorityHost }: Cloud): TokenCredential {
  let signIn: Promise<TokenCredential> | undefined;
  return {
    getToken: async (...request) => {
      signIn ??= import('../azure/credential.ts').then(({ operatorCredential }) => operatorCredential(authorityHost));
      return (await signIn).getToken(...request);
    },
  };
}
