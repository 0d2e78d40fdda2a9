import { benchRotation, type RotationBench } from './rotation.ts';

/** The promises that the figures are held against. */
const MOST_RATIO = 1.3;
const MOST_MIB = 200;

/** `npm run bench`: prints what the app takes, beside what Azure's documented budgets allow at best. */
async function main(): Promise<number> {
  const plain = await benchRotation();
  const held = show('500 accounts on one key, two subscriptions, three regions', plain);
  const killed = await benchRotation({ killHalfway: true });
  show('The same, killed with SIGKILL halfway and started again', killed);
  return held && killed.poisoned === 0 ? 0 : 1;
}

function show(title: string, bench: RotationBench): boolean {
  const ratio = bench.seconds / bench.leastSeconds;
  const line = (label: string, value: string) => console.log(`  ${label.padEnd(52)}${value}`);
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

// The local Azure and Azurite run in this process, and may still hold the event loop.
process.exit(await main());
