import { Argument, type Command } from 'commander';
import { appQueues } from '../../azure/app-storage.ts';
import { readStorageSettings } from '../../settings.ts';
import { WORK_QUEUES, type WorkQueueName } from '../../work/messages.ts';
import { replay } from '../../work/replay-client.ts';
import { printTrail, readDay, readReceipt, readTrail } from '../audit-report.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { parsed } from '../options.ts';

/** What works on the app's own storage, found by AzureWebJobsStorage or AzureWebJobsStorage__accountName. */
type Receipt = ReturnType<typeof readReceipt>;

export function addAppCommands(program: Command, cli: Cli): void {
  program
    .command('replay')
    .description("put the messages of one of the app's poison queues back to work")
    .addArgument(new Argument('<queue>', 'the queue that they came from').choices(WORK_QUEUES))
    .action(async (queue: WorkQueueName, _options: unknown, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>();
      await cli.look(
        command,
        () =>
          replay(
            appQueues(readStorageSettings(cli.environment), () => cli.credential(globals)),
            queue,
          ),
        ({ replayed, left }, output) => {
          output.text(`${replayed} messages of ${queue}-poison put back into ${queue}.`);
          for (const text of left)
            output.entry({ kind: 'note', text: `not a message of this app, left: ${text.slice(0, 200)}` });
          return left.length === 0 ? EXIT.ok : EXIT.incomplete;
        },
      );
    });

  const audit = program.command('audit').description("the app's audit trail");
  audit
    .command('verify')
    .description('check that no record was changed, removed, moved or put in')
    .option('--container <name>', 'container of the trail')
    .option('--from <day>', 'start with that day (UTC), when older files were deleted on purpose', parsed(readDay))
    .option('--receipt <seq:hash...>', 'a record that must be there', (text: string, before: Receipt[] = []) => [
      ...before,
      parsed(readReceipt)(text),
    ])
    .action(async (options: { container?: string; from?: string; receipt?: Receipt[] }, command: Command) => {
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
