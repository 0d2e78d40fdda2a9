import type { TokenCredential } from '@azure/identity';
import type { Command } from 'commander';
import { CLOUDS, type Cloud, findCloud } from '../azure/cloud.ts';
import { operatorCredential } from '../azure/credential.ts';
import { CmkError } from '../errors.ts';
import { Journal } from '../operations/journal.ts';
import { type Azure, createAzure, type Operation } from '../operations/operator-azure.ts';
import { addDuration } from '../time/duration.ts';
import type { Ask } from './confirm.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Explanation } from './explain.ts';
import { type Format, Output, type Sink } from './output.ts';

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
  readonly subscription?: string;
  readonly cloud?: string;
}

/** One run of the command line. */
export class Cli {
  readonly context: CliContext;
  exitCode: ExitCode = EXIT.ok;
  /** What runs, and what it has done so far. */
  #running: { readonly operation: string; readonly journal: Journal; readonly output: Output } | undefined;

  constructor(context: CliContext) {
    this.context = context;
  }

  get environment(): CliContext['environment'] {
    return this.context.environment;
  }

  output(options: GlobalOptions): Output {
    const { out, err } = this.context;
    const format: Format = options.json ? 'json' : out.isTTY ? 'terminal' : 'lines';
    return new Output(format, out, err, this.environment);
  }

  cloud({ cloud }: GlobalOptions): Cloud {
    const name = cloud ?? this.environment.AZURE_CLOUD ?? 'AzureCloud';
    const found = findCloud(name);
    if (found) return found;
    throw new CmkError(
      'ArgumentInvalid',
      `There is no cloud "${name}".`,
      `Choose one of ${CLOUDS.map((known) => known.name).join(', ')}.`,
    );
  }

  credential(options: GlobalOptions): TokenCredential {
    return this.context.credential ?? operatorCredential(this.cloud(options).authorityHost);
  }

  azure(options: GlobalOptions): Azure {
    return (
      this.context.azure ??
      createAzure(this.credential(options), this.cloud(options), this.environment.AZURE_SUBSCRIPTION_ID || undefined)
    );
  }

  /**
   * Carries out an operation, shows what it finds and does, and reports it.
   *
   * @param show shows the result, where the format is not JSON
   */
  async run<R>(
    command: Command,
    work: (operation: Operation) => Promise<R>,
    show: (result: R, output: Output) => ExitCode | undefined = () => undefined,
  ): Promise<void> {
    const options = command.optsWithGlobals<GlobalOptions & { dryRun?: boolean }>();
    const output = this.output(options);
    const journal = this.#start(command, output, options.dryRun);
    const result = await work({ azure: this.azure(options), journal });
    const code = show(result, output);
    output.report(journal.report(nameOf(command), result));
    this.exitCode = code ?? EXIT.ok;
  }

  /** As {@link run}, for what only looks: there is nothing to be done or planned. */
  async look<R>(
    command: Command,
    work: (operation: Operation) => Promise<R>,
    show: (result: R, output: Output) => ExitCode | undefined,
  ): Promise<void> {
    const options = command.optsWithGlobals<GlobalOptions>();
    const output = this.output(options);
    const journal = this.#start(command, output);
    const result = await work({ azure: this.azure(options), journal });
    this.exitCode = show(result, output) ?? EXIT.ok;
    const { entries } = journal;
    if (output.format !== 'json') return;
    output.json({ operation: nameOf(command), ...(entries.length > 0 ? { entries } : {}), result });
  }

  /** Tells an error; with `--json` in one document with what was found and done until then. */
  fail(explanation: Explanation, json: boolean): void {
    const { operation, journal, output } = this.#running ?? {};
    const before =
      operation && journal && journal.entries.length > 0
        ? { operation, dryRun: journal.dryRun, changed: journal.changed, entries: journal.entries }
        : {};
    (output ?? this.output({ json })).error(explanation, before);
  }

  /** What is open when a command is ended in the middle. */
  explainInterruption(): Explanation {
    if (!this.#running)
      return {
        reason: 'Interrupted',
        message: 'Nothing was changed.',
        nextStep: 'Run the same command again to go on.',
      };
    const { underWay } = this.#running.journal;
    return {
      reason: 'Interrupted',
      message: underWay
        ? `This was under way: ${underWay}; whether it took effect is not known.`
        : 'It was ended before it was done.',
      nextStep: 'What is done stays done: run the same command again, and it goes on from there.',
    };
  }

  #start(command: Command, output: Output, dryRun = false): Journal {
    const journal = new Journal({ dryRun, show: (entry) => output.entry(entry) });
    this.#running = { operation: nameOf(command), journal, output };
    return journal;
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
