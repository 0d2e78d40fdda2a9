import { benchDrift, type DriftBench } from './drift.ts';
import { benchRevoke, type RevokeBench } from './revoke.ts';
import { benchRotation, type RotationBench } from './rotation.ts';

export type Result =
  | ({ readonly kind: 'rotation' } & RotationBench)
  | ({ readonly kind: 'drift' } & DriftBench)
  | ({ readonly kind: 'revoke' } & RevokeBench);

/** What is promised of a shape; each is printed beside what was measured. */
export interface Promises {
  /** Times what the app's share of the budgets needs. */
  readonly ratio?: number;
  /** Requests to Azure an account, until the last one has moved; lists of encryption scopes apart. */
  readonly requests?: number;
  /** Part of all requests that is refused with 429. */
  readonly refused?: number;
  readonly peakMiB?: number;
  readonly seconds?: number;
  readonly firstSeconds?: number;
  readonly beside?: Beside;
}

/** What a shape may be beside one that was measured before it. */
export interface Beside {
  readonly shape: string;
  /** All requests to Azure, at most so many times the other's. */
  readonly requests?: number;
  /** Those that are refused with 429, likewise. */
  readonly throttled?: number;
}

export interface Shape {
  readonly name: string;
  readonly title: string;
  readonly promises: Promises;
  readonly run: () => Promise<Result>;
}

const MOVED: Promises = { ratio: 1.1, requests: 2.1, refused: 0.005, peakMiB: 200 };
/** Where the budgets allow more than the local Azure and Azurite can serve, the time is theirs: bench/RESULTS.md. */
const SPREAD: Promises = { requests: 2.3, refused: 0.005, peakMiB: 200 };
const CHECKED: Promises = { refused: 0.005, peakMiB: 200 };

const rotation = (
  name: string,
  title: string,
  options: Parameters<typeof benchRotation>[0],
  promises = MOVED,
): Shape => ({
  name,
  title,
  promises,
  run: async () => ({ kind: 'rotation', ...(await benchRotation(options)) }),
});

const drift = (name: string, title: string, options: Parameters<typeof benchDrift>[0], promises = CHECKED): Shape => ({
  name,
  title,
  promises,
  run: async () => ({ kind: 'drift', ...(await benchDrift(options)) }),
});

const revoke = (
  name: string,
  accounts: number,
  subscriptions: number,
  promises: Promises = { seconds: 5, refused: 0.005, peakMiB: 200 },
): Shape => ({
  name,
  title: `Revocation of a key with ${accounts} dependents`,
  promises,
  run: async () => ({ kind: 'revoke', ...(await benchRevoke({ accounts, subscriptions })) }),
});

const THREE_REGIONS = ['westeurope', 'northeurope', 'uksouth'];
const EIGHT: Promises = { firstSeconds: 1.5, seconds: 2.5, refused: 0.005, peakMiB: 200 };
const TEN_REGIONS = Array.from({ length: 10 }, (_, index) => `region${index}`);
const KILLED: Promises = { refused: 0.005, peakMiB: 200 };

/** The same with one, three and ten instances. */
const byInstances = (
  name: string,
  title: string,
  options: Parameters<typeof benchRotation>[0],
  promises: Promises,
): readonly Shape[] =>
  [1, 3, 10].map((instances) =>
    rotation(
      instances === 1 ? name : `${name}-${instances}`,
      instances === 1 ? title : `The same, ${instances} instances`,
      { ...options, instances },
      promises,
    ),
  );

/** The shapes that hurt. */
export const SHAPES: readonly Shape[] = [
  rotation('eight', 'Eight accounts, as on the sample fleet', { accounts: 8 }, EIGHT),
  rotation('cell-100', '100 accounts in one subscription and region', { accounts: 100 }, { ...MOVED, ratio: 1.3 }),
  rotation('cell-500', '500 accounts in one subscription and region', { accounts: 500 }),
  rotation('cell-1200', '1,200 accounts in one subscription and region', { accounts: 1_200 }),
  rotation(
    'three-instances',
    '500 accounts in one subscription and region, three instances',
    { accounts: 500, instances: 3 },
    { ...MOVED, beside: { shape: 'cell-500', throttled: 1 } },
  ),
  rotation(
    'spread-500',
    '500 accounts in two subscriptions and three regions',
    { accounts: 500, subscriptions: 2, regions: THREE_REGIONS },
    { ...SPREAD, ratio: 1.3 },
  ),
  rotation(
    'killed',
    'The same, killed with SIGKILL halfway and started again',
    { accounts: 500, subscriptions: 2, regions: THREE_REGIONS, killHalfway: true },
    KILLED,
  ),
  rotation(
    'one-key-2000',
    'One key, 2,000 accounts in eight subscriptions',
    { accounts: 2_000, subscriptions: 8 },
    { ...SPREAD, ratio: 1.5 },
  ),
  rotation(
    'keys-20',
    '20 keys at once, 2,000 accounts in eight subscriptions',
    { accounts: 2_000, subscriptions: 8, keys: 20 },
    { ...SPREAD, ratio: 1.7, beside: { shape: 'one-key-2000', requests: 1.2 } },
  ),
  ...[0, 200, 500].map((vaultMs) =>
    rotation(
      vaultMs === 0 ? 'keys-100' : `keys-100-${vaultMs}`,
      vaultMs === 0 ? '100 accounts on 100 keys in one region' : `The same, and Key Vault takes ${vaultMs} ms`,
      { accounts: 100, keys: 100, ...(vaultMs === 0 ? {} : { vaultMs }) },
      // The budgets need 9 s.
      { seconds: 12, refused: 0.005, peakMiB: 200 },
    ),
  ),
  rotation('spread-5000', '5,000 accounts in 40 subscriptions', { accounts: 5_000, subscriptions: 40 }, SPREAD),
  ...byInstances(
    'subs-1000',
    '1,000 subscriptions of three accounts',
    { accounts: 3_000, subscriptions: 1_000, regions: THREE_REGIONS },
    SPREAD,
  ),
  // One worker has each of these, whatever the number of instances.
  rotation('regions-10', '5,000 accounts in one subscription and ten regions', {
    accounts: 5_000,
    regions: TEN_REGIONS,
  }),
  rotation(
    'hang',
    '200 accounts in one subscription; one region hangs, and one answers',
    { accounts: 200, regions: THREE_REGIONS.slice(0, 2), hanging: 'northeurope' },
    // The budgets need 9 s. Calls of the region that hangs are requests, too.
    { seconds: 15, refused: 0.005, peakMiB: 200 },
  ),
  rotation(
    'slow',
    '500 accounts in one subscription and region, and each PATCH takes 20 s',
    { accounts: 500, patchMs: 20_000 },
    // The budgets need 49 s, and the last PATCH 20 s more.
    { ...MOVED, ratio: 1.6 },
  ),
  rotation(
    'scopes-1000',
    '200 accounts in one subscription and region; one has 1,000 scopes on as many other keys',
    { accounts: 200, scopes: 1_000 },
    { ...MOVED, ratio: 1.3 },
  ),
  drift('drift-10000', 'Drift check of 10,000 accounts in 40 subscriptions', { accounts: 10_000 }),
  drift('drift-findings', 'The same, and each has a finding', { accounts: 10_000, stale: true }),
  drift('drift-50000', 'Drift check of 50,000 accounts in 40 subscriptions', { accounts: 50_000 }),
  drift('drift-100000', 'Drift check of 100,000 accounts in 40 subscriptions', { accounts: 100_000 }),
  revoke('revoke-5000', 5_000, 40),
];

/** Of small shapes, on a machine that does other things too: no times. */
const SMALL: Promises = { peakMiB: 200 };

/** Small ones, which show that it all still works, and in how much memory. */
export const QUICK: readonly Shape[] = [
  rotation('keys', 'Two keys at once, 30 accounts, two instances', { accounts: 30, keys: 2, instances: 2 }, SMALL),
  drift(
    'drift',
    'Drift check of 1,200 accounts in eight subscriptions, and each has a finding',
    // No region has more than its budget for lists of encryption scopes lets the first start read at once.
    { accounts: 1_200, subscriptions: 8, stale: true },
    SMALL,
  ),
  revoke('revoke', 50, 2, SMALL),
];
