import type { InvocationContext, StorageQueueHandler } from '@azure/functions';
import { appCredential } from '../azure/credential.ts';
import { SettingsError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Services } from '../services.ts';
import { readStorageSettings } from '../settings/settings.ts';
import { HOUR_MS } from '../time/spans.ts';
import { AtMostEvery } from '../work/at-most-every.ts';
import type { Work, WorkQueueName } from '../work/messages.ts';
import type { Outcome } from '../work/outcome.ts';
import { asText, processWork, type Received } from '../work/process.ts';
import { createWorkQueue } from '../work/work-queue-client.ts';
import { availableServices, logOf } from './available-services.ts';
import { workSpan } from './spans.ts';

/** Messages come back this soon after an operator has corrected the settings. Seconds. */
const DEFERRED_SECONDS = 300;

/** The account of the work zone, where settings name one of its own; as `readSettings` decides it. */
export const WORK_CONNECTION = Object.entries(process.env).some(
  ([name, value]) => /^CMK_WORK(__queueServiceUri)?$/.test(name) && value?.trim(),
)
  ? 'CMK_WORK'
  : 'AzureWebJobsStorage';

const reports = new AtMostEvery(HOUR_MS);

/**
 * Handles the messages of a queue. While settings are wrong it requeues each message unchanged, since five failures within a
 * minute would make it a poison message.
 */
export function queueHandler<W extends Work>(
  queueName: WorkQueueName,
  parse: (entry: unknown) => W,
  run: (work: W, services: Services, log: Log) => Promise<Outcome>,
): StorageQueueHandler {
  return async (entry, context) => {
    const log = logOf(context);
    let available: Services;
    try {
      available = availableServices(log);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      await defer(queueName, entry);
      return;
    }
    const { queue, now, telemetry } = available;
    await telemetry.ready();
    const runIt = (work: W) => workSpan(work, telemetry, () => run(work, available, log), context);
    await processWork({ queueName, received: received(entry, context), parse, run: runIt, queue, reports, now, log });
  };
}

/** Requeues a message. The settings of the app's own storage are right: the host has just read the message with them. */
async function defer(queueName: WorkQueueName, entry: unknown): Promise<void> {
  const { AZURE_CLIENT_ID: clientId, AZURE_CLOUD: _, ...others } = process.env;
  let settings: ReturnType<typeof readStorageSettings>;
  try {
    settings = readStorageSettings(process.env);
  } catch {
    // AZURE_CLOUD may be the wrong setting; only a storage account that is given by its name needs it.
    settings = readStorageSettings(others);
  }
  const queue = createWorkQueue(settings, () => appCredential(clientId));
  await queue.requeueText(queueName, asText(entry), DEFERRED_SECONDS);
}

/** A queue message, and how often the host has delivered it. */
function received(entry: unknown, context: Pick<InvocationContext, 'triggerMetadata'>): Received {
  const dequeueCount = Number(context.triggerMetadata?.dequeueCount);
  return { entry, dequeueCount: Number.isNaN(dequeueCount) ? 1 : dequeueCount };
}
