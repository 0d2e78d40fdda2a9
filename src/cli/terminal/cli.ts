import { Command } from 'commander';
import { Journal } from '../../audit/journal.ts';
import { CLOUDS, type Cloud, findCloud } from '../../azure/cloud.ts';
import type { TokenCredential } from '../../azure/credential.ts';
import { type CallLimits, LIMITS } from '../../azure/limits.ts';
import { createManagedKey, type ManagedKey } from '../../keys/managed-vaults.ts';
import { hasAppStorage } from '../../settings/own-storage.ts';
import type { AppRecord, ChangeRecorder } from '../procedures/app-storage.ts';
import type { Azure, Operation } from '../procedures/operator-azure.ts';
import { resolveKeyByName } from '../procedures/resolve.ts';
import type { Ask } from './confirm.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { type Explanation, explain } from './explain.ts';
import { UsageError } from './options.ts';
import {
  createSilentOutput,
  DOCUMENT_FORMATS,
  DOCUMENT_VERSION,
  type DocumentFormat,
  type Format,
  type OUTPUTS,
  Output,
  redirectSink,
  type Sink,
} from './output.ts';
import { printQuery } from './query.ts';

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

export interface GlobalOptions {
  readonly json?: boolean;
  readonly output?: (typeof OUTPUTS)[number] | DocumentFormat | 'wide';
  readonly query?: string;
  readonly wide?: boolean;
  readonly quiet?: boolean;
  readonly subscription?: string;
  readonly cloud?: string;
}

interface RunOptions {
  readonly dryRun?: boolean;
  readonly reason?: string;
  readonly ticket?: string;
}

/** Work of a command with its options and arguments. */
export type CommandWork<O, R> = (operation: Operation, options: O, ...args: string[]) => Promise<R>;
/** Shows a result. For a JSON document the output prints nothing, but keeps the exit code. */
export type Show<O, R> = (result: R, output: Output, options: O) => void;

/** One run of the command line. */
export class Cli {
  readonly context: CliContext;
  exitCode: ExitCode = EXIT.ok;
  /** The command runs until a signal ends it, which is no failure. */
  isEndless = false;
  #command = new Command();
  /** The running operation with its journal. */
  #running: { readonly operation: string; readonly journal: Journal; readonly output: Output } | undefined;
  #recorded: ChangeRecorder['end'] | undefined;

  constructor(context: CliContext) {
    this.context = context;
  }

  get environment(): CliContext['environment'] {
    return this.context.environment;
  }

  #options<O>(): O & GlobalOptions & RunOptions {
    return this.#command.optsWithGlobals();
  }

  /** @param out replaces stdout */
  #output(options: GlobalOptions, out = this.context.out): Output {
    const wide = options.wide || options.output === 'wide';
    return new Output(this.#formatOf(options), out, this.context.err, this.environment, { ...options, wide });
  }

  cloud(): Cloud {
    const name = this.#options().cloud ?? this.environment.AZURE_CLOUD ?? 'AzureCloud';
    const found = findCloud(name);
    if (found) return found;
    const names = CLOUDS.map((known) => known.name).join(', ');
    throw new UsageError(`The cloud "${name}" is unknown.`, `Choose one of ${names}.`);
  }

  /** Resolves the key of a command: `<key>` and `--vault`, `<vault>/<key>` as in lists, or an identifier. */
  async key(text: string): Promise<ManagedKey> {
    const { vault: vaults = [] } = this.#options<{ readonly vault?: string | readonly string[] }>();
    // A command of several vaults takes the key's vault from `--vault` only if that names one.
    const [only, ...more] = [vaults].flat();
    const given = more.length === 0 ? only : undefined;
    const cloud = this.cloud();
    const [, vault, key] = /^([\w-]+)\/([\w-]+)$/.exec(text) ?? [];
    if (given !== undefined || !vault || !key) return resolveKeyByName(text, given, cloud);
    // A Managed HSM may have the same name as a vault.
    const { findAppVaults } = await import('../procedures/vault/vault-ensure.ts');
    const known = findAppVaults(this.environment, cloud)?.byName(vault.toLowerCase());
    return known ? createManagedKey(known, key) : resolveKeyByName(key, vault, cloud);
  }

  /** The operator's sign-in, loaded with the first token: help and completion need none. */
  credential(): TokenCredential {
    if (this.context.credential) return this.context.credential;
    const { authorityHost } = this.cloud();
    let signIn: Promise<TokenCredential> | undefined;
    return {
      getToken: async (...request) => {
        signIn ??= import('../../azure/credential.ts').then(({ createOperatorCredential }) =>
          createOperatorCredential(authorityHost),
        );
        return (await signIn).getToken(...request);
      },
    };
  }

  /** The audit trail and queue of the app for break-glass, if the environment names its storage. */
  async appRecord(): Promise<AppRecord> {
    const { openAppRecord } = await import('../procedures/app-storage.ts');
    return openAppRecord(this.environment, () => this.credential());
  }

  async azure(): Promise<Azure> {
    if (this.context.azure) return this.context.azure;
    const { createAzure } = await import('../procedures/operator-azure.ts');
    const subscription = this.environment.AZURE_SUBSCRIPTION_ID || undefined;
    return createAzure(this.credential(), this.cloud(), subscription, patience(this.context.err));
  }

  /** Runs work that may change resources and question the operator. Prints its entries and the report. */
  async change<O, R>(command: Command, work: CommandWork<O, R>, show: Show<O, R>): Promise<void> {
    this.#command = command;
    const recorder = await this.#recorder();
    this.#recorded = recorder?.end;
    await this.#once(work, show, { changes: true, record: recorder?.record });
  }

  /**
   * Like {@link change}, without changes and dry run. With `--watch` it repeats until `isOver`: a terminal is redrawn, a
   * pipe gets only changed lines. After the first read, errors are shown and do not end it.
   */
  async read<O, R>(
    command: Command,
    work: CommandWork<O, R>,
    show: Show<O, R>,
    isOver: (result: R) => boolean,
  ): Promise<void> {
    this.#command = command;

    const { watch, ...options } = this.#options<{ readonly watch?: number }>();
    if (watch === undefined) {
      await this.#once(work, show);
      return;
    }

    const format = this.#formatOf(options);
    if (format === 'json' || format === 'document') {
      throw new UsageError('--watch prints an endless stream, not one JSON document.', 'Use -o jsonl.');
    }

    this.isEndless = true;

    const { out, err } = this.context;
    const { sleep } = await this.azure();
    for (let before: ReadonlySet<string> | undefined; ; await sleep(watch * 1_000)) {
      let text = '';
      try {
        const collect = (more: string) => {
          text += more;
        };
        const result = await this.#once(work, show, { out: redirectSink(out, collect) });
        const lines = text.split('\n').slice(0, -1);

        // Redraws from the top, and erases the rest of the previous screen.
        if (out.isTTY) {
          out.write(`\u001b[H${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
        } else {
          for (const line of lines) {
            if (!before?.has(line)) out.write(`${line}\n`);
          }
        }

        before = new Set(lines);

        if (isOver(result)) return;
      } catch (error) {
        if (before === undefined) throw error;
        err.write(`${new Date().toISOString()} ${explain(error).message}\n`);
      }
    }
  }

  async #once<O, R>(
    work: CommandWork<O, R>,
    show: Show<O, R>,
    {
      changes = false,
      record,
      out,
    }: { changes?: boolean; record?: ChangeRecorder['record'] | undefined; out?: Sink } = {},
  ): Promise<R> {
    const options = this.#options<O>();
    const output = this.#output(options, out);
    const dryRun = changes && options.dryRun === true;
    const journal = new Journal({ dryRun, show: (entry) => output.entry(entry), ...(record ? { record } : {}) });
    const operation = nameOf(this.#command);

    this.#running = { operation, journal, output };

    const { environment } = this;
    const result = await work(
      { azure: await this.azure(), journal, environment },
      options,
      ...this.#command.processedArgs,
    );

    await this.recorded();

    const { query } = options;

    // A query prints only its own result.
    const shown = query === undefined ? output : createSilentOutput();

    show(result, shown, options);
    this.exitCode = shown.exitCode;

    const report = journal.report(operation, result);
    if (changes) shown.report(report);

    const { entries } = report;
    const seen = changes ? report : { operation, ...(entries.length > 0 ? { entries } : {}), result };
    const document = { version: DOCUMENT_VERSION, ...seen };

    if (query !== undefined) {
      printQuery(document, query, output);
    } else if (output.format === 'json') {
      output.json(document);
    }
    // A result without rows becomes one item.
    else if (output.format === 'jsonl' && !output.hasRows) {
      output.line(document);
    }

    return result;
  }

  /** Waits until every change is in the audit trail, and notes the failures. */
  async recorded(): Promise<void> {
    const end = this.#recorded;
    this.#recorded = undefined;
    for (const problem of (await end?.()) ?? []) this.#running?.journal.note(`Not in the audit trail: ${problem}`);
  }

  /** Undefined if no setting names the app's storage. */
  async #recorder(): Promise<ChangeRecorder | undefined> {
    const { dryRun, reason, ticket } = this.#options();
    if (dryRun || !hasAppStorage(this.environment)) return undefined;
    const { createChangeRecorder } = await import('../procedures/app-storage.ts');
    const { audit } = await this.appRecord();
    const { operator } = await this.azure();
    return createChangeRecorder({ command: nameOf(this.#command), why: reason, ticket }, operator, audit);
  }

  #formatOf({ json, output, query }: GlobalOptions): Format {
    if (isDocumentFormat(output)) return 'document';
    if (output !== undefined) return output === 'table' || output === 'wide' ? 'terminal' : output;
    if (json || query !== undefined) return 'json';
    return this.context.out.isTTY ? 'terminal' : 'lines';
  }

  /** Prints an error; as JSON, in one document with the entries so far. */
  fail(explanation: Explanation, options: GlobalOptions): void {
    const { operation = '', journal, output = this.#output(options) } = this.#running ?? {};
    const { result: _, ...before } = journal?.report(operation, undefined) ?? {};
    output.error(explanation, journal?.entries.length ? before : {});
  }

  /** Explains an interruption, with the step in progress. */
  explainInterruption({ message }: Error): Explanation {
    const underWay = this.#running?.journal.underWay;
    return {
      reason: 'Interrupted',
      message: underWay
        ? `The command was ended during this step: ${underWay}. It is unknown whether the step took effect.`
        : message,
      nextStep: 'Run the same command again: it continues from there.',
    };
  }

  clearProgress(): void {
    this.#running?.output.clear();
  }
}

export function isDocumentFormat(output: string | undefined): output is DocumentFormat {
  return DOCUMENT_FORMATS.some((format) => format === output);
}

/** `account enable`. */
function nameOf(command: Command): string {
  return command.parent?.parent ? `${command.parent.name()} ${command.name()}` : command.name();
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
