import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { benchFleet } from '../local/azure/bench-fleet.ts';
import { CLIENT_IDS, CMK_API_AUDIENCE } from '../local/azure/constants.ts';
import { startLocalAzure } from '../local/azure/server.ts';
import { appEnvironment, appSettings } from '../local/run/app-environment.ts';
import { createAppStorage } from '../local/run/app-storage-client.ts';
import { startAzurite } from '../local/run/azurite.ts';
import { freePort } from '../local/run/free-port.ts';
import { bundleHost } from '../local/run/host-bundle.ts';
import { bundle } from '../scripts/bundle.ts';
import type { DriftReport } from '../src/drift/report.ts';
import { AppProcess } from './app-process.ts';

export interface DriftOptions {
  readonly accounts?: number;
  readonly subscriptions?: number;
  readonly regions?: readonly string[];
  /** Accounts on a page of ARM's list. */
  readonly pageSize?: number;
}

export interface DriftBench {
  readonly accounts: number;
  readonly subscriptions: number;
  /** From the start of the check to its report. */
  readonly seconds: number;
  readonly accountsPerSecond: number;
  /** Lists of storage accounts: one for each subscription and page. */
  readonly accountLists: number;
  /** What that comes to: the pages of all subscriptions. */
  readonly leastAccountLists: number;
  /** Lists of encryption scopes: a share of the fleet has its turn in each check. */
  readonly scopeLists: number;
  /** Requests to every service. */
  readonly requests: number;
  readonly throttled: number;
  readonly peakMiB: number | undefined;
  readonly complete: boolean;
  readonly findings: number;
}

const LIMIT_MS = 600_000;

/** Checks a large fleet for drift, as the deployed app in its host, against the documented budgets. */
export async function benchDrift(options: DriftOptions = {}): Promise<DriftBench> {
  const { accounts: size = 10_000, subscriptions = 40, pageSize = 100 } = options;
  const { regions = ['westeurope', 'northeurope', 'uksouth'] } = options;
  const folder = await mkdtemp(join(tmpdir(), 'cmk-bench-'));
  const port = await freePort(0);
  const azure = await startLocalAzure({
    stateDir: folder,
    fleet: 'empty',
    settings: { throttle: true, storageListPageSize: pageSize },
  });
  const azurite = await startAzurite();
  let app: AppProcess | undefined;
  try {
    const { vault, accounts } = benchFleet(azure.world, { accounts: size, subscriptions, regions });
    await createAppStorage(azurite.connectionString);
    const [built, host] = await Promise.all([
      bundle({ outDir: join(folder, 'app'), zip: false }),
      bundleHost(join(folder, 'host.cjs')),
    ]);
    const settings = { ...appSettings(azurite.connectionString, {}), CMK_VAULTS: vault.id, CMK_AUTOFIX: 'none' };
    const env = { ...appEnvironment(settings, azure.env, process.env), PORT: String(port), NODE_NO_WARNINGS: '1' };
    app = new AppProcess(host, built.folder, env);
    await app.ready();

    const operator = azure.world.principals.get(CLIENT_IDS.operator);
    if (!operator) throw new Error('The local tenant has no operator.');
    const authorization = `Bearer ${azure.tokens.issue(operator, CMK_API_AUDIENCE).token}`;
    const since = azure.requests.last;
    const report = await check(`http://127.0.0.1:${port}`, authorization);
    const requests = azure.requests.since(since);
    const about = (pattern: RegExp) => requests.filter(({ path }) => pattern.test(path)).length;
    const seconds = (Date.parse(report.finishedOn) - Date.parse(report.startedOn)) / 1000;
    const perSubscription = new Map<string, number>();
    for (const { id } of accounts) {
      const subscription = id.split('/')[2] ?? '';
      perSubscription.set(subscription, (perSubscription.get(subscription) ?? 0) + 1);
    }
    return {
      accounts: report.coverage.accounts,
      subscriptions,
      seconds,
      accountsPerSecond: report.coverage.accounts / seconds,
      accountLists: about(/^\/subscriptions\/[^/]+\/providers\/Microsoft\.Storage\/storageAccounts\?/i),
      leastAccountLists: [...perSubscription.values()].reduce((pages, count) => pages + Math.ceil(count / pageSize), 0),
      scopeLists: about(/\/encryptionScopes\?/i),
      requests: requests.length,
      throttled: requests.filter(({ status }) => status === 429).length,
      peakMiB: app.peakMiB(),
      complete: report.complete,
      findings: report.findings.length,
    };
  } finally {
    await app?.kill();
    await azurite.stop();
    await azure.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Has an operator start a check, and waits for its report wherever it turns up. */
async function check(host: string, authorization: string): Promise<DriftReport> {
  const headers = { authorization };
  const end = Date.now() + LIMIT_MS;
  let answer = await fetch(`${host}/api/drift`, { method: 'POST', headers });
  const location = answer.headers.get('location');
  while (answer.status === 202 && location && Date.now() < end) {
    await answer.body?.cancel();
    await sleep(500);
    answer = await fetch(`${host}${location}`, { headers });
  }
  if (answer.status !== 200) throw new Error(`The check was answered with ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as DriftReport;
}
