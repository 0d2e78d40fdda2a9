import pMap from 'p-map';
import { abortAfter, untilAborted } from '../azure/deadline.ts';
import { describeFailure } from '../azure/failure.ts';
import { lastName } from '../azure/resource-id.ts';
import { REASONS } from '../reasons.ts';
import { type Seen, seen } from './classify-answer.ts';
import type { BlobService, FileService } from './data-services-client.ts';
import { type DataService, SERVICE_WORDS } from './effect.ts';

/** File services that are asked at the same time, and blob services: one that hangs takes no turn from the other sort. */
const CONCURRENCY = 16;

/** A service of an account, and what of it is asked. */
export interface ProbeTarget {
  /** ARM id. */
  readonly account: string;
  readonly service: DataService;
  /** Shares or containers, of which the first one with data is asked. None: there is none that could be listed. */
  readonly places: readonly string[];
  readonly why?: string;
  /** The place is the one that was asked before: where it has no data, others are searched for. */
  readonly isKnown?: boolean;
}

export interface ProbeResult extends Seen {
  readonly account: string;
  readonly service: DataService;
  readonly share?: string;
  readonly container?: string;
  readonly checkedOn: Date;
}

export interface DataServices {
  readonly fileService: FileService;
  readonly blobService: BlobService;
}

/**
 * Asks the service of every target. Never throws; what is not answered when `ms` are up is `unknown`. The results
 * are in the order of the targets.
 */
export async function probe(
  targets: readonly ProbeTarget[],
  services: DataServices & { readonly now: () => Date },
  ms: number,
): Promise<ProbeResult[]> {
  const answers = new Map<ProbeTarget, ProbeResult>();
  await abortAfter(async (signal) => {
    const askOne = async (target: ProbeTarget): Promise<void> => {
      if (signal.aborted) return;
      const answer = await ask(target, services, signal);
      if (!signal.aborted) answers.set(target, resultOf(target, answer.place, answer.seen, services.now()));
    };
    const asking = (['file', 'blob'] as const).map((sort) =>
      pMap(
        targets.filter(({ service }) => service === sort),
        askOne,
        { concurrency: CONCURRENCY },
      ),
    );
    await untilAborted(Promise.all(asking), signal);
  }, ms);
  const late = { state: 'unknown', why: REASONS.TimeUp } as const;
  return targets.map((target) => answers.get(target) ?? resultOf(target, target.places[0], late, services.now()));
}

function resultOf({ account, service }: ProbeTarget, place: string | undefined, of: Seen, on: Date): ProbeResult {
  const asked = place === undefined ? {} : service === 'file' ? { share: place } : { container: place };
  return { account, service, ...asked, ...of, checkedOn: on };
}

async function ask(
  { account, service, places, why, isKnown }: ProbeTarget,
  { fileService, blobService }: DataServices,
  signal: AbortSignal,
): Promise<{ readonly place: string | undefined; readonly seen: Seen }> {
  const [first] = places;
  const { nothing } = SERVICE_WORDS[service];
  if (first === undefined) return { place: first, seen: { state: 'unknown', why: why ?? nothing } };
  const name = lastName(account);
  for (const place of places) {
    try {
      if (service === 'file') await fileService.listRoot(name, place, signal);
      // Of no blob nothing had to be decrypted: that such a list is served proves nothing.
      else if (!(await blobService.listFirst(name, place, signal))) continue;
      return { place, seen: seen(undefined, service) };
    } catch (error) {
      return { place, seen: seen(describeFailure(error), service) };
    }
  }
  const empty = { state: 'unknown', why: nothing } as const;
  return { place: undefined, seen: isKnown ? { ...empty, gone: true } : empty };
}
