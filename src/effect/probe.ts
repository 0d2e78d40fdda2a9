import pMap from 'p-map';
import { timeBoxed, untilAborted } from '../azure/deadline.ts';
import { describeFailure } from '../azure/failure.ts';
import { REASONS } from '../reasons.ts';
import { type Seen, seen } from './classify-answer.ts';
import type { FileService } from './file-service-client.ts';

/** File services that are asked at the same time. */
const CONCURRENCY = 16;

/** An account whose file service is asked. */
export interface ProbeTarget {
  /** ARM id. */
  readonly account: string;
  /** Undefined: it has no share that could be listed. */
  readonly share: string | undefined;
  /** Why there is none. */
  readonly why?: string;
}

/** What an account showed, and when. */
export interface ProbeResult extends Seen, Omit<ProbeTarget, 'why'> {
  readonly checkedOn: Date;
}

/**
 * Asks the file service of every target. Never throws; what is not answered when `ms` are up is `unknown`. The results
 * are in the order of the targets.
 */
export async function probe(
  targets: readonly ProbeTarget[],
  services: { readonly fileService: FileService; readonly now: () => Date },
  ms: number,
): Promise<ProbeResult[]> {
  const answers = new Map<ProbeTarget, ProbeResult>();
  await timeBoxed(async (signal) => {
    const asking = pMap(
      targets,
      async (target) => {
        if (signal.aborted) return;
        const answer = await ask(target, services, signal);
        if (!signal.aborted)
          answers.set(target, { account: target.account, share: target.share, ...answer, checkedOn: services.now() });
      },
      { concurrency: CONCURRENCY },
    );
    await untilAborted(asking, signal);
  }, ms);
  const late = { state: 'unknown', why: REASONS.TimeUp, checkedOn: services.now() } as const;
  return targets.map((target) => answers.get(target) ?? { account: target.account, share: target.share, ...late });
}

async function ask(
  { account, share, why }: ProbeTarget,
  { fileService }: { readonly fileService: FileService },
  signal: AbortSignal,
): Promise<Seen> {
  if (share === undefined) return { state: 'unknown', why: why ?? 'It has no file share that could be listed.' };
  try {
    await fileService.listRoot(account.slice(account.lastIndexOf('/') + 1), share, signal);
    return seen(undefined);
  } catch (error) {
    return seen(describeFailure(error));
  }
}
