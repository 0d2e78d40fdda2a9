import { benchDrift, type DriftBench } from './drift.ts';
import { benchRotation, type RotationBench } from './rotation.ts';

/** The promises that the figures are held against. */
const MOST_RATIO = 1.3;
const MOST_MIB = 200;
const MOST_DRIFT_MIB = 250;

const USAGE = `npm run bench

Measures the app on the local Azure, and takes some minutes: 500 accounts on one key, the same killed halfway, and drift
checks of 1,000 and 10,000 accounts. Takes no options; ends with 1 when a promise is not kept.`;

/** `npm run bench`: prints what the app takes, beside what Azure's documented budgets allow at best. */
async function main(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    console.log(USAGE);
    return args.every((arg) => arg === '--help' || arg === '-h') ? 0 : 2;
  }
  const plain = await benchRotation();
  const held = show('500 accounts on one key, two subscriptions, three regions', plain);
  const killed = await benchRotation({ killHalfway: true });
  show('The same, killed with SIGKILL halfway and started again', killed);
  const small = await benchDrift({ accounts: 1_000 });
  showDrift('Drift check of 1,000 accounts in 40 subscriptions', small);
  const checked = showDrift('Drift check of 10,000 accounts in 40 subscriptions', await benchDrift());
  return held && killed.poisoned === 0 && checked ? 0 : 1;
}

function show(title: string, bench: RotationBench): boolean {
  const ratio = bench.seconds / bench.leastSeconds;
  console.log(`\n${title}`);
  line('accounts moved', String(bench.accounts));
  line('seconds from the event to the last account', bench.seconds.toFixed(1));
  line('seconds that the documented budgets need for it', bench.leastSeconds.toFixed(1));
  line(`ratio (promised: ${MOST_RATIO} at most)`, ratio.toFixed(2));
  line('requests refused with 429', String(bench.throttled));
  line('requests an account, all services', bench.requestsPerAccount.toFixed(2));
  line('PATCHes', String(bench.patches));
  line(`peak memory of the app in MiB (promised: under ${MOST_MIB})`, bench.peakMiB?.toFixed(0) ?? 'unknown');
  line('messages poisoned', String(bench.poisoned));
  return ratio <= MOST_RATIO && (bench.peakMiB ?? 0) < MOST_MIB && bench.poisoned === 0;
}

function showDrift(title: string, bench: DriftBench): boolean {
  console.log(`\n${title}`);
  line('accounts looked at', String(bench.accounts));
  line('accounts a second', bench.accountsPerSecond.toFixed(0));
  line('seconds', bench.seconds.toFixed(1));
  line(
    'lists of accounts (promised: one a subscription and page)',
    `${bench.accountLists} of ${bench.leastAccountLists}`,
  );
  line('lists of encryption scopes (their turn)', String(bench.scopeLists));
  line('requests, all services', String(bench.requests));
  line('requests refused with 429', String(bench.throttled));
  line(`peak memory of the app in MiB (promised: under ${MOST_DRIFT_MIB})`, bench.peakMiB?.toFixed(0) ?? 'unknown');
  const lists = bench.accountLists <= bench.leastAccountLists;
  return bench.complete && lists && (bench.peakMiB ?? 0) < MOST_DRIFT_MIB;
}

function line(label: string, value: string): void {
  console.log(`  ${label.padEnd(58)}${value}`);
}

// The local Azure and Azurite run in this process, and may still hold the event loop.
process.exit(await main(process.argv.slice(2)));
