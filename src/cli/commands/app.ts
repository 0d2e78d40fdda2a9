import { Argument, type Command } from 'commander';
import { CmkError } from '../../errors.ts';
import { count } from '../../text.ts';
import type { WorkQueueName } from '../../work/messages.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';

/** By name: their module brings along what checks messages, which help has no use for. */
const QUEUES: Readonly<Record<WorkQueueName, true>> = {
  'key-work': true,
  'fleet-work': true,
  'account-work': true,
  'notify-work': true,
};

const ONE_ACCOUNT = 'The queues are in the account of AzureWebJobsStorage: nothing is to be moved.';
const NAME_WORK = 'Set CMK_WORK__queueServiceUri to the account that they are in now.';

export const STORAGE = `
The app's storage is found as the app finds it: AzureWebJobsStorage__accountName
with your own sign-in, or AzureWebJobsStorage, a connection string. Queues and
index: CMK_WORK__queueServiceUri.`;

export function addAppCommands(program: Command, cli: Cli): void {
  program
    .command('replay')
    .description("put the messages of one of the app's poison queues back to work")
    .addArgument(new Argument('<queue>', 'the queue that they came from').choices(Object.keys(QUEUES)))
    .option('--old-account', 'what the queue itself holds in the account of AzureWebJobsStorage since before it moved')
    .addHelpText('after', `${STORAGE}\nIt takes the role Storage Queue Data Contributor.`)
    .action(async (queue: WorkQueueName, { oldAccount }: { oldAccount?: true }, command: Command) => {
      const { oldQueues, workQueues } = await import('../../azure/app-storage.ts');
      const { readStorageSettings } = await import('../../settings/settings.ts');
      const { replay } = await import('../../work/replay-client.ts');
      const { inAppStorage } = await import('../app-storage-failures.ts');
      const globals = command.optsWithGlobals<GlobalOptions>();
      const from = oldAccount ? queue : `${queue}-poison`;
      await cli.look(
        command,
        () => {
          const settings = readStorageSettings(cli.environment);
          const credential = () => cli.credential(globals);
          const work = workQueues(settings, credential);
          const old = oldQueues(settings, credential);
          if (oldAccount && old.url === work.url) throw new CmkError('ArgumentInvalid', ONE_ACCOUNT, NAME_WORK);
          const { url } = oldAccount ? old : work;
          const place = { what: `queue ${from}`, url, role: 'Storage Queue Data Contributor' };
          return inAppStorage(place, () => replay(work, queue, (oldAccount ? old : work).getQueueClient(from)));
        },
        ({ replayed, left, hidden = 0 }, output) => {
          if (replayed > 0) output.text(`${count(replayed, 'message')} of ${from} requeued to ${queue}.`);
          else if (left.length + hidden === 0) output.text(`There is nothing in ${from}.`);
          for (const text of left) {
            const shown = JSON.stringify(text.slice(0, 200));
            output.entry({ kind: 'note', text: `Not a message of this app, left in ${from}: ${shown}` });
          }
          if (hidden > 0) {
            const which = `${count(hidden, 'more message')} of ${from} ${hidden === 1 ? 'is' : 'are'}`;
            const why = oldAccount ? 'it is due later' : 'the drift check, or another replay, has just read the queue';
            output.entry({ kind: 'note', text: `${which} hidden: ${why}. Run it again in two minutes.` });
          }
          return left.length + hidden === 0 ? EXIT.ok : EXIT.incomplete;
        },
      );
    });
}
