import { Argument, type Command, Option } from 'commander';
import { AUDIT_CONTAINER } from '../../audit/container-name.ts';
import type { WorkQueueName } from '../../work/messages.ts';
import { readDay, readReceipt } from '../audit-arguments.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { count } from '../count.ts';
import { EXIT } from '../exit-codes.ts';
import { parsed } from '../options.ts';

type Receipt = ReturnType<typeof readReceipt>;

// What works on the app's own storage, found by AzureWebJobsStorage or AzureWebJobsStorage__accountName.

/** By name: their module brings along what checks messages, which help has no use for. */
const QUEUES: Readonly<Record<WorkQueueName, true>> = { 'key-work': true, 'account-work': true };

const STORAGE = `
The app's storage is found as the app finds it: AzureWebJobsStorage__accountName
with your own sign-in, or AzureWebJobsStorage, a connection string.`;

export function addAppCommands(program: Command, cli: Cli): void {
  program
    .command('replay')
    .description("put the messages of one of the app's poison queues back to work")
    .addArgument(new Argument('<queue>', 'the queue that they came from').choices(Object.keys(QUEUES)))
    .addHelpText('after', `${STORAGE}\nIt takes the role Storage Queue Data Contributor.`)
    .action(async (queue: WorkQueueName, _options: unknown, command: Command) => {
      const { appQueues } = await import('../../azure/app-storage.ts');
      const { readStorageSettings } = await import('../../settings/settings.ts');
      const { replay } = await import('../../work/replay-client.ts');
      const { inAppStorage } = await import('../app-storage-failures.ts');
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
    .addHelpText('after', `${STORAGE}\nIt takes the role Storage Blob Data Reader.`)
    .addOption(new Option('--container <name>', 'container of the trail').default(undefined, AUDIT_CONTAINER))
    .option('--from <day>', 'start with that day (UTC), when older files were deleted on purpose', parsed(readDay))
    .option(
      '--receipt <seq:hash...>',
      'a record that must be there, as an earlier check or the log gave it',
      (text: string, before: Receipt[] = []) => [...before, parsed(readReceipt)(text)],
    )
    .action(async (options: { container?: string; from?: string; receipt?: Receipt[] }, command: Command) => {
      const { printTrail, readTrail } = await import('../audit-report.ts');
      const globals = command.optsWithGlobals<GlobalOptions>();
      const { container, from, receipt = [] } = options;
      await cli.look(
        command,
        () => {
          const since = from === undefined ? {} : { from };
          return readTrail(cli.environment, () => cli.credential(globals), { container, receipts: receipt, ...since });
        },
        (report, output) => {
          printTrail(report, (line) => output.text(line));
          return report.findings.length === 0 ? EXIT.ok : EXIT.incomplete;
        },
      );
    });
}
