import { timeBoxed } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { parseResourceId } from '../azure/resource-id.ts';
import type { FileShare, FileShares } from '../dependents/file-shares-client.ts';
import type { FileService } from '../effect/file-service-client.ts';
import { type ProbeTarget, probe } from '../effect/probe.ts';
import { chooseShare } from '../effect/probe-targets.ts';

/** Time for asking all of them. Milliseconds. */
const ASKING_MS = 30_000;

/** Asks the file services of canaries whether they serve; those that cannot tell (no share, no way there) do not count. */
export type ProbeCanaries = (accounts: readonly string[]) => Promise<{ readonly failing: readonly string[] }>;

export function canaryProbe(services: {
  readonly shares: FileShares;
  readonly fileService: FileService;
  readonly now: () => Date;
}): ProbeCanaries {
  return async (accounts) => {
    const targets = await timeBoxed(
      (signal) => Promise.all(accounts.map((account) => targetOf(account, services.shares, signal))),
      ASKING_MS,
    );
    const results = await probe(targets, services, ASKING_MS);
    const failing = results.flatMap(({ account, state, why }) =>
      state === 'blocked' ? [`${account.slice(account.lastIndexOf('/') + 1)} (${why ?? state})`] : [],
    );
    return { failing };
  };
}

async function targetOf(account: string, shares: FileShares, signal: AbortSignal): Promise<ProbeTarget> {
  const id = parseResourceId(account);
  const found: FileShare[] = [];
  try {
    if (id) for await (const share of shares.list(id, signal)) found.push(share);
    return { account, share: chooseShare(found) };
  } catch (error) {
    return { account, share: undefined, why: `Its file shares cannot be listed: ${describe(describeFailure(error))}` };
  }
}
