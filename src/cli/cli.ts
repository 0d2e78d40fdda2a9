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

/** What the command line is given from outside. */
export interface CliContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly out: Sink;
  readonly err: Sink;
  readonly ask: Ask;
  /** Undefined: the sign-in of the Azure CLI, of a developer tool or of the environment. */
  readonly credential?: TokenCredential;
  /** Undefined: Azure itself. */
  readonly azure?: Azure;
  /** Aborts, with an `Interruption`, when the command is to end before it is done. */
  readonly interrupted?: AbortSignal;
}

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly output?: (typeof OUTPUTS)[number] | 'wide';
  /** JMESPath on the document. */
  readonly query?: string;
  readonly wide?: boolean;
  readonly quiet?: boolean;
  readonly subscription?: string;
  readonly cloud?: string;
}

/** Options of what changes something. */
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
  /** In the place of stdout. */
  readonly out?: Sink | undefined;
}

/** Where what a command shows goes while a query picks what is printed. */
const SILENT = new Output('json', { write: () => true }, { write: () => true }, {});

/** One run of the command line. */
export class Cli {
  readonly context: CliContext;
  exitCode: ExitCode = EXIT.ok;
  /** What runs goes on until it is interrupted, which is no failure. */
  isEndless = false;
  /** What runs, and what it has done so far. */
  #running: { readonly operation: string; readonly journal: Journal; readonly output: Output } | undefined;
  #recorded: ChangeRecorder['end'] | undefined;

  constructor(context: CliContext) {
    this.context = context;
  }

  get environment(): CliContext['environment'] {
    return this.context.environment;
  }

  /** @param out where it goes in the place of stdout */
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
      `There is no cloud "${name}".`,
      `Choose one of ${CLOUDS.map((known) => known.name).join(', ')}.`,
    );
  }

  /** The key that a command is about: `<key>` and `--vault`, `<vault>/<key>` as lists have it, or an identifier. */
  async key(text: string, command: Command): Promise<ManagedKey> {
    const { keyByName } = await import('../operations/resolve.ts');
    const options = command.optsWithGlobals<GlobalOptions & { readonly vault?: string }>();
    const cloud = this.cloud(command);
    const [, vault, key] = /^([\w-]+)\/([\w-]+)$/.exec(text) ?? [];
    if (options.vault !== undefined || !vault || !key) return keyByName(text, options.vault, cloud);
    // A Managed HSM may have the name of a vault.
    const { appVaults } = await import('../operations/vault/vault-notes.ts');
    const known = appVaults(this.environment, cloud)?.byName(vault.toLowerCase());
    return known ? managedKey(known, key) : keyByName(key, vault, cloud);
  }

  credential(command: Command): TokenCredential {
    return this.context.credential ?? lateCredential(this.cloud(command));
  }

  /** The audit trail and what else break-glass writes of the app's, where the environment names its storage. */
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
   * Carries out an operation, shows what it finds and does, and reports it.
   *
   * @param show shows the result, where the format is not JSON
   */
  async run<R>(command: Command, work: Work<R>, show: Show<R> = () => undefined): Promise<void> {
    const recorder = await this.#recorder(command);
    this.#recorded = recorder?.end;
    await this.#once(command, work, show, { changes: true, record: recorder?.record });
  }

  /**
   * As {@link run}, for what only reads: there is nothing to be done or planned. With `--watch` again and again.
   *
   * @param isOver ends watching
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
      throw new CmkError('ArgumentInvalid', 'What is watched has no end, and so is no document.', 'Use -o jsonl.');
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
    // What has no rows is one item.
    else if (output.format === 'jsonl' && !output.hasRows) output.line(document);
    return result;
  }

  /** Waits until everything that was changed stands in the audit trail, and says what does not. */
  async recorded(): Promise<void> {
    const end = this.#recorded;
    this.#recorded = undefined;
    for (const problem of (await end?.()) ?? []) this.#running?.journal.note(`Not in the audit trail: ${problem}`);
  }

  /** Undefined where the app's storage is not known. */
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

  /** Prints an error; as JSON in one document with what was found and done until then. */
  fail(explanation: Explanation, options: GlobalOptions): void {
    const { operation = '', journal, output = this.output(options) } = this.#running ?? {};
    const { result: _, ...before } = journal?.report(operation, undefined) ?? {};
    output.error(explanation, journal?.entries.length ? before : {});
  }

  /** What is open when a command is ended in the middle. */
  explainInterruption(): Explanation {
    const underWay = this.#running?.journal.underWay;
    const message = underWay
      ? `The command was ended during this step: ${underWay}. It is not known whether the step took effect.`
      : `The command was ended. ${this.#running ? 'What is done stays done.' : 'Nothing was changed.'}`;
    return { reason: 'Interrupted', message, nextStep: 'Run the same command again: it continues from there.' };
  }

  /** Removes the line of progress before something else is written to stderr. */
  clearProgress(): void {
    this.#running?.output.clear();
  }
}

/** `account enable`. */
function nameOf(command: Command): string {
  return command.parent?.parent ? `${command.parent.name()} ${command.name()}` : command.name();
}

/** A duration of an option, in seconds: `PT10M`, or a number of seconds. */
export function seconds(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const start = new Date(0);
  return (addDuration(start, text).getTime() - start.getTime()) / 1000;
}

/** Limits of the command line's calls: what is waited for is said, of several calls that wait at once by the first. */
function patience(err: Sink): CallLimits {
  let toldUntilMs = 0;
  return {
    ...LIMITS.commandLine,
    onWait(ms) {
      const nowMs = performance.now();
      if (nowMs < toldUntilMs) return;
      toldUntilMs = nowMs + ms;
      // In a terminal the line that is waited in has no end yet.
      err.write(`${err.isTTY ? '\n' : ''}Azure is throttling: waiting for ${Math.ceil(ms / 1_000)} s\n`);
    },
  };
}

/** The operator's sign-in, loaded with the first token: help and completion do not need it. */
function lateCredential({ authorityHost }: Cloud): TokenCredential {
  let signIn: Promise<TokenCredential> | undefined;
  return {
    getToken: async (...request) => {
      signIn ??= import('../azure/credential.ts').then(({ operatorCredential }) => operatorCredential(authorityHost));
      return (await signIn).getToken(...request);
    },
  };
}
