import { type Command, InvalidArgumentError, Option } from 'commander';
import { CmkError } from '../errors.ts';
import { isReadable, NOT_READABLE, TEXT_LENGTHS } from '../http/readable.ts';
import { addDuration, parseMoment } from '../time/duration.ts';
import { seconds } from './cli.ts';

/** Converts a parser's CmkError to commander's error, which names the option. */
export function parsed<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof CmkError) throw new InvalidArgumentError(`${error.message} ${error.nextStep}`);
      throw error;
    }
  };
}

export function number(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('The value must be a whole number.');
}

export function oneTo(most: number): (text: string) => number {
  return (text) => {
    const value = number(text);
    if (value < 1 || value > most) throw new InvalidArgumentError(`The value must be 1 to ${most}.`);
    return value;
  };
}

/** Parses trimmed text with a minimum and maximum number of characters. */
export function text(option: string, [least, most]: readonly [number, number]): (given: string) => string {
  return (given) => {
    const said = given.trim();
    const { length } = said;
    const problem = /^<[^<>]*>$/.test(said)
      ? `still has the placeholder ${said}`
      : length < least || length > most
        ? `takes ${least} to ${most} characters, but has ${length}`
        : isReadable(said)
          ? undefined
          : NOT_READABLE;
    if (problem === undefined) return said;
    throw new CmkError('ArgumentInvalid', `${option} ${problem}.`, 'Correct the option; nothing was changed.');
  };
}

/** Adds --watch to a command that reads. */
export function watching(command: Command): Command {
  return command.addOption(
    new Option('-w, --watch [duration]', 'repeat until Ctrl-C').argParser(parsed(pause)).preset('PT5S'),
  );
}

/** Parses the pause between two reads, in seconds. @throws {@link CmkError} `ArgumentInvalid` */
export function pause(text: string): number {
  const every = seconds(text);
  // Without a pause the reads would exhaust Azure's rate limits, which all callers share.
  if (every >= 1) return every;
  throw new CmkError('ArgumentInvalid', 'The duration must be at least one second.', 'Examples: PT15S, 60.');
}

/** An option with fixed values, in any case. */
export function choice(flags: string, description: string, values: readonly string[]): Option {
  const option = new Option(flags, description).choices(values);
  const { parseArg } = option;
  return option.argParser((given, before) => {
    const known = values.find((value) => value.toLowerCase() === given.toLowerCase());
    return parseArg?.(known ?? given, before);
  });
}

/** Checks an ISO 8601 duration, and returns it in upper case. */
export function duration(text: string): string {
  addDuration(new Date(0), text);
  return text.trim().toUpperCase();
}

/** Adds the options of commands that change resources. */
export function changing(command: Command): Command {
  return command
    .option('--dry-run', 'show what would be changed, and change nothing')
    .option('--reason <text>', 'reason, for the audit trail', text('--reason', TEXT_LENGTHS.reason))
    .option('--ticket <id>', 'incident or change number', text('--ticket', TEXT_LENGTHS.ticket));
}

/** Adds the options of an order, which needs a reason. */
export function explained(command: Command): Command {
  return command
    .requiredOption('--reason <text>', 'reason, for the audit trail', text('--reason', TEXT_LENGTHS.reason))
    .option('--ticket <number>', 'change or incident number', text('--ticket', TEXT_LENGTHS.ticket));
}

/** An option whose attribute has another name than the option. */
export class NamedOption extends Option {
  readonly #name: string;

  constructor(flags: string, description: string, name: string) {
    super(flags, description);
    this.#name = name;
  }

  override attributeName(): string {
    return this.#name;
  }
}

export function waiting(command: Command): Command {
  const what = 'longest wait for roles to take effect, as PT10M or in seconds';
  return command.addOption(
    new NamedOption('--wait <duration>', what, 'waitSeconds').argParser(parsed(seconds)).default(600, 'PT10M'),
  );
}

/** Adds the options that name a vault or a Managed HSM. */
export function inVault(command: Command, what: string, mandatory = false): Command {
  const once =
    (vaultOf: (text: string) => string) =>
    (text: string, before?: string): string => {
      if (before === undefined) return vaultOf(text);
      throw new InvalidArgumentError(`${command.name()} takes --vault or --hsm, not both.`);
    };
  return command
    .addOption(
      new Option('--vault <vault>', `name, ARM id or URI of ${what}`)
        .makeOptionMandatory(mandatory)
        .argParser(once((name) => name)),
    )
    .addOption(
      // A Managed HSM may have the same name as a vault.
      new NamedOption('--hsm <name>', 'name of a Managed HSM, instead of --vault', 'vault').argParser(
        once((name) => `managedHSMs/${name}`),
      ),
    );
}

/** Option for the vaults that a command reads. */
export function vaults(): Option {
  return new Option('--vault <vault...>', 'vaults to read').default([], 'those of CMK_VAULTS');
}

export function inGroup(command: Command, what: string): Command {
  return command
    .option('-g, --resource-group <group>', `resource group ${what}`)
    .option('-l, --location <region>', `region ${what}`);
}

export function expiry(command: Command): Command {
  return command.option(
    '--expires <when>',
    'expiry, as a date (2028-06-30), a duration from now (P2Y), or never',
    (when) => (when.toLowerCase() === 'never' ? 'never' : parseMoment(when, new Date())),
  );
}

/** Adds --yes to a command that asks the operator to type a name. */
export function confirmed(command: Command): Command {
  return command.option('--yes', 'skip the typed confirmation; needed without a terminal');
}
