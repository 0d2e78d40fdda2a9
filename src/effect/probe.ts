import pMap from 'p-map';
import { abortAfter, untilAborted } from '../azure/deadline.ts';
import { describeFailure } from '../azure/failure.ts';
import { lastName } from '../azure/resource-id.ts';
import { REASONS } from '../reasons.ts';
import { type Seen, seen } from './classify-answer.ts';
import type { BlobService, FileService } from './data-services-client.ts';
import { type DataService, SERVICE_WORDS } from './effect.ts';

/** Concurrent probes of each service type: slow file services do not delay blob services. */
const CONCURRENCY = 16;

/** A service of an account, with the shares or containers to probe. */
export interface ProbeTarget {
  /** ARM id. */
  readonly account: string;
  readonly service: DataService;
  /** Shares or containers; the probe uses the first with data. Empty if no list returned any. */
  readonly places: readonly string[];
  readonly why?: string;
  /** The place comes from an earlier probe: if it has no data, the next round searches for others. */
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
 * Probes the service of every target. Never throws; a probe without an answer after `ms` is `unknown`. Returns the
 * results in the order of the targets.
 */
export async function probe(
  targets: readonly ProbeTarget[],
  services: DataServices & { readonly now: () => Date },
  ms: number,
): Promise<ProbeResult[]> {
  const answers = new Map<ProbeTarget, ProbeResult>();
  await abortAfter(async (signal) => {
    const probeOne = async (target: ProbeTarget): Promise<void> => {
      if (signal.aborted) return;
      const answer = await ask(target, services, signal);
      if (!signal.aborted) answers.set(target, resultOf(target, answer.place, answer.seen, services.now()));
    };
    const asking = (['file', 'blob'] as const).map((sort) =>
      pMap(
        targets.filter(({ service }) => service === sort),
        probeOne,
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
      // A list without a blob under the account's key needs no decryption, so its success proves nothing.
      else if (!(await blobService.listFirst(name, place, signal))) continue;
      return { place, seen: seen(undefined, service) };
    } catch (error) {
      return { place, seen: seen(describeFailure(error), service) };
    }
  }
  const empty = { state: 'unknown', why: nothing } as const;
  return { place: undefined, seen: isKnown ? { ...empty, gone: true } : empty };
}
