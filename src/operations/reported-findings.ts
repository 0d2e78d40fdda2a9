import { z } from 'zod';
import type { TokenCredential } from '../azure/credential.ts';
import { timeBoxed, untilAborted } from '../azure/deadline.ts';
import { describeFailure, errorText } from '../azure/failure.ts';
import { type DriftDetails, FINDING } from '../drift/report.ts';
import { ReportedFindings } from '../drift/reported-findings.ts';
import { knowsAppStorage } from '../settings/own-storage.ts';
import { type Environment, readStorageSettings } from '../settings/settings.ts';
import { type AppApi, appApi } from './app-api.ts';
import type { Azure } from './operator-azure.ts';

/** What the newest drift check found; or why that is not known, as the end of a sentence. */
export type Reported = ReportedCheck | { readonly unread: string };
interface ReportedCheck {
  /** When it began (ISO 8601). */
  readonly startedOn: string;
  readonly findings: ReportedFindings;
}

/** Nobody waits longer for what is only beside what was asked for. Milliseconds. */
const MOST_MS = 5_000;
/** Of what somebody else says, in characters. */
const MOST_SAID = 500;

const UNKNOWN =
  "the app's storage is not known (AzureWebJobsStorage__accountName), nor its API (CMK_API, CMK_API_AUDIENCE)";
const NONE = { unread: 'no drift check of the app has ended yet' };

/**
 * Reads what the newest drift check of the app found, on the operator's own sign-in: in the app's storage, else from the
 * app. It needs neither, takes a few seconds at most, and throws nothing.
 *
 * @param credential undefined: neither is asked
 */
export async function readReported(
  environment: Environment,
  azure: Pick<Azure, 'cloud'>,
  credential: (() => TokenCredential) | undefined,
): Promise<Reported> {
  const { CMK_API: api, CMK_API_AUDIENCE: audience } = environment;
  if (!credential) return { unread: UNKNOWN };
  if (knowsAppStorage(environment)) {
    return inTime(() => fromStorage({ ...environment, AZURE_CLOUD: azure.cloud.name }, credential));
  }
  if (api && audience) return inTime((signal) => fromApi(appApi(api, audience, credential()), signal));
  return { unread: UNKNOWN };
}

/** What is not to be had in time is not waited for, nor asked for any longer. */
function inTime(read: (signal: AbortSignal) => Promise<Reported>): Promise<Reported> {
  return timeBoxed(async (signal) => {
    try {
      const reading = read(signal);
      if (await untilAborted(reading, signal)) return await reading;
    } catch (error) {
      if (!signal.aborted) return { unread: await whyUnread(error) };
    }
    return { unread: `the newest drift report was not to be had within ${MOST_MS / 1_000} s` };
  }, MOST_MS);
}

async function whyUnread(error: unknown): Promise<string> {
  const [issue] = error instanceof z.ZodError ? error.issues : [];
  const detail = issue
    ? `it has another form than this version reads (${issue.path.join('.') || 'all of it'}: ${issue.message})`
    : errorText(error);
  const why = `the newest drift report cannot be read: ${detail.replace(/\s+/g, ' ').slice(0, MOST_SAID)}`;
  if (describeFailure(error).status !== 403) return why;
  const { DRIFT_CONTAINER } = await import('../azure/app-storage.ts');
  return `${why} It takes the role Storage Blob Data Reader on the container ${DRIFT_CONTAINER}, and a network that the storage's firewall lets in.`;
}

async function fromStorage(environment: Environment, credential: () => TokenCredential): Promise<Reported> {
  const { createDriftStorage } = await import('../drift/store/drift-storage-client.ts');
  const storage = createDriftStorage(readStorageSettings(environment), credential);
  const report = await storage.newest();
  const details = report && (await storage.details(report));
  return report && details ? check(report.startedOn, details.findings) : NONE;
}

const REPORT = z.object({ startedOn: z.iso.datetime() });
const PAGE = z.object({
  value: z.array(FINDING),
  // Nothing else is asked, and nobody else: it is put behind the address, and the token goes there.
  nextLink: z
    .string()
    .regex(/^\/api\/drift\//)
    .optional(),
});

async function fromApi(api: AppApi, signal: AbortSignal): Promise<Reported> {
  const { startedOn } = await api.get('/drift', REPORT, signal);
  const findings: DriftDetails['findings'] = [];
  for (let path: string | undefined = '/drift/newest/findings'; path !== undefined; ) {
    const page: z.output<typeof PAGE> = await api.get(path, PAGE, signal);
    findings.push(...page.value);
    path = page.nextLink?.replace(/^\/api/, '');
  }
  return check(startedOn, findings);
}

function check(startedOn: string, findings: DriftDetails['findings']): ReportedCheck {
  return { startedOn, findings: new ReportedFindings({ findings, untoldAccess: undefined }) };
}
