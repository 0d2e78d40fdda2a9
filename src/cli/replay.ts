import { appQueues } from '../azure/app-storage.ts';
import { operatorCredential } from '../azure/credential.ts';
import { CmkError } from '../errors.ts';
import { readStorageSettings } from '../settings.ts';
import { WORK_QUEUES, type WorkQueueName } from '../work/messages.ts';
import { replay } from '../work/replay-client.ts';

/** `npm run replay -- account-work`: puts the messages of a poison queue back to work. */
async function main(queue: string | undefined): Promise<number> {
  if (!WORK_QUEUES.some((known) => known === queue)) {
    console.error(`Name the queue whose poison messages to put back: npm run replay -- ${WORK_QUEUES.join(' | ')}`);
    return 2;
  }
  const settings = readStorageSettings(process.env);
  const service = appQueues(settings, () => operatorCredential(settings.cloud.authorityHost));
  const { replayed, left } = await replay(service, queue as WorkQueueName);
  console.log(`${replayed} messages of ${queue}-poison put back into ${queue}.`);
  if (left.length === 0) return 0;
  console.log(`${left.length} are not messages of this app and stay in ${queue}-poison:`);
  for (const text of left) console.log(`  ${JSON.stringify(text.slice(0, 200))}`);
  return 1;
}

main(process.argv[2]).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof CmkError ? `${error.message}\n${error.nextStep}` : error);
    process.exitCode = 2;
  },
);
