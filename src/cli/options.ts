import { type Command, InvalidArgumentError, Option } from 'commander';
import { CmkError } from '../errors.ts';
import { isReadable, NOT_READABLE, TEXT_LENGTHS } from '../http/readable.ts';
import type { Where } from '../operations/resolve.ts';
import { addDuration, parseMoment } from '../time/duration.ts';
import { seconds } from './cli.ts';

/** Turns a refusal of our own into commander's, which names the option. */
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
  const value = Number(text);
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It has to be a whole number.');
  return value;
}

export function oneTo(most: number): (text: string) => number {
  return (text) => {
    const value = number(text);
    if (value < 1 || value > most) throw new InvalidArgumentError(`It has to be 1 to ${most}.`);
    return value;
  };
}

/** Text of so many characters, least and most, without the white space around it. */
export function text(option: string, [least, most]: readonly [number, number]): (given: string) => string {
  return (given) => {
    const said = given.trim();
    const { length } = said;
    if (/^<[^<>]*>$/.test(said)) {
      throw new CmkError(
        'ArgumentInvalid',
        `${option} still has the placeholder ${said}.`,
        'Write your own text in its place; nothing was done.',
      );
    }
    if (length >= least && length <= most && isReadable(said)) return said;
    if (length >= least && length <= most) {
      throw new CmkError('ArgumentInvalid', `${option} ${NOT_READABLE}.`, 'Say it in plain words; nothing was done.');
    }
    throw new CmkError(
      'ArgumentInvalid',
      `${option} takes ${least} to ${most} characters, and was given ${length}.`,
      'Say it shorter, or more fully; nothing was done.',
    );
  };
}

/** Option of what can be read again and again. */
export function watching(command: Command): Command {
  return command.addOption(
    new Option('-w, --watch [duration]', 'show it again and again, until Ctrl-C')
      .argParser(parsed(pause))
      .preset('PT5S'),
  );
}

/** How long to wait between two reads, in seconds. @throws {@link CmkError} `ArgumentInvalid` */
export function pause(text: string): number {
  const every = seconds(text);
  // Without a pause it would use up Azure's budget, which all callers share.
  if (every >= 1) return every;
  throw new CmkError('ArgumentInvalid', 'The duration must be at least one second.', 'Examples: PT15S, 60.');
}

/** An option that takes some values alone, in any case. */
export function choice(flags: string, description: string, values: readonly string[]): Option {
  const option = new Option(flags, description).choices(values);
  const { parseArg } = option;
  return option.argParser((given, before) => {
    const known = values.find((value) => value.toLowerCase() === given.toLowerCase());
    return parseArg?.(known ?? given, before);
  });
}

/** An ISO 8601 duration that is handed on as it is. */
export function duration(text: string): string {
  addDuration(new Date(0), text);
  return text.trim().toUpperCase();
}

/** Option of everything that can be tried. */
function dryRunning(command: Command): Command {
  return command.option('--dry-run', 'show what would be done, and do nothing');
}

/** Options of everything that changes something. */
export function changing(command: Command): Command {
  return dryRunning(command)
    .option('--reason <text>', 'why; goes into the audit trail', text('--reason', TEXT_LENGTHS.reason))
    .option('--ticket <id>', 'incident or change number', text('--ticket', TEXT_LENGTHS.ticket));
}

export function waiting(command: Command): Command {
  return command.addOption(
    new Option('--wait <duration>', 'how long to wait for roles to count, as PT10M or in seconds')
      .argParser(parsed(seconds))
      .default(600, 'PT10M'),
  );
}

/** Which vault is meant, or which Managed HSM: that sets the same option, as a vault may have the same name. */
export function inVault(command: Command, what: string, mandatory = false): Command {
  return command
    .addOption(new Option('--vault <vault>', `name, ARM id or URI of ${what}`).makeOptionMandatory(mandatory))
    .option('--hsm <name>', 'name of a Managed HSM, instead of --vault')
    .on('option:vault', () => oneOf(command, command.getOptionValue('hsm')))
    .on('option:hsm', (name: string) => {
      oneOf(command, command.getOptionValue('vault'));
      command.setOptionValueWithSource('vault', hsmAsVault(name), 'cli');
    });
}

/** What `--hsm` says as the option `--vault`. */
export function hsmAsVault(name: string): string {
  return `managedHSMs/${name}`;
}

function oneOf(command: Command, other: unknown): void {
  if (other === undefined) return;
  throw new CmkError(
    'ArgumentInvalid',
    `${command.name()} takes --vault or --hsm, not both.`,
    'Name the vault or the Managed HSM that has the key.',
  );
}

export function placeOf({ subscription, resourceGroup }: Where): Where {
  return { subscription, resourceGroup };
}

/** The vaults that a command reads. */
export function vaults(): Option {
  return new Option('--vault <vault...>', 'vaults to look at').default([], 'those of CMK_VAULTS');
}

export function inGroup(command: Command, what: string): Command {
  return command
    .option('-g, --resource-group <group>', `resource group ${what}`)
    .option('-l, --location <region>', `region ${what}`);
}

export function keySize(command: Command): Command {
  return command
    .addOption(new Option('--kty <type>', 'kind of a new key').choices(['RSA', 'RSA-HSM']))
    .addOption(new Option('--size <bits>', 'size of a new key: 2048, 3072 or 4096 (default: 2048)').argParser(number));
}

export function expiry(command: Command): Command {
  return command.option('--expires <when>', 'expiry, as a date (2028-06-30), a duration from now (P2Y), or never');
}

/** What --expires says. */
export function expiryOf(when: string | undefined, now: Date): Date | 'never' | undefined {
  if (when === undefined) return undefined;
  return when.toLowerCase() === 'never' ? 'never' : parseMoment(when, now);
}

/** For what asks for the name to be typed. */
export function confirmed(command: Command): Command {
  return command.option('--yes', 'do not ask for the name to be typed; needed without a terminal');
}

export function rotationPolicy(command: Command): Command {
  return command.option('--no-rotation-policy', 'a new key without the policy that has Key Vault rotate it');
}
