import { type Command, InvalidArgumentError, Option } from 'commander';
import { AUDIT_CONTAINER } from '../../audit/audit-files.ts';
import { trailRow } from '../../audit/trail-columns.ts';
import type { RecordedEntry, TrailFilter } from '../../audit/trail-filter.ts';
import { lastName } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import { nameOfIdentifier } from '../../keys/key-identifier.ts';
import { readDay, readReceipt, readSince, readUntil } from '../audit-arguments.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { type Ask, confirmName } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import { changing, number, parsed } from '../options.ts';
import type { Output } from '../output.ts';
import { placeOf } from './account-options.ts';
import { STORAGE } from './app.ts';

type Receipt = ReturnType<typeof readReceipt>;

interface VerifyArguments {
  container?: string;
  from?: string;
  receipt?: Receipt[];
  log?: string;
}

interface LockArguments {
  account?: string;
  yes?: boolean;
  irrevocable?: boolean;
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
  container?: string;
}

export function addAuditCommands(program: Command, cli: Cli): void {
  const audit = program.command('audit').description("the app's audit trail");
  const reading = (name: string): Command =>
    audit
      .command(name)
      .addHelpText('after', `${STORAGE}\nIt takes the role Storage Blob Data Reader.`)
      .addOption(new Option('--container <name>', 'container of the trail').default(undefined, AUDIT_CONTAINER));
  addVerify(reading('verify'), cli);
  addList(reading('list'), cli);
  addShow(reading('show'), cli);
  addLock(audit.command('lock'), cli);
  addHistory(program.command('history'), cli);
}

function addVerify(command: Command, cli: Cli): void {
  command
    .description('check that no record was changed, removed, moved or put in')
    .option('--from <day>', 'start with that day (UTC), when older files were deleted on purpose', parsed(readDay))
    .option(
      '--receipt <seq:hash...>',
      'a record that must be there, as an earlier check or the log gave it',
      (text: string, before: Receipt[] = []) => [...before, parsed(readReceipt)(text)],
    )
    .option('--log <file>', 'an export of the log: its receipts have to be there, nothing without')
    .action(async (options: VerifyArguments) => {
      const { printTrail, readEvidence, readTrail } = await import('../audit-report.ts');
      const globals = command.optsWithGlobals<GlobalOptions>();
      const { container, from, receipt = [], log } = options;
      await cli.look(
        command,
        async () => {
          const since = from === undefined ? {} : { from };
          const evidence = log === undefined ? undefined : await readEvidence(log);
          const places = { container, evidence, receipts: receipt, ...since };
          return readTrail(cli.environment, () => cli.credential(globals), places);
        },
        (report, output) => {
          printTrail(report, (line) => output.text(line));
          return report.findings.length === 0 ? EXIT.ok : EXIT.incomplete;
        },
      );
    });
}

function addList(command: Command, cli: Cli): void {
  command
    .description('what was done to keys and accounts, by whom and why; the newest last')
    .option('--key <key>', 'about this key: <key>, <vault>/<key> or an identifier')
    .option('--vault <vault>', 'about keys of this vault: its name')
    .option('--account <account>', 'about this storage account: name or ARM id')
    .option('--by <who>', 'by this person or application: object id or name; app: by the app itself')
    .option('--action <action>', 'what was done: key.revoke, or all of one kind: key')
    .addOption(since('since then: a date (2026-11-24) or a duration (P7D)'))
    .addOption(moment('--until <when>', 'until then, the same way; a date is meant whole', readUntil))
    .addOption(limit())
    .action(async ({ since: from, until, limit: most, container, ...about }: ListArguments) => {
      const records = async () => {
        const filter = {
          ...about,
          since: from === undefined ? undefined : readSince(from),
          until: until === undefined ? undefined : readUntil(until),
        };
        return recordsOf(filter, most, container, command, cli);
      };
      await cli.look(command, records, (result, output) => showRecords(result, output));
    });
}

function addShow(command: Command, cli: Cli): void {
  command
    .argument('<record>', 'its number or id, as audit list --wide shows it')
    .description('one record, with all that stands in it')
    .action(async (which: string, { container }: { container?: string }) => {
      await cli.look(
        command,
        async () => {
          const { readRecord } = await import('../audit-report.ts');
          const globals = command.optsWithGlobals<GlobalOptions>();
          return readRecord(cli.environment, () => cli.credential(globals), which, container);
        },
        (record, output) => {
          output.text(JSON.stringify(record, undefined, 2));
          return record.intact ? EXIT.ok : EXIT.incomplete;
        },
      );
    });
}

function addLock(command: Command, cli: Cli): void {
  const known = cli.environment?.CMK_STORAGE_ACCOUNT_ID || cli.environment?.AzureWebJobsStorage__accountName;
  changing(command)
    .description('lock the immutability policy of the audit trail, for good')
    .addOption(
      new Option('--account <account>', "the app's storage account: name or ARM id").default(
        known,
        'CMK_STORAGE_ACCOUNT_ID, AzureWebJobsStorage__accountName',
      ),
    )
    .option('--yes', 'do not ask for the name to be typed')
    .option('--irrevocable', 'nor, once more, for the number of days; both are needed without a terminal')
    .addHelpText(
      'after',
      `
A lock cannot be undone. No record is deleted before its days are over, the
policy can only be made longer, and the storage account cannot be deleted while
a record is kept. It takes a role that may lock such
policies, as Storage Account Contributor is.`,
    )
    .action(async ({ account, yes = false, irrevocable = false }: LockArguments) => {
      if (!account) {
        throw new CmkError('ArgumentInvalid', 'Which storage account is it?', "Give the app's own with --account.");
      }
      const { lockAudit } = await import('../../operations/audit-lock.ts');
      const confirm = async (name: string, days: number): Promise<void> => {
        const mind = `No record of the audit trail in ${name} can be deleted within ${days} days, by any principal, nor can ${name} itself.`;
        await confirmName('lock for good the audit trail in', name, yes, cli.context.ask, mind);
        await confirmAgain(days, irrevocable, cli.context.ask);
      };
      await cli.run(command, (operation) =>
        lockAudit({ ...placeOf(command.optsWithGlobals()), account, confirm }, operation),
      );
    });
}

/** @throws {@link CmkError} `ConfirmationWrong` */
async function confirmAgain(days: number, irrevocable: boolean, ask: Ask): Promise<void> {
  if (irrevocable) return;
  const answer = (await ask?.(`This cannot be undone. Type the number of days (${days}) to lock it: `)) ?? '';
  if (answer.trim() === String(days)) return;
  const nextStep = `Type ${days}, or add --irrevocable.`;
  throw new CmkError('ConfirmationWrong', 'It was not confirmed a second time; nothing was changed.', nextStep);
}

function addHistory(command: Command, cli: Cli): void {
  command
    .argument('<account>', 'name or ARM id of the storage account')
    .description('what became of an account and its key, as the audit trail has it; the newest last')
    .addOption(since('since then: a date (2026-11-24) or a duration (P30D)'))
    .addOption(limit())
    .addHelpText('after', STORAGE)
    .action(async (account: string, { since: from, limit: most }: ListArguments) => {
      const filter = { account, since: from === undefined ? undefined : readSince(from) };
      await cli.look(
        command,
        () => recordsOf(filter, most, undefined, command, cli),
        (result, output) => showRecords(result, output),
      );
    });
}

function since(text: string): Option {
  return moment('--since <when>', text, readSince);
}

function moment(flags: string, text: string, read: (when: string) => Date): Option {
  return new Option(flags, text).argParser(
    parsed((when: string) => {
      read(when);
      return when;
    }),
  );
}

function limit(): Option {
  const most = (text: string): number => {
    if (number(text) > 0) return number(text);
    throw new InvalidArgumentError('It has to be 1 or more.');
  };
  return new Option('--limit <number>', 'the newest so many').argParser(most).default(1_000);
}

async function recordsOf(
  filter: TrailFilter,
  most: number,
  container: string | undefined,
  command: Command,
  cli: Cli,
): Promise<RecordedEntry[]> {
  const { readRecords } = await import('../audit-report.ts');
  const globals = command.optsWithGlobals<GlobalOptions>();
  return readRecords(cli.environment, () => cli.credential(globals), { filter, most, container });
}

function showRecords(records: readonly RecordedEntry[], output: Output): typeof EXIT.ok {
  output.table(
    [
      'TIME',
      'ACTION',
      'RESOURCE',
      'BY',
      'WHY',
      { title: 'FROM', wide: true },
      { title: 'TO', wide: true },
      { title: 'REASON', wide: true },
      { title: 'TICKET', wide: true },
      { title: 'NUMBER', wide: true },
      { title: 'OBJECT ID', wide: true },
      { title: 'KIND', wide: true },
      { title: 'INTACT', wide: true },
    ],
    records.map((record) => {
      const { time, action, resource, by, why, from, to, reason, ticket, number, ...more } = trailRow(record);
      return [
        { full: time, short: `${time.slice(0, 16)}Z` },
        action,
        { full: resource, short: shortResource(resource) },
        by,
        why,
        from,
        to,
        reason,
        ticket,
        number,
        more.object_id,
        more.kind,
        more.intact,
      ];
    }),
    records,
  );
  return EXIT.ok;
}

/** `kv-files/files-key`, `stfiles01`. */
function shortResource(resource: string): string {
  return nameOfIdentifier(resource) ?? lastName(resource);
}
