import type { TokenCredential } from '@azure/identity';
import type { ContainerClient } from '@azure/storage-blob';
import { DRIFT_CONTAINER, openControlContainer } from '../../azure/app-storage.ts';
import { downloadText, listBlobs, readDocument, removeBlob, uploadText } from '../../azure/blobs.ts';
import { describeFailure } from '../../azure/failure.ts';
import { parseJson } from '../../azure/parse-json.ts';
import type { Settings } from '../../settings/settings.ts';
import { shorten } from '../report/causes.ts';
import { RUNNING_CHECK, type RunningCheck } from '../report/drift-run.ts';
import { MANAGED_MEMORY, type ManagedMemory } from '../report/managed-accounts.ts';
import {
  DRIFT_REPORT,
  DRIFT_SUMMARY,
  type DriftDetails,
  type DriftReport,
  type DriftSummary,
  type PreviousFinding,
  type ReportBefore,
  type WholeReport,
} from '../report/report.ts';
import { KEPT_DAY, type KeptDay } from '../report/trend.ts';
import { createAppState } from './app-state-client.ts';
import { compressDetails, joinDetails, readPackedDetails } from './report-details.ts';

const REPORTS = 'reports/';
/** Folder of the details that a report omits, under the report's name. */
const DETAILS = 'findings/';
/** Maximum number of attempts of a conflicting merge. */
const MOST_MERGES = 5;
const RUNNING = 'running/';
const MANAGED_ACCOUNTS = 'managed-accounts.json';
/** Maximum number of reports in the history. */
const HISTORY = 200;

// The drift check's data in the app's own storage. Throws the SDK's errors.

/** The reports. */
export type ReportStore = ReturnType<typeof reportStore>;
/** The accounts that used a managed key in earlier checks. */
export type AccountMemoryStore = ReturnType<typeof accountMemory>;
export type DriftStorage = ReturnType<typeof createDriftStorage>;

export function createDriftStorage(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential) {
  const container = openControlContainer(settings, credential, DRIFT_CONTAINER);
  return {
    ...reportStore(container),
    ...runningChecks(container),
    ...accountMemory(container),
    ...trendStore(container),
    ...createAppState(settings, credential),
  };
}

function reportStore(container: ContainerClient) {
  const read = async (name: string | undefined): Promise<DriftReport | undefined> => {
    const text = name === undefined ? undefined : await downloadText(container, REPORTS + name);
    return text === undefined ? undefined : parseReport(text);
  };

  /** Newest first, because names begin with the time. */
  const list = async (day = '') => {
    const found = await listBlobs(container, REPORTS + day, { includeMetadata: true });
    return found
      .map(({ name, metadata = {} }) => ({ name: name.slice(REPORTS.length), metadata }))
      .sort((a, b) => (a.name < b.name ? 1 : -1));
  };

  const newestWhole = async () => readWhole(container, (await list())[0]?.name);

  return {
    newest: async () => read((await list())[0]?.name),
    async get(id: string) {
      return read((await list()).find(({ name }) => name.endsWith(`_${id}.json`))?.name);
    },
    /**
     * The newest report of the given days (`2026-11-25`). One list request per day, regardless of the number of
     * reports.
     */
    async newestOn(days: readonly string[]) {
      const names = (await Promise.all(days.map(list))).flat().map(({ name }) => name);
      return read(names.sort().at(-1));
    },
    /** The details that a report omits; undefined if the report no longer exists. */
    async details(of: Pick<DriftReport, 'id' | 'startedOn'>): Promise<DriftDetails | undefined> {
      const packed = await downloadText(container, detailsName(nameOf(of)));
      return packed === undefined ? undefined : joinDetails(readPackedDetails(packed));
    },
    /** The fields of the newest report that the next check needs. */
    async before(): Promise<ReportBefore | undefined> {
      const newest = await openReport(container, (await list())[0]?.name);
      if (!newest) return undefined;

      const { startedOn, coverage, trailEnd, openRevocations, drills, changes } = newest.report;
      const previous: Pick<WholeReport, 'unseen'> & { findings: PreviousFinding[] } = { unseen: [], findings: [] };

      for await (const { findings = [], unseen = [] } of newest.detailLines) {
        previous.unseen.push(...unseen);

        for (const { id, reason, resource, since, changedBy } of findings) {
          previous.findings.push({ id, reason, resource, since, ...(changedBy ? { changedBy } : {}) });
        }
      }

      return { startedOn, coverage, trailEnd, openRevocations, drills, changes, ...previous };
    },
    /** Newest first. */
    async history(): Promise<DriftSummary[]> {
      const newest = (await list()).slice(0, HISTORY);
      return newest.flatMap(({ metadata }) => DRIFT_SUMMARY.safeParse(parseJson(metadata.summary ?? '')).data ?? []);
    },
    write: (whole: WholeReport) => writeReport(container, whole),
    /**
     * Changes the newest report under the ETags of its parts. Calls `change` again after a conflict. Undefined if no
     * report exists.
     */
    async merge(change: (report: WholeReport) => WholeReport): Promise<WholeReport | undefined> {
      for (let tries = 1; ; tries += 1) {
        const newest = await newestWhole();
        if (!newest) return undefined;

        const whole = change(newest.whole);
        try {
          await writeReport(container, whole, newest.etags);
          return whole;
        } catch (error) {
          if (tries >= MOST_MERGES || describeFailure(error).kind !== 'conflict') throw error;
        }
      }
    },
  };
}

/** Undefined for a report of version 1: the next check writes a new one. */
function parseReport(text: string): DriftReport | undefined {
  const document = JSON.parse(text) as { readonly version?: unknown };
  return document.version === 1 ? undefined : DRIFT_REPORT.parse(document);
}

/**
 * Downloads a report and its details, and parses the details line by line. Undefined if either blob does not exist.
 */
async function openReport(container: ContainerClient, name: string | undefined) {
  if (name === undefined) return undefined;
  const [report, details] = await Promise.all([
    readDocument(container, REPORTS + name),
    readDocument(container, detailsName(name)),
  ]);
  if (!report || !details) return undefined;
  const etags = { report: report.etag, details: details.etag };
  return { report: DRIFT_REPORT.parse(JSON.parse(report.text)), detailLines: readPackedDetails(details.text), etags };
}

async function readWhole(container: ContainerClient, name: string | undefined) {
  const found = await openReport(container, name);
  if (!found) return undefined;
  const whole: WholeReport = { ...found.report, ...(await joinDetails(found.detailLines)) };
  return { whole, etags: found.etags };
}

/** Writes the details first, so that an existing report is always complete. @param etags of the replaced parts */
async function writeReport(
  container: ContainerClient,
  whole: WholeReport,
  etags: { readonly report?: string; readonly details?: string } = {},
): Promise<void> {
  const { id, startedOn, complete, counts } = whole;
  const name = nameOf(whole);
  await uploadText(container, detailsName(name), await compressDetails(whole), {
    conditions: { ifMatch: etags.details },
  });

  // The history reads this summary without downloading each report.
  const summary = JSON.stringify({ id, startedOn, complete, counts } satisfies DriftSummary);
  const options = { metadata: { summary }, conditions: { ifMatch: etags.report } };
  await uploadText(container, REPORTS + name, JSON.stringify(shorten(whole)), options);
}

function nameOf({ id, startedOn }: Pick<DriftReport, 'id' | 'startedOn'>): string {
  return `${startedOn.replaceAll(':', '-')}_${id}.json`;
}

function detailsName(name: string): string {
  return `${DETAILS}${name}.gz`;
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

function runningChecks(container: ContainerClient) {
  const fileOf = (id: string): string => `${RUNNING}${id}.json`;

  return {
    /** Stores that a check has begun, or why it has no report. */
    begin: (check: RunningCheck) => uploadText(container, fileOf(check.id), JSON.stringify(check)),
    /** A check without a report yet; undefined if no such check exists or its report is written. */
    async begun(id: string): Promise<RunningCheck | undefined> {
      const text = await downloadText(container, fileOf(id));
      return text === undefined ? undefined : RUNNING_CHECK.safeParse(JSON.parse(text)).data;
    },
    /** Deletes the entry after the report is written. */
    end: (id: string) => removeBlob(container, fileOf(id)),
    /** Deletes checks without a report that were stored earlier. */
    async forget(before: Date): Promise<void> {
      for (const { name, properties } of await listBlobs(container, RUNNING)) {
        if (properties.lastModified < before) await removeBlob(container, name);
      }
    },
  };
}

/** Stores a small blob per day. Its metadata repeats the content, so one list returns all days. */
function trendStore(container: ContainerClient) {
  return {
    /** The stored days, by day. */
    async trendDays(): Promise<ReadonlyMap<string, KeptDay>> {
      const blobs = await listBlobs(container, 'trend/', { includeMetadata: true });
      const days = blobs.flatMap(({ metadata }) => KEPT_DAY.safeParse(parseJson(metadata?.day ?? '')).data ?? []);
      return new Map(days.map((day) => [day.day, day]));
    },
    keepTrendDay(day: KeptDay) {
      const text = JSON.stringify(day);
      return uploadText(container, `trend/${day.day}.json`, text, { metadata: { day: text } });
    },
  };
}
