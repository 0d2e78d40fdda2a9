import type { Command } from 'commander';
import type { RecordedEntry } from '../../audit/record.ts';
import { lastName } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import { nameOfIdentifier } from '../../keys/key-identifier.ts';
import { isDay, momentAgo } from '../../time/duration.ts';
import type { Trail } from '../audit-report.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { oneTo, parsed, watching } from '../options.ts';
import type { Output } from '../output.ts';

export const STORAGE = `
Settings of the app name its storage: AzureWebJobsStorage__accountName with your
sign-in, or AzureWebJobsStorage, a connection string. Queues and fleet index:
CMK_WORK__queueServiceUri.`;

type Receipt = ReturnType<typeof readReceipt>;

interface VerifyArguments {
  container?: string;
  from?: string;
  receipt?: Receipt[];
  log?: string;
}

interface ListArguments {
  key?: string;
  vault?: string;
  action?: string;
  until?: string;
  account?: string;
  by?: string;
  since?: string;
  limit: number;
}

/** Opens the trail that the environment names, when a command runs. */
type OpenTrail = (container?: string) => Promise<Trail>;

export function addAuditCommands(program: Command, cli: Cli): void {
  const audit = program
    .command('audit')
    .description("the app's audit trail")
    .summary('the audit trail: list, show, verify');
  const add = (name: string, addTo: (command: Command, cli: Cli, trail: OpenTrail) => void): void => {
    const command = audit.command(name).addHelpText('after', `${STORAGE}\nIt needs the role Storage Blob Data Reader.`);
    addTo(command, cli, async (container) => {
      const { Trail } = await import('../audit-report.ts');
      return new Trail(cli.environment, () => cli.credential(command), container);
    });
  };
  add('verify', addVerify);
  add('list', addList);
  add('show', addShow);
}

function addVerify(command: Command, cli: Cli, trail: OpenTrail): void {
  command
    .description('check that no record was changed, removed, moved or inserted')
    .option('--container <name>', 'container with a copy of the trail')
    .option('--from <day>', 'start with this day (UTC), if older files were deleted on purpose', parsed(readDay))
    .option(
      '--receipt <seq:hash...>',
      'a record that must exist, as printed by an earlier check or the log',
      (text: string, before: Receipt[] = []) => [...before, parsed(readReceipt)(text)],
    )
    .option('--log <file>', 'an export of the log, whose receipts must match the trail')
    .action(async (options: VerifyArguments) => {
      const { printTrail, readEvidence } = await import('../audit-report.ts');
      const { container, from, receipt: receipts = [], log } = options;
      await cli.read(
        command,
        async () => {
          const evidence = log === undefined ? undefined : await readEvidence(log);
          return (await trail(container)).verify(evidence, { receipts, ...(from === undefined ? {} : { from }) });
        },
        (report, output) => {
          printTrail(report, (line) => output.text(line));
          return report.findings.length === 0 ? EXIT.ok : EXIT.incomplete;
        },
      );
    });
}

function addList(command: Command, cli: Cli, trail: OpenTrail): void {
  watching(command)
    .description('changes of keys and accounts with caller and reason, newest last')
    .option('--key <key>', 'about this key: <key>, <vault>/<key> or an identifier')
    .option('--vault <vault>', 'about keys of this vault: its name')
    .option('--account <account>', 'about this storage account: name or ARM id')
    .option('--by <who>', 'by this person or application: object id or name; app: by the app')
    .option('--action <action>', 'this action: key.revoke, or all actions of one kind: key')
    .option('--since <when>', 'start: a date (2026-11-24) or a duration before now (P7D)')
    .option('--until <when>', 'end, likewise; a date includes the whole day')
    .option('--limit <number>', 'show at most this many, the newest', oneTo(1_000_000), 1_000)
    .action(async ({ since, until, limit, ...about }: ListArguments) => {
      const work = async () => {
        const filter = {
          ...about,
          since: since === undefined ? undefined : readMoment('--since', since, 'first'),
          until: until === undefined ? undefined : readMoment('--until', until, 'after'),
        };
        return (await trail()).list(filter, limit);
      };
      await cli.read(command, work, showRecords);
    });
}

function addShow(command: Command, cli: Cli, trail: OpenTrail): void {
  command
    .argument('<record>', 'its number or id, as audit list --wide shows it')
    .description('one record in full')
    .action(async (which: string) => {
      await cli.read(
        command,
        async () => (await trail()).find(which),
        (record, output) => {
          output.text(JSON.stringify(record, undefined, 2));
          return record.intact ? EXIT.ok : EXIT.incomplete;
        },
      );
    });
}

function showRecords(records: readonly RecordedEntry[], output: Output): typeof EXIT.ok {
  const detail =
    (...names: readonly string[]) =>
    ({ entry: { details = {} } }: RecordedEntry): string | undefined => {
      const value = names.map((name) => details[name]).find((one) => one !== undefined && one !== null);
      return value === undefined || typeof value === 'string' ? value : JSON.stringify(value);
    };
  output.list<RecordedEntry>(
    [
      ['TIME', ({ time }) => ({ full: time, short: `${time.slice(0, 16)}Z` })],
      ['ACTION', ({ entry }) => entry.action],
      // `kv-files/files-key`, `stfiles01`
      ['RESOURCE', ({ entry: { resource: full } }) => ({ full, short: nameOfIdentifier(full) ?? lastName(full) })],
      ['BY', ({ entry: { caller } }) => caller?.name ?? caller?.objectId ?? 'the app'],
      ['WHY', detail('why')],
      ['FROM', detail('from', 'before'), 'wide'],
      ['TO', detail('to', 'after'), 'wide'],
      ['REASON', ({ entry }) => entry.reason, 'wide'],
      ['TICKET', detail('ticket'), 'wide'],
      ['NUMBER', ({ seq }) => seq, 'wide'],
      // A caller's name can change and need not be unique; the object id identifies the caller.
      ['OBJECT ID', ({ entry }) => entry.caller?.objectId, 'wide'],
      ['KIND', ({ entry }) => entry.caller?.kind, 'wide'],
      // `false`: the record was changed after it was written.
      ['INTACT', ({ intact }) => String(intact), 'wide'],
    ],
    records,
  );
  return EXIT.ok;
}

/** Parses `<number>:<hash>` of a record that must exist. */
function readReceipt(text: string): { seq: number; hash: string } {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq && hash) return { seq: Number(seq), hash };
  throw new CmkError(
    'ArgumentInvalid',
    `--receipt "${text}" is not <number>:<64 hexadecimal digits>.`,
    'Copy it from the log or from an earlier check.',
  );
}

/** Parses the first day of a check. */
function readDay(text: string): string {
  if (isDay(text)) return text;
  throw new CmkError('ArgumentInvalid', `--from "${text}" is not a day.`, 'Example: --from 2026-11-24');
}

/** Parses a date, or a duration before now. As an end, a date includes its whole day. */
function readMoment(option: string, text: string, edge: 'first' | 'after'): Date {
  const date = momentAgo(text, new Date(), edge);
  if (date) return date;
  throw new CmkError(
    'ArgumentInvalid',
    `${option} "${text}" is neither a date nor a duration.`,
    'Examples: 2026-11-24, 2026-11-24T12:00:00Z, P7D.',
  );
}
