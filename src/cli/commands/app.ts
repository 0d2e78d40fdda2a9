import { Argument, type Command } from 'commander';
import { count } from '../../text.ts';
import type { WorkQueueName } from '../../work/messages.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';

// What works on the app's own storage, found by AzureWebJobsStorage or AzureWebJobsStorage__accountName.

/** By name: their module brings along what checks messages, which help has no use for. */
const QUEUES: Readonly<Record<WorkQueueName, true>> = {
  'key-work': true,
  'fleet-work': true,
  'account-work': true,
  'notify-work': true,
};

export const STORAGE = `
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
        ({ replayed, left, hidden = 0 }, output) => {
          if (replayed > 0) output.text(`${count(replayed, 'message')} of ${poison} put back into ${queue}.`);
          else if (left.length + hidden === 0) output.text(`There is nothing in ${poison}.`);
          for (const text of left) {
            const shown = JSON.stringify(text.slice(0, 200));
            output.entry({ kind: 'note', text: `Not a message of this app, left in ${poison}: ${shown}` });
          }
          if (hidden > 0) {
            const which = `${count(hidden, 'more message')} of ${poison} ${hidden === 1 ? 'is' : 'are'}`;
            const why = 'the drift check, or another replay, has just read the queue';
            output.entry({ kind: 'note', text: `${which} hidden: ${why}. Run it again in two minutes.` });
          }
          return left.length + hidden === 0 ? EXIT.ok : EXIT.incomplete;
        },
      );
    });
}
