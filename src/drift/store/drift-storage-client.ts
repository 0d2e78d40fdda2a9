import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { TokenCredential } from '@azure/identity';
import type { ContainerClient } from '@azure/storage-blob';
import { z } from 'zod';
import { controlContainer, controlTable, DRIFT_CONTAINER, workQueues } from '../../azure/app-storage.ts';
import { downloadText, listBlobs, readDocument, removeBlob, uploadText } from '../../azure/blobs.ts';
import { describeFailure } from '../../azure/failure.ts';
import { DEAD_LETTER_CONTAINER } from '../../events/subscription.ts';
import type { Settings } from '../../settings/settings.ts';
import { parseJson } from '../../text.ts';
import { detailsOf, shorten } from '../causes.ts';
import { RUNNING_CHECK, type RunningCheck } from '../drift-run.ts';
import { MANAGED_MEMORY, type ManagedMemory } from '../managed-accounts.ts';
import {
  DRIFT_DETAILS,
  DRIFT_REPORT,
  DRIFT_SUMMARY,
  type DriftDetails,
  type DriftReport,
  type DriftSummary,
  type ReportBefore,
  type WholeReport,
} from '../report.ts';
import { KEPT_DAY, type KeptDay, monthsOf, type TrendStore } from '../trend.ts';
import { type AppState, appState, LEGACY_APPROVALS } from './app-state-client.ts';

const REPORTS = 'reports/';
/** Folder of the details that a report omits, under the report's name. */
const DETAILS = 'findings/';
/** Maximum number of attempts of a conflicting merge. */
const MOST_MERGES = 5;
const RUNNING = 'running/';
const MANAGED_ACCOUNTS = 'managed-accounts.json';
/** Table of version 2. */
const LEGACY_REKEYS = 'cmkrekeys';
/** Maximum number of reports in the history. */
const HISTORY = 200;

// The drift check's data in the app's own storage. Throws the SDK's errors.

/** The reports. */
export type ReportStore = ReturnType<typeof reportStore>;
/** The checks in progress on all instances. */
export type RunningChecks = ReturnType<typeof runningChecks>;
/** The accounts that used a managed key in earlier checks. */
export type AccountMemoryStore = ReturnType<typeof accountMemory>;
export type DriftStorage = ReportStore & RunningChecks & AccountMemoryStore & TrendStore & AppState;

export function createDriftStorage(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
): DriftStorage {
  const queues = workQueues(settings, credential);
  const container = controlContainer(settings, credential, DRIFT_CONTAINER);
  return {
    ...reportStore(container),
    ...runningChecks(container),
    ...accountMemory(container),
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

function reportStore(container: ContainerClient) {
  const read = async (name: string | undefined): Promise<WholeReport | undefined> => {
    const text = name === undefined ? undefined : await downloadText(container, REPORTS + name);
    return text === undefined ? undefined : parseReport(text);
  };
  const restOf = async (report: WholeReport): Promise<DriftDetails> =>
    parseDetails(await downloadText(container, detailsName(nameOf(report))), report);
  /** Newest first, because names begin with the time. */
  const list = async (day = '') => {
    const found = await listBlobs(container, REPORTS + day, { includeMetadata: true });
    return found
      .map(({ name, metadata = {} }) => ({ name: name.slice(REPORTS.length), metadata }))
      .sort((a, b) => (a.name < b.name ? 1 : -1));
  };
  const newest = async () => read((await list())[0]?.name);
  const short = (report: WholeReport | undefined): DriftReport | undefined => report && shorten(report);
  return {
    newest: async () => short(await newest()),
    async get(id: string) {
      return short(await read((await list()).find(({ name }) => name.endsWith(`_${id}.json`))?.name));
    },
    /**
     * The newest report of the given days (`2026-11-25`). One list request per day, regardless of the number of
     * reports.
     */
    async newestOn(days: readonly string[]) {
      const names = (await Promise.all(days.map(list))).flat().map(({ name }) => name);
      return short(await read(names.sort().at(-1)));
    },
    /** The details that a report omits; undefined if the report no longer exists. */
    async details(of: Pick<DriftReport, 'id' | 'startedOn'>): Promise<DriftDetails | undefined> {
      const report = await read(nameOf(of));
      return report && restOf(report);
    },
    /** The fields of the newest report that the next check needs. */
    async before(): Promise<ReportBefore | undefined> {
      const report = await newest();
      if (!report) return undefined;
      const { startedOn, coverage, trailEnd, changes } = report;
      const { findings, unseen } = await restOf(report);
      const known = findings.map(({ id, reason, resource, since, changedBy }) => {
        return { id, reason, resource, since, ...(changedBy ? { changedBy } : {}) };
      });
      return { startedOn, coverage, trailEnd, changes, unseen, findings: known };
    },
    /** Newest first. */
    async history(): Promise<DriftSummary[]> {
      return (await list()).slice(0, HISTORY).flatMap(({ metadata }) => summaryOf(metadata) ?? []);
    },
    write: (whole: WholeReport) => writeReport(container, whole),
    /**
     * Changes the newest report under the ETags of its parts. Calls `change` again after a conflict. Undefined if no
     * report exists.
     */
    merge: (change: (report: WholeReport) => WholeReport) =>
      mergeInto(container, async () => (await list())[0]?.name, change),
  };
}

function accountMemory(container: ContainerClient) {
  return {
    async managedAccounts(): Promise<ManagedMemory> {
      const text = await downloadText(container, MANAGED_ACCOUNTS);
      return text === undefined ? {} : MANAGED_MEMORY.parse(JSON.parse(text));
    },
    /** The last of two concurrent checks wins, because both wrote recent data. */
    rememberAccounts: (memory: ManagedMemory) => uploadText(container, MANAGED_ACCOUNTS, JSON.stringify(memory)),
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
      readDocument(container, detailsName(name)),
    ]);
    if (!report) return undefined;
    const parsed = parseReport(report.text);
    if (!parsed) return undefined;
    const whole = change({ ...parsed, ...(await parseDetails(details?.text, parsed)) });
    try {
      await writeReport(container, whole, { report: report.etag, details: details?.etag });
      return whole;
    } catch (error) {
      if (tries >= MOST_MERGES || describeFailure(error).kind !== 'conflict') throw error;
    }
  }
}

/** Writes the details first, so that an existing report is always complete. @param etags of the replaced parts */
async function writeReport(
  container: ContainerClient,
  whole: WholeReport,
  etags: { readonly report?: string; readonly details?: string | undefined } = {},
): Promise<void> {
  const { id, startedOn, complete, counts } = whole;
  const name = nameOf(whole);
  await uploadText(container, detailsName(name), await packDetails(detailsOf(whole)), {}, etags.details);
  // The history reads this summary without downloading each report.
  const summary = JSON.stringify({ id, startedOn, complete, counts } satisfies DriftSummary);
  await uploadText(container, REPORTS + name, JSON.stringify(shorten(whole)), { summary }, etags.report);
}

function nameOf({ id, startedOn }: Pick<DriftReport, 'id' | 'startedOn'>): string {
  return `${startedOn.replaceAll(':', '-')}_${id}.json`;
}

/** Compressed, because findings repeat texts: ten thousand findings of one cause need some hundred kilobytes. */
function detailsName(name: string): string {
  return `${DETAILS}${name}.gz`;
}

function runningChecks(container: ContainerClient) {
  const nameOf = (id: string): string => `${RUNNING}${id}.json`;
  return {
    /** Stores that a check has begun, or why it has no report. */
    begin: (check: RunningCheck) =>
      uploadText(container, nameOf(check.id), JSON.stringify(check), { startedon: check.startedOn }),
    /** A check without a report yet; undefined if no such check exists or its report is written. */
    async begun(id: string): Promise<RunningCheck | undefined> {
      const text = await downloadText(container, nameOf(id));
      return text === undefined ? undefined : RUNNING_CHECK.safeParse(JSON.parse(text)).data;
    },
    /** Deletes the entry after the report is written. */
    end: (id: string) => removeBlob(container, nameOf(id)),
    /** Deletes unfinished checks that began earlier. */
    async forget(before: Date): Promise<void> {
      for (const { name, metadata } of await listBlobs(container, RUNNING, { includeMetadata: true })) {
        if (!(Date.parse(metadata?.startedon ?? '') >= before.getTime())) await removeBlob(container, name);
      }
    },
  };
}

/** Stores a small blob per day. Its metadata repeats the content, so one list returns all days. */
function trendStore(container: ContainerClient): TrendStore {
  return {
    async trendDays(days) {
      const kept = new Map<string, KeptDay>();
      for (const month of monthsOf(days)) {
        for (const { metadata } of await listBlobs(container, `trend/${month}`, { includeMetadata: true })) {
          const day = KEPT_DAY.safeParse(parseJson(metadata?.day ?? '')).data;
          if (day) kept.set(day.day, day);
        }
      }
      return kept;
    },
    keepTrendDay(day) {
      const text = JSON.stringify(day);
      return uploadText(container, `trend/${day.day}.json`, text, { day: text });
    },
  };
}

function summaryOf(metadata: Record<string, string>): DriftSummary | undefined {
  return DRIFT_SUMMARY.safeParse(parseJson(metadata.summary ?? '')).data;
}

/** Undefined for the first version of the format. */
function parseReport(text: string): WholeReport | undefined {
  const document: unknown = JSON.parse(text);
  if (z.object({ version: z.literal(1) }).safeParse(document).success) return undefined;
  return { ...DRIFT_REPORT.parse(document), unseen: [] };
}

/** Compressed and encoded in Base64. */
async function packDetails(details: DriftDetails): Promise<string> {
  return (await promisify(gzip)(JSON.stringify(details))).toString('base64');
}

/** @param kept undefined if the report has no separate details, as in earlier versions */
async function parseDetails(kept: string | undefined, report: WholeReport): Promise<DriftDetails> {
  if (kept === undefined) return report;
  const text = (await promisify(gunzip)(Buffer.from(kept, 'base64'))).toString();
  return DRIFT_DETAILS.parse(JSON.parse(text));
}
