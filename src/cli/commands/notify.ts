import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { visible } from '../visible.ts';

export function addNotifyCommands(program: Command, cli: Cli): void {
  const notify = program.command('notify').description('whom the app notifies');
  notify
    .command('test')
    .description('send a test to one target of CMK_NOTIFY, and show what came back')
    .argument('<target>', 'its name')
    .addHelpText(
      'after',
      `
CMK_NOTIFY holds the document with the targets, as the app is given it. It is
sent from here, and so by the network of this machine:

  CMK_NOTIFY="$(cat notify.json)" cmk notify test ops`,
    )
    .action(async (target: string, _options: unknown, command: Command) => {
      const { randomUUID } = await import('node:crypto');
      const { notifyTest } = await import('../../operations/notify-test.ts');
      const { createPostWebhook } = await import('../../notify/webhook-client.ts');
      await cli.look(
        command,
        () =>
          notifyTest(target, cli.environment, {
            postWebhook: createPostWebhook(),
            now: () => new Date(),
            newId: () => randomUUID(),
          }),
        ({ status, answer }, output) => {
          output.text(`${target} took it, with ${status}.${answer === '' ? '' : ` It said: ${visible(answer)}`}`);
          return EXIT.ok;
        },
      );
    });
}
