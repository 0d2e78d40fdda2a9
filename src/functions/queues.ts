import { app, type InvocationContext, type StorageQueueHandler } from '@azure/functions';
import { createAppCredential } from '../azure/credential.ts';
import { storageClock } from '../azure/storage-clock.ts';
import { checkKeyAgain } from '../drift/changes/change-rows.ts';
import { checkChanges } from '../drift/changes/check-changes.ts';
import { SettingsError } from '../errors/errors.ts';
import type { Log } from '../errors/log.ts';
import { isJob, type Job, runJob } from '../index/jobs.ts';
import { deliver } from '../notify/deliver.ts';
import { probeKey } from '../probe/probe-work.ts';
import { verifyRevocation } from '../revocation/verify-revocation.ts';
import { rotateWhenDue } from '../rotation/rotate-when-due.ts';
import type { Services } from '../services.ts';
import { readStorageSettings } from '../settings/settings.ts';
import type { SpanAttributes, SpanPlace } from '../telemetry/telemetry.ts';
import { FLEET_WORK, KEY_WORK, NOTIFY_WORK, type Work, type WorkIn, type WorkQueueName } from '../work/messages.ts';
import { DONE, type JobOutcome, type Outcome } from '../work/outcome.ts';
import { type Poison, processWork, toText } from '../work/process.ts';
import { createWorkQueue } from '../work/work-queue-client.ts';
import { createLogOf, getAvailableServices } from './available-services.ts';
import { runWithTimeLimit, TIME_LIMITS } from './time-limits.ts';

/** Delay of requeued messages after invalid settings, in seconds: processing resumes this soon after a correction. */
const DEFERRED_SECONDS = 300;

/** Connection of the work zone's separate account, if the settings name such an account; matches `readSettings`. */
const CONNECTION = Object.entries(process.env).some(
  ([name, value]) => /^CMK_WORK(__queueServiceUri)?$/.test(name) && value?.trim(),
)
  ? 'CMK_WORK'
  : 'AzureWebJobsStorage';

/**
 * Registers a function for a queue. While settings are invalid, it requeues each message unchanged, since five failures
 * within a minute would make it a poison message.
 */
function onMessage<Q extends WorkQueueName>(
  name: string,
  queueName: Q,
  ms: number,
  run: (work: WorkIn<Q>, services: Services, log: Log) => Promise<JobOutcome>,
): void {
  const handler: StorageQueueHandler = async (entry, context) => {
    const log = createLogOf(context);
    let available: Services;
    try {
      available = getAvailableServices(log);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      await defer(queueName, entry);
      return;
    }

    const { queue, telemetry, workItems: items } = available;

    await telemetry.ready();

    const runTraced = (work: WorkIn<Q>, attempts: number): Promise<JobOutcome> => {
      const inTime = () => runWithTimeLimit(ms, () => run(work, available, log));
      const place = placeOf(work, attempts, context);
      return telemetry.span(SPANS[work.kind] ?? work.kind, place, inTime, outcomeAttributes);
    };

    const dequeueCount = Number(context.triggerMetadata?.dequeueCount ?? 1);

    const runOrStore = async (work: WorkIn<Q>, poison: Poison): Promise<Outcome> => {
      if (!isJob(work)) {
        const attempts = work.kind === 'revocation' ? work.attempt : dequeueCount - 1;
        return runTraced(work, attempts) as Promise<Outcome>;
      }

      const runOnce = (job: Job, attempts: number) => runTraced(job as WorkIn<Q>, attempts);
      await runJob(work, runOnce, { items, queue, poison, now: storageClock.now, log });
      return DONE;
    };

    await processWork({ queueName, received: { entry, dequeueCount }, run: runOrStore, queue, log });
  };

  app.storageQueue(name, { queueName, connection: CONNECTION, handler });
}

onMessage('reconcileKey', KEY_WORK, TIME_LIMITS.keyWork, runKeyWork);

onMessage('reconcileSubscription', FLEET_WORK, TIME_LIMITS.keyWork, async (work, services, log) => {
  await services.controller.handleFleetMessage(work, log);
  return DONE;
});

onMessage('sendNotification', NOTIFY_WORK, TIME_LIMITS.notification, deliver);

async function runKeyWork(work: WorkIn<typeof KEY_WORK>, services: Services, log: Log): Promise<JobOutcome> {
  switch (work.kind) {
    case 'key':
      await services.controller.handleKeyMessage(work.key, work.cause, log);
      return DONE;
    case 'changes':
      return checkChanges(services, log);
    case 'rotate':
      return rotateWhenDue(work, { ...services, now: storageClock.now }, log);
    case 'revocation': {
      const outcome = await verifyRevocation(work, services, log);

      // If this message is lost, the hourly check finds the effects of the revocation or restore.
      if (outcome.outcome !== 'reject') await checkKeyAgain(work.key, work.cause, services).catch(() => {});
      return outcome;
    }
    case 'probe':
      return probeKey(work, services, log);
  }
}

/** Requeues a message. The storage settings are valid: the host has just read the message with them. */
async function defer(queueName: WorkQueueName, entry: unknown): Promise<void> {
  const { AZURE_CLIENT_ID: clientId, AZURE_CLOUD: _, ...others } = process.env;
  let settings: ReturnType<typeof readStorageSettings>;
  try {
    settings = readStorageSettings(process.env);
  } catch {
    // AZURE_CLOUD may be the invalid setting; only a storage account given by name needs it.
    settings = readStorageSettings(others);
  }

  const queue = createWorkQueue(settings, () => createAppCredential(clientId));
  await queue.requeueText(queueName, toText(entry), DEFERRED_SECONDS);
}

const SPANS: Readonly<Partial<Record<Work['kind'], string>>> = {
  key: 'reconcile key',
  subscriptions: 'reconcile subscriptions',
  changes: 'check changes',
  rotate: 'rotate when due',
  probe: 'probe file shares',
  notify: 'notify',
  revocation: 'verify revocation',
};

/** Continues the trace of the message's sender, with a link to the host's span. */
function placeOf(work: Work, attempts: number, { traceContext }: Pick<InvocationContext, 'traceContext'>): SpanPlace {
  const host = traceContext?.traceParent;
  const { traceparent } = work;
  const attributes = { 'cmk.attempt': attempts, ...('key' in work ? { 'cmk.key': work.key } : {}) };
  return traceparent ? { parent: traceparent, link: host, attributes } : { parent: host, attributes };
}

function outcomeAttributes(outcome: JobOutcome): SpanAttributes {
  return { 'cmk.outcome': outcome.outcome, ...('reason' in outcome ? { 'cmk.reason': outcome.reason } : {}) };
}
