import type { TokenCredential } from '@azure/identity';
import type { BlobItem, BlobServiceClient, ContainerClient } from '@azure/storage-blob';
import type { QueueServiceClient } from '@azure/storage-queue';
import { appBlobs, appQueues } from '../../azure/app-storage.ts';
import { describeFailure } from '../../azure/failure.ts';
import { withinTime } from '../../azure/time-box.ts';
import { DEAD_LETTER_CONTAINER } from '../../events/subscription.ts';
import type { Settings } from '../../settings/settings.ts';
import { keepPoison, type PoisonKeeper } from '../../work/keep-poison-client.ts';
import { WORK_QUEUES } from '../../work/messages.ts';
import type { DeadLetter } from '../checks/subjects.ts';
import { DRIFT_REPORT, type DriftReport, type DriftSummary } from '../report.ts';
import { parseDeadLetters } from './dead-letters.ts';
import { RUNNING_CHECK, type RunningCheck } from './running-check.ts';
import { SUBSCRIPTION_RESULT, type SubscriptionResult } from './subscription-result.ts';

/** Container of drift reports in the app's own storage. */
const DRIFT_CONTAINER = 'cmk-drift';
const REPORTS = 'reports/';
const UNFINISHED = 'unfinished/';
const RUNNING = 'running/';
/** Reports that a history shows at most. */
const HISTORY = 200;
/** Dead letters that are looked into at most: a vault in trouble makes them by the thousand. */
const MAX_DEAD_LETTERS = 100;
const TIMEOUT_MS = 30_000;
/** What is not read now, the next check reads; the SDK's own retries take 18 s. */
const RETRY = { maxTries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 };

// What the drift check keeps in the app's own storage, and what it looks at there. Errors are the SDK's.

/** The reports. */
export interface ReportStore {
  newest(): Promise<DriftReport | undefined>;
  get(id: string): Promise<DriftReport | undefined>;
  /** Newest first. */
  history(): Promise<DriftSummary[]>;
  write(report: DriftReport): Promise<void>;
}

/** The checks that are under way, as every instance can tell. */
export interface RunningChecks {
  /** Writes down that a check has begun, or why it has no report. */
  begin(check: RunningCheck): Promise<void>;
  /** A check that has begun and has no report yet; undefined when there is no such check, or its report is written. */
  begun(id: string): Promise<RunningCheck | undefined>;
  /** The check's report is written. */
  end(id: string): Promise<void>;
  /** Forgets the checks that began before and never came to an end. */
  forget(before: Date): Promise<void>;
}

/** What a check that takes long puts aside, for the next one should it be killed. */
export interface UnfinishedChecks {
  /** What a check that did not come to its end has put aside since. */
  unfinished(since: Date): Promise<SubscriptionResult[]>;
  putAside(result: SubscriptionResult): Promise<void>;
  /** Forgets what was put aside: the check came to its end. */
  finished(): Promise<void>;
}

/** How the app itself is doing. */
export interface AppState {
  /** How many messages wait in each poison queue. */
  poisonMessages(): Promise<{ queue: string; messages: number }[]>;
  deadLetters(since: Date): Promise<DeadLetter[]>;
}

export interface DriftStorage extends ReportStore, RunningChecks, UnfinishedChecks, AppState, PoisonKeeper {}

export function createDriftStorage(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
): DriftStorage {
  const blobs = appBlobs(settings, credential, RETRY);
  const queues = appQueues(settings, credential, RETRY);
  const container = blobs.getContainerClient(DRIFT_CONTAINER);
  return {
    ...reportStore(container),
    ...runningChecks(container),
    ...unfinishedChecks(container),
    ...appState(blobs, queues),
    keepPoison: () => keepPoison(queues),
  };
}

function reportStore(container: ContainerClient): ReportStore {
  const read = async (name: string): Promise<DriftReport | undefined> => {
    const text = await download(container, name);
    return text === undefined ? undefined : DRIFT_REPORT.parse(JSON.parse(text));
  };
  const names = async (): Promise<{ name: string; metadata: Record<string, string> }[]> => {
    const found = await listed(container, REPORTS, { includeMetadata: true });
    // Names begin with the time.
    return found.map(({ name, metadata = {} }) => ({ name, metadata })).sort((a, b) => (a.name < b.name ? 1 : -1));
  };
  return {
    async newest() {
      const [newest] = await names();
      return newest && read(newest.name);
    },
    async get(id) {
      const found = (await names()).find(({ name }) => name.endsWith(`_${id}.json`));
      return found && read(found.name);
    },
    async history() {
      return (await names()).slice(0, HISTORY).flatMap(({ metadata }) => summaryOf(metadata) ?? []);
    },
    async write(report) {
      const { id, startedOn, complete, counts } = report;
      const name = `${REPORTS}${startedOn.replaceAll(':', '-')}_${id}.json`;
      await upload(container, name, JSON.stringify(report), {
        // Enough for the history without opening each report.
        summary: JSON.stringify({ id, startedOn, complete, counts } satisfies DriftSummary),
      });
    },
  };
}

function runningChecks(container: ContainerClient): RunningChecks {
  const nameOf = (id: string): string => `${RUNNING}${id}.json`;
  return {
    begin: (check) => upload(container, nameOf(check.id), JSON.stringify(check), { startedon: check.startedOn }),
    async begun(id) {
      const text = await download(container, nameOf(id));
      return text === undefined ? undefined : RUNNING_CHECK.safeParse(JSON.parse(text)).data;
    },
    end: (id) => remove(container, nameOf(id)),
    async forget(before) {
      for (const { name, metadata } of await listed(container, RUNNING, { includeMetadata: true })) {
        if (!(Date.parse(metadata?.startedon ?? '') >= before.getTime())) await remove(container, name);
      }
    },
  };
}

function unfinishedChecks(container: ContainerClient): UnfinishedChecks {
  return {
    async unfinished(since) {
      const results: SubscriptionResult[] = [];
      for (const { name, properties } of await listed(container, UNFINISHED)) {
        if (properties.lastModified < since) continue;
        const text = await download(container, name);
        const result = text === undefined ? undefined : SUBSCRIPTION_RESULT.safeParse(JSON.parse(text)).data;
        if (result) results.push(result);
      }
      return results;
    },
    putAside: (result) => upload(container, `${UNFINISHED}${result.id}.json`, JSON.stringify(result), {}),
    async finished() {
      for (const { name } of await listed(container, UNFINISHED)) await remove(container, name);
    },
  };
}

function appState(blobs: BlobServiceClient, queues: QueueServiceClient): AppState {
  const waiting = async (queue: string): Promise<number> => {
    try {
      const { approximateMessagesCount = 0 } = await withinTime(TIMEOUT_MS, (limit) =>
        queues.getQueueClient(queue).getProperties(limit),
      );
      return approximateMessagesCount;
    } catch (error) {
      if (describeFailure(error).kind !== 'notFound') throw error;
      return 0;
    }
  };
  return {
    poisonMessages: () =>
      Promise.all(
        WORK_QUEUES.map((name) => `${name}-poison`).map(async (queue) => ({ queue, messages: await waiting(queue) })),
      ),
    async deadLetters(since) {
      const container = blobs.getContainerClient(DEAD_LETTER_CONTAINER);
      const newest = (await listed(container, ''))
        .map(({ name, properties }) => ({ name, writtenOn: properties.lastModified }))
        .filter(({ writtenOn }) => writtenOn >= since)
        .sort((a, b) => b.writtenOn.getTime() - a.writtenOn.getTime())
        .slice(0, MAX_DEAD_LETTERS);
      const read = await Promise.all(
        newest.map(async ({ name, writtenOn }) => parseDeadLetters(await download(container, name), writtenOn)),
      );
      return read.flat();
    },
  };
}

/** The blobs of a container; none where the container is not there yet. */
async function listed(
  container: ContainerClient,
  prefix: string,
  options: { includeMetadata?: boolean } = {},
): Promise<BlobItem[]> {
  try {
    return await withinTime(TIMEOUT_MS, async (limit) => {
      const blobs: BlobItem[] = [];
      for await (const blob of container.listBlobsFlat({ prefix, ...limit, ...options })) blobs.push(blob);
      return blobs;
    });
  } catch (error) {
    if (describeFailure(error).kind !== 'notFound') throw error;
    return [];
  }
}

async function download(container: ContainerClient, name: string): Promise<string | undefined> {
  try {
    const blob = container.getBlobClient(name);
    const bytes = await withinTime(TIMEOUT_MS, (limit) => blob.downloadToBuffer(0, undefined, limit));
    return bytes.toString('utf8');
  } catch (error) {
    if (describeFailure(error).kind === 'notFound') return undefined;
    throw error;
  }
}

async function remove(container: ContainerClient, name: string): Promise<void> {
  await withinTime(TIMEOUT_MS, (limit) => container.getBlobClient(name).deleteIfExists(limit));
}

async function upload(
  container: ContainerClient,
  name: string,
  text: string,
  metadata: Record<string, string>,
): Promise<void> {
  const blobHTTPHeaders = { blobContentType: 'application/json; charset=utf-8' };
  const put = () =>
    withinTime(TIMEOUT_MS, (limit) =>
      container.getBlockBlobClient(name).uploadData(Buffer.from(text), { metadata, blobHTTPHeaders, ...limit }),
    );
  try {
    await put();
  } catch (error) {
    if (describeFailure(error).code !== 'ContainerNotFound') throw error;
    await withinTime(TIMEOUT_MS, (limit) => container.createIfNotExists(limit));
    await put();
  }
}

function summaryOf(metadata: Record<string, string>): DriftSummary | undefined {
  try {
    return JSON.parse(metadata.summary ?? '') as DriftSummary;
  } catch {
    return undefined;
  }
}
