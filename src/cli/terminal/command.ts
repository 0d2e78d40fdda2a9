import { Command, InvalidArgumentError, Option } from 'commander';
import type { Operation } from '../procedures/operator-azure.ts';
import type { ViewedApp } from './app-of-environment.ts';
import { type Cli, type CommandWork, type GlobalOptions, isDocumentFormat, type Show } from './cli.ts';
import {
  createNamedOption,
  parseExpiry,
  parsePause,
  parseSeconds,
  parseTextOf,
  toOptionParser,
  UsageError,
} from './options.ts';
import { type DocumentFormat, OUTPUTS } from './output.ts';

const BY_APP_OR_STORAGE = `
It calls the API of the app (CMK_API, CMK_API_AUDIENCE). If that is not set or
does not answer, it reads the app's storage (AzureWebJobsStorage__accountName,
CMK_VAULTS), with the roles Storage Table and Storage Blob Data Reader.`;

const IN_STORAGE = `
The command writes the order to the app's storage
(AzureWebJobsStorage__accountName, CMK_VAULTS) with your sign-in, and to the
audit trail. It needs the roles Storage Blob, Table and Queue Data Contributor.`;

/** A command of `cmk`, with the options and actions that several commands share. */
export class CmkCommand extends Command {
  readonly cli: Cli;
  /** Formats of documents that the command prints. */
  readonly documents: DocumentFormat[] = [];

  constructor(cli: Cli, name: string) {
    super(name);
    this.cli = cli;
  }

  override createCommand(name = ''): CmkCommand {
    return new CmkCommand(this.cli, name);
  }

  /** Options of a command that changes resources: a dry run, and an optional reason. */
  changing(): this {
    return this.option('--dry-run', 'show what would be changed, and change nothing')
      .option('--reason <text>', 'reason, for the audit trail', parseTextOf('reason'))
      .option('--ticket <id>', 'incident or change number', parseTextOf('ticket'));
  }

  /** Options of an order of the app, which needs a reason. */
  ordering(): this {
    return this.requiredOption('--reason <text>', 'reason, for the audit trail', parseTextOf('reason')).option(
      '--ticket <number>',
      'change or incident number',
      parseTextOf('ticket'),
    );
  }

  inStorage(): this {
    return this.addHelpText('after', IN_STORAGE);
  }

  /** `--yes`, of a command that asks the operator to type a name. */
  confirmed(description = 'skip the typed confirmation; needed without a terminal'): this {
    return this.option('--yes', description);
  }

  /** Another value of `-o`: the command's `show` prints a document in this format. */
  printing(format: DocumentFormat, what: string): this {
    this.documents.push(format);
    return this.addHelpText('after', `\n-o ${format}: ${what}`);
  }

  /** @throws {@link UsageError} for a format of documents that the command does not print */
  checkFormat(): void {
    const { output, query } = this.optsWithGlobals<GlobalOptions>();
    if (!isDocumentFormat(output)) return;

    if (!this.documents.includes(output)) {
      throw new UsageError(`This command has no output in the format ${output}.`, `Use -o ${OUTPUTS.join(', ')}.`);
    }
    if (query !== undefined) throw new UsageError('--query needs the document that -o json prints.', 'Use -o json.');
  }

  watching(): this {
    return this.addOption(
      new Option('-w, --watch [duration]', 'repeat until Ctrl-C').argParser(toOptionParser(parsePause)).preset('PT5S'),
    );
  }

  waiting(): this {
    const what = 'longest wait for roles to take effect, as PT10M or in seconds';
    const option = createNamedOption('--wait <duration>', what, 'waitSeconds');
    return this.addOption(option.argParser(toOptionParser(parseSeconds)).default(600, 'PT10M'));
  }

  inVault(what: string, mandatory = false): this {
    const once =
      (prefix: string) =>
      (name: string, before?: string): string => {
        if (before === undefined) return `${prefix}${name}`;
        throw new InvalidArgumentError(`${this.name()} takes --vault or --hsm, not both.`);
      };

    const vault = new Option('--vault <vault>', `name, ARM id or URI of ${what}`);

    // A Managed HSM may have the same name as a vault.
    const hsm = createNamedOption('--hsm <name>', 'name of a Managed HSM, instead of --vault', 'vault');

    return this.addOption(vault.makeOptionMandatory(mandatory).argParser(once(''))).addOption(
      hsm.argParser(once('managedHSMs/')),
    );
  }

  ofVaults(what = 'vaults to read', all = 'those of CMK_VAULTS'): this {
    return this.addOption(new Option('--vault <vault...>', what).default([], all));
  }

  inGroup(what: string): this {
    return this.option('-g, --resource-group <group>', `resource group ${what}`).option(
      '-l, --location <region>',
      `region ${what}`,
    );
  }

  expiring(): this {
    return this.option(
      '--expires <when>',
      'expiry, as a date (2028-06-30), a duration from now (P2Y), or never',
      parseExpiry,
    );
  }

  /** Makes the command change resources: runs the work, shows its entries, and prints the report. */
  changes<O, R>(work: CommandWork<O, R>, show: Show<O, R> = () => {}): void {
    this.action(() => this.cli.change(this, work, show));
  }

  /**
   * Makes the command read. Repeats with `--watch`.
   *
   * @param isOver whether --watch ends after this result
   */
  reads<O, R>(work: CommandWork<O, R>, show: Show<O, R>, isOver: (result: R) => boolean = () => false): void {
    this.action(() => this.cli.read(this, work, show, isOver));
  }

  /** Like {@link reads}, from the app or its storage. */
  readsApp<O, R>(
    read: (from: Operation & { readonly app: ViewedApp }, options: O, ...args: string[]) => Promise<R>,
    show: Show<O, R>,
    isOver?: (result: R) => boolean,
  ): void {
    let app: ViewedApp | undefined;
    const work: CommandWork<O, R> = async (operation, options, ...args) => {
      const { createAppByStorage, findApp, viewApi } = await import('./app-of-environment.ts');
      app ??= (await findApp(this.cli)) ?? viewApi(await createAppByStorage(this.cli));
      app.begin();
      return read({ ...operation, app }, options, ...args);
    };

    this.watching().addHelpText('after', BY_APP_OR_STORAGE).reads(work, show, isOver);
  }
}
