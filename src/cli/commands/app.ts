import { Argument, type Command, Option } from 'commander';
import { AUDIT_CONTAINER } from '../../audit/audit-storage-client.ts';
import { appQueues } from '../../azure/app-storage.ts';
import { readStorageSettings } from '../../settings/settings.ts';
import { WORK_QUEUES, type WorkQueueName } from '../../work/messages.ts';
import { replay } from '../../work/replay-client.ts';
import { inAppStorage } from '../app-storage-failures.ts';
import { printTrail, readDay, readEvidence, readReceipt, readTrail } from '../audit-report.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { count } from '../count.ts';
import { EXIT } from '../exit-codes.ts';
import { parsed } from '../options.ts';

type Receipt = ReturnType<typeof readReceipt>;

interface VerifyOptions {
  readonly container?: string;
  readonly from?: string;
  readonly receipt?: Receipt[];
  readonly log?: string;
}

// What works on the app's own storage, found by AzureWebJobsStorage or AzureWebJobsStorage__accountName.

const STORAGE = `
The app's storage is found as the app finds it: AzureWebJobsStorage__accountName
with your own sign-in, or AzureWebJobsStorage, a connection string.`;

export function addAppCommands(program: Command, cli: Cli): void {
  program
    .command('replay')
    .description("put the messages of one of the app's poison queues back to work")
    .addArgument(new Argument('<queue>', 'the queue that they came from').choices(WORK_QUEUES))
    .addHelpText('after', `${STORAGE}\nIt takes the role Storage Queue Data Contributor.`)
    .action(async (queue: WorkQueueName, _options: unknown, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>();
      const poison = `${queue}-poison`;
      await cli.look(
        command,
        () => {
          const service = appQueues(readStorageSettings(cli.environment), () => cli.credential(globals));
          const place = { what: `queue ${poison}`, url: service.url, role: 'Storage Queue Data Contributor' };
          return inAppStorage(place, () => replay(service, queue));
        },
        ({ replayed, left }, output) => {
          if (replayed > 0) output.text(`${count(replayed, 'message')} of ${poison} put back into ${queue}.`);
          else if (left.length === 0) output.text(`There is nothing in ${poison}.`);
          for (const text of left) {
            const shown = JSON.stringify(text.slice(0, 200));
            output.entry({ kind: 'note', text: `Not a message of this app, left in ${poison}: ${shown}` });
          }
          return left.length === 0 ? EXIT.ok : EXIT.incomplete;
        },
      );
    });

  const audit = program.command('audit').description("the app's audit trail");
  audit
    .command('verify')
    .description('check that no record was changed, removed, moved or put in')
    .addHelpText(
      'after',
      `${STORAGE}
It takes the role Storage Blob Data Reader. Ends of the trail that the drift check kept
elsewhere have to be in it; CMK_AUDIT_KEY, if set, says whose signature they carry.`,
    )
    .addOption(new Option('--container <name>', 'container of the trail').default(undefined, AUDIT_CONTAINER))
    .option('--from <day>', 'start with that day (UTC), when older files were deleted on purpose', parsed(readDay))
    .option(
      '--receipt <seq:hash...>',
      'a record that must be there, as an earlier check or the log gave it',
      (text: string, before: Receipt[] = []) => [...before, parsed(readReceipt)(text)],
    )
    .option('--log <file>', 'an export of the log: its receipts have to be there, and nothing without one')
    .action(async (options: VerifyOptions, command: Command) => {
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
