import { getGivenText } from '../../audit/given-text.ts';
import type { RecordedEntry } from '../../audit/record.ts';
import type { TrailFilter } from '../../audit/trail-filter.ts';
import type { TrailReport } from '../../audit/verify-trail.ts';
import { getLastName } from '../../azure/resource-id.ts';
import { isDay, parseMomentAgo } from '../../formats/duration.ts';
import { formatCount } from '../../formats/text.ts';
import { formatIdentifier } from '../../keys/key-identifier.ts';
import type { Operation } from '../procedures/operator-azure.ts';
import type { CmkCommand } from '../terminal/command.ts';
import { parseUpTo, toOptionParser, UsageError } from '../terminal/options.ts';
import type { Output } from '../terminal/output.ts';
import { escapeText } from '../terminal/visible.ts';

export const STORAGE = `
Settings of the app name its storage: AzureWebJobsStorage__accountName with your
sign-in, or AzureWebJobsStorage, a connection string. Queues and fleet index:
CMK_WORK__queueServiceUri.`;

type Receipt = ReturnType<typeof readReceipt>;

/** Loaded when a command runs: `--help` needs no client. */
const storage = () => import('../terminal/app-storage.ts');

export function addAuditCommands(program: CmkCommand): void {
  const audit = program
    .command('audit')
    .description("the app's audit trail")
    .summary('the audit trail: list, show, verify');
  const add = (name: string): CmkCommand =>
    audit.command(name).addHelpText('after', `${STORAGE}\nIt needs the role Storage Blob Data Reader.`);
  addVerify(add('verify'));
  addList(add('list'));

  add('show')
    .argument('<record>', 'its number or id, as audit list --wide shows it')
    .description('one record in full')
    .reads(
      async (_operation, _options, which) => (await storage()).showRecord(program.cli, which),
      (record, output) => {
        output.text(JSON.stringify(record, undefined, 2));
        output.incompleteIf(!record.intact);
      },
    );
}

function addVerify(command: CmkCommand): void {
  type Options = { container?: string; from?: string; receipt?: Receipt[]; log?: string };
  const verify = async (_operation: Operation, { container, from, receipt: receipts = [], log }: Options) =>
    (await storage()).verifyRecords(command.cli, container, log, { receipts, ...(from === undefined ? {} : { from }) });
  command
    .description('check that no record was changed, removed, moved or inserted')
    .option('--container <name>', 'container with a copy of the trail')
    .option(
      '--from <day>',
      'start with this day (UTC), if older files were deleted on purpose',
      toOptionParser(readDay),
    )
    .option(
      '--receipt <seq:hash...>',
      'a record that must exist, as printed by an earlier check or the log',
      (text: string, before: Receipt[] = []) => [...before, toOptionParser(readReceipt)(text)],
    )
    .option('--log <file>', 'an export of the log, whose receipts must match the trail')
    .reads(verify, showReport);
}

function addList(command: CmkCommand): void {
  type Options = Omit<TrailFilter, 'since' | 'until'> & { since?: string; until?: string; limit: number };

  command
    .watching()
    .description('changes of keys and accounts with caller and reason, newest last')
    .option('--key <key>', 'about this key: <key>, <vault>/<key> or an identifier')
    .option('--vault <vault>', 'about keys of this vault: its name')
    .option('--account <account>', 'about this storage account: name or ARM id')
    .option('--by <who>', 'by this person or application: object id or name; app: by the app')
    .option('--action <action>', 'this action: key.revoke, or all actions of one kind: key')
    .option('--since <when>', 'start: a date (2026-11-24) or a duration before now (P7D)')
    .option('--until <when>', 'end, likewise; a date includes the whole day')
    .option('--limit <number>', 'show at most this many, the newest', parseUpTo(1_000_000), 1_000)
    .reads(async (_operation, { key, vault, account, by, action, since, until, limit }: Options) => {
      const span = { since: momentOf('--since', since, 'first'), until: momentOf('--until', until, 'after') };
      return (await storage()).listRecords(command.cli, { key, vault, account, by, action, ...span }, limit);
    }, showRecords);
}

function showReport({ findings, records, files, last, unlogged = 0 }: TrailReport, output: Output): void {
  for (const { file, line, reason, message } of findings) {
    // File names may come from an attacker: escape their line breaks.
    output.text(escapeText(`${file}${line === undefined ? '' : `:${line}`}  ${reason}  ${message}`));
  }

  const found = findings.length === 0 ? 'nothing found' : `${findings.length} found`;
  output.text(
    `${findings.length === 0 ? 'ok: ' : ''}${formatCount(records, 'record')} in ${formatCount(files, 'file')}, ${found}.`,
  );

  if (unlogged > 0) {
    const what = `${formatCount(unlogged, 'record')} newer than the last record in the log`;
    output.text(`${what}: export the log again to check them.`);
  }

  if (last) {
    output.text(`Last record: ${last.seq}:${last.hash}`);
    output.text('Keep it elsewhere: as --receipt it lets the next check detect missing records at the end.');
  }

  output.incompleteIf(findings.length > 0);
}

function showRecords(records: readonly RecordedEntry[], output: Output): void {
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
      ['RESOURCE', ({ entry: { resource: full } }) => ({ full, short: formatIdentifier(full) ?? getLastName(full) })],
      ['BY', ({ entry: { caller } }) => caller?.name ?? caller?.objectId ?? 'the app'],
      ['WHY', ({ entry }) => getGivenText(entry, 'why')],
      ['FROM', detail('from', 'before'), 'wide'],
      ['TO', detail('to', 'after'), 'wide'],
      ['REASON', ({ entry }) => entry.reason, 'wide'],
      ['TICKET', ({ entry }) => getGivenText(entry, 'ticket'), 'wide'],
      ['NUMBER', ({ seq }) => seq, 'wide'],
      // A caller's name can change and need not be unique; the object id identifies the caller.
      ['OBJECT ID', ({ entry }) => entry.caller?.objectId, 'wide'],
      ['KIND', ({ entry }) => entry.caller?.kind, 'wide'],
      // The call itself recorded nothing: the app derived the record from this.
      ['FOUND IN', detail('foundIn'), 'wide'],
      // `false`: the record was changed after it was written.
      ['INTACT', ({ intact }) => String(intact), 'wide'],
    ],
    records,
  );
}

/** Parses `<number>:<hash>` of a record that must exist. */
function readReceipt(text: string): { seq: number; hash: string } {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq && hash) return { seq: Number(seq), hash };
  const message = `--receipt "${text}" is not <number>:<64 hexadecimal digits>.`;
  throw new UsageError(message, 'Copy it from the log or from an earlier check.');
}

function readDay(text: string): string {
  if (isDay(text)) return text;
  throw new UsageError(`--from "${text}" is not a day.`, 'Example: --from 2026-11-24');
}

/** Parses a date, or a duration before now. As an end, a date includes its whole day. */
function momentOf(option: string, text: string | undefined, edge: 'first' | 'after'): Date | undefined {
  const date = text === undefined ? undefined : parseMomentAgo(text, new Date(), edge);
  if (date || text === undefined) return date;
  const message = `${option} "${text}" is neither a date nor a duration.`;
  throw new UsageError(message, 'Examples: 2026-11-24, 2026-11-24T12:00:00Z, P7D.');
}
