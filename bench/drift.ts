import { setTimeout as sleep } from 'node:timers/promises';
import { benchFleet } from '../local/azure/bench-fleet.ts';
import { rotateKey } from '../local/azure/key-vault/keys.ts';
import type { DriftReport } from '../src/drift/report/report.ts';
import type { Requests } from './requests.ts';
import { withRig } from './rig.ts';

export interface DriftOptions {
  readonly accounts: number;
  readonly subscriptions?: number;
  /** Every account is on an older version of its key: a finding each. */
  readonly stale?: boolean;
  /** Accounts on a page of ARM's list. */
  readonly pageSize?: number;
}

export interface DriftBench {
  readonly accounts: number;
  readonly subscriptions: number;
  /** From the start of the check to its report. */
  readonly seconds: number;
  /** What it comes to for lists of accounts: the pages of all subscriptions. */
  readonly leastAccountLists: number;
  readonly all: Requests;
  readonly peakMiB: number | undefined;
  readonly complete: boolean;
  readonly findings: number;
}

const LIMIT_MS = 1_700_000;
const REGIONS = ['westeurope', 'northeurope', 'uksouth'];

/** Checks a large fleet for drift, as the deployed app in its host, against the documented budgets. */
export async function benchDrift(options: DriftOptions): Promise<DriftBench> {
  const { accounts: size, subscriptions = 40, pageSize = 100, stale = false } = options;

  return withRig({ settings: { storageListPageSize: pageSize } }, async (rig) => {
    const { world } = rig.azure;
    const { vault, keyName, accounts } = benchFleet(world, { accounts: size, subscriptions, regions: REGIONS });

    if (stale) {
      // The event is lost, so that only the drift check finds the stale accounts.
      rig.azure.faults.add([{ match: { delivery: true, function: 'keyNewVersionCreated' }, drop: true }]);
      rotateKey(world, vault, keyName);
    }

    await rig.start({ CMK_VAULTS: vault.id, CMK_AUTOFIX: 'none' });

    const report = await check(rig.url, rig.authorization());
    const all = rig.requests(report.finishedOn);

    // Then the workers list the accounts again, for the index.
    while (!(await rig.empty())) await sleep(500);

    const perSubscription = new Map<string, number>();

    for (const { subscriptionId } of accounts.map(({ id }) => ({ subscriptionId: id.split('/')[2] ?? '' }))) {
      perSubscription.set(subscriptionId, (perSubscription.get(subscriptionId) ?? 0) + 1);
    }

    const pages = [...perSubscription.values()].map((count) => Math.ceil(count / pageSize));

    return {
      accounts: report.coverage.accounts,
      subscriptions,
      seconds: (Date.parse(report.finishedOn) - Date.parse(report.startedOn)) / 1000,
      leastAccountLists: pages.reduce((sum, count) => sum + count, 0),
      all,
      peakMiB: rig.peakMiB(),
      complete: report.complete,
      findings: report.findings.length,
    };
  });
}

/** Has an operator start a check, and waits for its report wherever it turns up. */
async function check(host: string, authorization: string): Promise<DriftReport> {
  const headers = { authorization };
  const end = Date.now() + LIMIT_MS;
  let answer = await fetch(`${host}/api/drift`, { method: 'POST', headers });
  const location = answer.headers.get('location');

  // 503: on a busy machine the app's storage is late at times, and the app says to ask again.
  while ([202, 503].includes(answer.status) && location && Date.now() < end) {
    await answer.body?.cancel();
    await sleep(500);
    answer = await fetch(`${host}${location}`, { headers });
  }

  if (answer.status !== 200) throw new Error(`The check was answered with ${answer.status}: ${await answer.text()}`);

  return (await answer.json()) as DriftReport;
}
