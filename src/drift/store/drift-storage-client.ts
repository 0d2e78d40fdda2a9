import { createHash } from 'node:crypto';
import type { TokenCredential } from '@azure/identity';
import type { ContainerClient } from '@azure/storage-blob';
import { z } from 'zod';
import { controlContainer, controlTable, DRIFT_CONTAINER, workQueues } from '../../azure/app-storage.ts';
import { downloadText, listBlobs, readDocument, removeBlob, uploadPieces, uploadText } from '../../azure/blobs.ts';
import { describeFailure } from '../../azure/failure.ts';
import { DEAD_LETTER_CONTAINER } from '../../events/subscription.ts';
import type { Settings } from '../../settings/settings.ts';
import { parseJson } from '../../text.ts';
import { causesOf, detailsOf, shorten } from '../causes.ts';
import { MANAGED_MEMORY, type ManagedMemory } from '../managed-accounts.ts';
import {
  DRIFT_REPORT,
  DRIFT_SUMMARY,
  type DriftDetails,
  type DriftReport,
  type DriftSummary,
  FINDING,
  type ReportBefore,
  UNSEEN,
  type WholeReport,
} from '../report.ts';
import { type AppState, appState, LEGACY_APPROVALS } from './app-state-client.ts';
import { packDetails, unpackDetails } from './details-format.ts';
import { RUNNING_CHECK, type RunningCheck } from './running-check.ts';
import { SUBSCRIPTION_RESULT, type SubscriptionResult } from './subscription-result.ts';
import { monthsOf, type TrendStore, trendStore } from './trend-store-client.ts';

const REPORTS = 'reports/';
/** What the report of the same name leaves out. */
const DETAILS = 'findings/';
/** A merge that meets conflicts is tried so often. */
const MOST_MERGES = 5;
const UNFINISHED = 'unfinished/';
const RUNNING = 'running/';
const MANAGED_ACCOUNTS = 'managed-accounts.json';
/** Table of version 2. */
const LEGACY_REKEYS = 'cmkrekeys';
/** Reports that a history shows at most. */
const HISTORY = 200;

// What the drift check keeps in the app's own storage, and what it looks at there. Errors are the SDK's.

/** The reports. */
export interface ReportStore {
  newest(): Promise<DriftReport | undefined>;
  get(id: string): Promise<DriftReport | undefined>;
  /**
   * The newest of those that began on one of these days (`2026-11-25`): one list a day, however many there are. Undefined:
   * there is none.
   */
  newestOn(days: readonly string[]): Promise<DriftReport | undefined>;
  /** What a report leaves out; undefined when it is not there any more. */
  details(report: Pick<DriftReport, 'id' | 'startedOn'>): Promise<DriftDetails | undefined>;
  /** Of the newest report, what the next check goes by. */
  before(): Promise<ReportBefore | undefined>;
  /** Newest first. */
  history(): Promise<DriftSummary[]>;
  /** Of the last report of each of these days (UTC), by day. */
  lastOfDays(days: readonly string[]): Promise<ReadonlyMap<string, DriftSummary>>;
  write(report: WholeReport): Promise<void>;
  /**
   * Changes the newest report, each of its parts under its ETag: after a conflict `change` is called again. Undefined: there
   * is no report yet.
   */
  merge(change: (report: WholeReport) => WholeReport): Promise<WholeReport | undefined>;
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

/** Which accounts used a managed key in earlier checks. */
export interface AccountMemoryStore {
  managedAccounts(): Promise<ManagedMemory>;
  /** Of two checks at once the last one counts: what each writes was true a moment ago. */
  rememberAccounts(memory: ManagedMemory): Promise<void>;
}

export interface DriftStorage
  extends ReportStore,
    RunningChecks,
    UnfinishedChecks,
    AccountMemoryStore,
    TrendStore,
    AppState {}

export function createDriftStorage(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
): DriftStorage {
  const queues = workQueues(settings, credential);
  const container = controlContainer(settings, credential, DRIFT_CONTAINER);
  return {
    ...reportStore(container),
    ...runningChecks(container),
    ...unfinishedChecks(container),
    async managedAccounts() {
      const text = await downloadText(container, MANAGED_ACCOUNTS);
      return text === undefined ? {} : MANAGED_MEMORY.parse(JSON.parse(text));
    },
    rememberAccounts: (memory) => uploadText(container, MANAGED_ACCOUNTS, JSON.stringify(memory)),
    ...trendStore(container),
    ...appState(
      {
        deadLetters: controlContainer(settings, credential, DEAD_LETTER_CONTAINER),
        approvals: controlContainer(settings, credential, LEGACY_APPROVALS),
        rekeys: () => controlTable(settings, credential, LEGACY_REKEYS),
      },
      queues,
    ),
  };
}

function reportStore(container: ContainerClient): ReportStore {
  const read = async (name: string): Promise<WholeReport | undefined> => {
    const text = await downloadText(container, REPORTS + name);
    return text === undefined ? undefined : parseReport(text);
  };
  const restOf = async (name: string, report: WholeReport): Promise<DriftDetails> =>
    parseDetails(await downloadText(container, DETAILS + name), report);
  const names = async (of = ''): Promise<{ name: string; metadata: Record<string, string> }[]> => {
    const found = await listBlobs(container, REPORTS + of, { includeMetadata: true });
    // Names begin with the time.
    return found
      .map(({ name, metadata = {} }) => ({ name: name.slice(REPORTS.length), metadata }))
      .sort((a, b) => (a.name < b.name ? 1 : -1));
  };
  const newest = async () => {
    const [first] = await names();
    const report = first && (await read(first.name));
    return report && { name: first.name, report };
  };
  const short = (report: WholeReport | undefined): DriftReport | undefined => report && shorten(report);
  return {
    newest: async () => short((await newest())?.report),
    async get(id) {
      const found = (await names()).find(({ name }) => name.endsWith(`_${id}.json`));
      return found && short(await read(found.name));
    },
    async newestOn(days) {
      const lists = await Promise.all(days.map((day) => listBlobs(container, `${REPORTS}${day}`)));
      const found = lists.flat().map(({ name }) => name.slice(REPORTS.length));
      const name = found.sort().at(-1);
      return name === undefined ? undefined : short(await read(name));
    },
    async details(of) {
      const report = await read(nameOf(of));
      return report && restOf(nameOf(of), report);
    },
    async before() {
      const found = await newest();
      if (!found) return undefined;
      const { startedOn, coverage, trailEnd, changes, changeSeconds } = found.report;
      const { findings, unseen } = await restOf(found.name, found.report);
      const known = findings.map(({ id, reason, resource, since, changedBy }) => {
        return { id, reason, resource, since, ...(changedBy ? { changedBy } : {}) };
      });
      return { startedOn, coverage, trailEnd, changes, changeSeconds, unseen, findings: known };
    },
    async history() {
      return (await names()).slice(0, HISTORY).flatMap(({ metadata }) => summaryOf(metadata) ?? []);
    },
    async lastOfDays(days) {
      const last = new Map<string, DriftSummary>();
      for (const month of monthsOf(days)) {
        for (const { name, metadata } of await names(month)) {
          const day = name.slice(0, 10);
          const summary = last.has(day) || !days.includes(day) ? undefined : summaryOf(metadata);
          if (summary) last.set(day, summary);
        }
      }
      return last;
    },
    write: (whole) => writeReport(container, whole),
    merge: (change) => mergeInto(container, async () => (await names())[0]?.name, change),
  };
}

async function mergeInto(
  container: ContainerClient,
  newest: () => Promise<string | undefined>,
  change: (report: WholeReport) => WholeReport,
): Promise<WholeReport | undefined> {
  for (let tries = 1; ; tries += 1) {
    const name = await newest();
    if (name === undefined) return undefined;
    const [report, details] = await Promise.all([
      readDocument(container, REPORTS + name),
      readDocument(container, DETAILS + name),
    ]);
    if (!report) return undefined;
    const parsed = parseReport(report.text);
    const whole = change({ ...parsed, ...parseDetails(details?.text, parsed) });
    try {
      await writeReport(container, whole, { report: report.etag, details: details?.etag });
      return whole;
    } catch (error) {
      if (tries >= MOST_MERGES || describeFailure(error).kind !== 'conflict') throw error;
    }
  }
}

/** First what the report leaves out: a report that is there can be read whole. @param etags of the parts that it replaces */
async function writeReport(
  container: ContainerClient,
  whole: WholeReport,
  etags: { readonly report?: string; readonly details?: string | undefined } = {},
): Promise<void> {
  const { id, startedOn, complete, counts } = whole;
  const name = nameOf(whole);
  await uploadPieces(container, DETAILS + name, () => packDetails(detailsOf(whole)), etags.details);
  // Enough for the history without opening each report.
  const summary = JSON.stringify({ id, startedOn, complete, counts } satisfies DriftSummary);
  await uploadText(container, REPORTS + name, JSON.stringify(shorten(whole)), { summary }, etags.report);
}

function nameOf({ id, startedOn }: Pick<DriftReport, 'id' | 'startedOn'>): string {
  return `${startedOn.replaceAll(':', '-')}_${id}.json`;
}

function runningChecks(container: ContainerClient): RunningChecks {
  const nameOf = (id: string): string => `${RUNNING}${id}.json`;
  return {
    begin: (check) => uploadText(container, nameOf(check.id), JSON.stringify(check), { startedon: check.startedOn }),
    async begun(id) {
      const text = await downloadText(container, nameOf(id));
      return text === undefined ? undefined : RUNNING_CHECK.safeParse(JSON.parse(text)).data;
    },
    end: (id) => removeBlob(container, nameOf(id)),
    async forget(before) {
      for (const { name, metadata } of await listBlobs(container, RUNNING, { includeMetadata: true })) {
        if (!(Date.parse(metadata?.startedon ?? '') >= before.getTime())) await removeBlob(container, name);
      }
    },
  };
}

function unfinishedChecks(container: ContainerClient): UnfinishedChecks {
  return {
    async unfinished(since) {
      const results: SubscriptionResult[] = [];
      for (const { name, properties } of await listBlobs(container, UNFINISHED)) {
        if (properties.lastModified < since) continue;
        const text = await downloadText(container, name);
        const result = text === undefined ? undefined : SUBSCRIPTION_RESULT.safeParse(JSON.parse(text)).data;
        if (result) results.push(result);
      }
      return results;
    },
    putAside: (result) => uploadText(container, `${UNFINISHED}${result.id}.json`, JSON.stringify(result)),
    async finished() {
      for (const { name } of await listBlobs(container, UNFINISHED)) await removeBlob(container, name);
    },
  };
}

function summaryOf(metadata: Record<string, string>): DriftSummary | undefined {
  return DRIFT_SUMMARY.safeParse(parseJson(metadata.summary ?? '')).data;
}

/** The first version of the format: no causes, and every finding in the report itself. */
const FIRST = DRIFT_REPORT.omit({ causes: true }).extend({
  version: z.literal(1),
  findings: z.array(FINDING.omit({ cause: true, command: true })),
  unseen: z.array(UNSEEN).default([]),
});

/** A report as it is kept. In the first version, before there were causes, it had everything in it. */
export function parseReport(text: string): WholeReport {
  const document: unknown = JSON.parse(text);
  const first = FIRST.safeParse(document).data;
  if (!first) return { ...DRIFT_REPORT.parse(document), unseen: [] };
  // What they are about is not known: those of one reason are one cause.
  const findings = first.findings.map((finding) => {
    const id = createHash('sha256').update(finding.reason).digest('hex').slice(0, 16);
    return { ...finding, cause: { id, reason: finding.reason, about: [] } };
  });
  const counts = { ...first.counts, unseen: first.unseen.length };
  return { ...first, version: 2, counts, findings, causes: causesOf(findings, first.fixes) };
}

/** @param kept what is kept beside the report; undefined: nothing, as with a report of the first version */
export function parseDetails(kept: string | undefined, report: WholeReport): DriftDetails {
  return kept === undefined ? report : unpackDetails(kept);
}
