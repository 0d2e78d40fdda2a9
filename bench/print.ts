import type { Requests } from './requests.ts';
import type { Beside, Promises, Result } from './shapes.ts';

/** Prints a result, a line for each figure. */
export function show(result: Result): void {
  switch (result.kind) {
    case 'rotation': {
      const { accounts, moved, all } = result;

      line('accounts moved', String(accounts));
      line('seconds from the event to the first account', result.firstSeconds.toFixed(2));
      line('seconds from the event to the last account', withSkipped(result.seconds, result.skipped));
      line('what the documented budgets need for it', result.leastSeconds.toFixed(1));
      line(
        "what the app's share of them needs, and the ratio",
        `${result.leastSecondsOfShare.toFixed(1)}, ${ratioOf(result).toFixed(2)}`,
      );
      line('seconds until the queues were empty', withSkipped(result.untilEmpty, result.skippedUntilEmpty));

      const lists = moved.scopeLists / accounts;

      line('requests an account, and lists of its scopes', `${perAccount(result).toFixed(2)}, ${lists.toFixed(2)}`);
      line('  reads, writes, Key Vault', `${moved.reads}, ${moved.writes}, ${moved.keyVault}`);
      line('most writes of a cell within an hour', String(result.mostWritesAnHour));
      line("operations of the app's own storage, an account", (all.storage / accounts).toFixed(2));
      shared(all, result.peakMiB);
      line('messages poisoned', String(result.poisoned));

      return;
    }
    case 'drift':
      line('accounts looked at', String(result.accounts));
      line('seconds', result.seconds.toFixed(1));
      line('lists of accounts, and at the least', `${result.all.accountLists} of ${result.leastAccountLists}`);
      line('lists of encryption scopes (their turn)', String(result.all.scopeLists));
      line('findings', String(result.findings));
      shared(result.all, result.peakMiB);

      return;
    case 'revoke':
      line('dependents', String(result.dependents));
      line('seconds until it was answered, with proof', result.seconds.toFixed(2));
      line('seconds until the queues were empty', withSkipped(result.untilEmpty, result.skipped));
      shared(result.all, result.peakMiB);
      line('messages poisoned', String(result.poisoned));
  }
}

/** Says what is not kept. */
export function isKept(result: Result, promises: Promises): boolean {
  const requests = 'all' in result ? result.all : undefined;
  const measured: readonly [string, number | undefined, number | undefined][] = [
    ['ratio', result.kind === 'rotation' ? ratioOf(result) : undefined, promises.ratio],
    ['requests an account', result.kind === 'rotation' ? perAccount(result) : undefined, promises.requests],
    ['part refused', requests && requests.throttled / requests.azure, promises.refused],
    ['peak memory in MiB', result.peakMiB, promises.peakMiB],
    ['seconds', result.seconds, promises.seconds],
    [
      'seconds to the first account',
      result.kind === 'rotation' ? result.firstSeconds : undefined,
      promises.firstSeconds,
    ],
    ['messages poisoned', 'poisoned' in result ? result.poisoned : undefined, 0],
    [
      'lists of accounts too many',
      result.kind === 'drift' ? result.all.accountLists - result.leastAccountLists : undefined,
      0,
    ],
    ['checks incomplete', result.kind === 'drift' ? Number(!result.complete) : undefined, 0],
  ];

  const broken = measured.filter(([, is, most]) => is !== undefined && most !== undefined && is > most);
  for (const [what, is, most] of broken) {
    console.log(`  NOT KEPT: ${what} is ${is?.toFixed(3)}, promised ${most} at most`);
  }

  return broken.length === 0;
}

interface Counted {
  readonly all: Pick<Requests, 'azure' | 'throttled'>;
}

/** Says what is more than promised beside another shape, where that was measured too. */
export function isBeside({ all }: Counted, other: Counted | undefined, promised: Beside): boolean {
  const { shape, requests, throttled } = promised;

  if (!other) {
    line(`not compared with ${shape}`, 'it was not measured');
    return true;
  }

  const compared: readonly [string, number, number, number | undefined][] = [
    ['requests to Azure', all.azure, other.all.azure, requests],
    ['refused with 429', all.throttled, other.all.throttled, throttled],
  ];
  let kept = true;

  for (const [what, is, others, times] of compared) {
    if (times === undefined) continue;

    line(`${what}, beside ${shape}`, `${is} and ${others}`);

    if (is <= times * others) continue;

    kept = false;
    console.log(`  NOT KEPT: ${what}: ${is}, promised ${times} times those of ${shape} at most`);
  }

  return kept;
}

type Rotation = Extract<Result, { kind: 'rotation' }>;

function ratioOf({ seconds, leastSecondsOfShare }: Rotation): number {
  return seconds / Math.max(1, leastSecondsOfShare);
}

/** Lists of encryption scopes have a budget of their own, and are asked when it has room. */
function perAccount({ moved, accounts }: Rotation): number {
  return (moved.azure - moved.scopeLists) / accounts;
}

function shared(all: Requests, peakMiB: number | undefined): void {
  line('requests to Azure, all', String(all.azure));
  line('  refused with 429', `${all.throttled} (${((100 * all.throttled) / Math.max(1, all.azure)).toFixed(2)} %)`);
  line("operations of the app's own storage, and their price", `${all.storage}, $${all.storageCost.toFixed(3)}`);
  line('peak memory of an instance in MiB', peakMiB?.toFixed(0) ?? 'unknown');
}

function withSkipped(seconds: number, skipped: number): string {
  return `${seconds.toFixed(1)}${skipped > 0 ? ` (of them ${skipped.toFixed(0)} skipped on the clock)` : ''}`;
}

function line(label: string, value: string): void {
  console.log(`  ${label.padEnd(56)}${value}`);
}
