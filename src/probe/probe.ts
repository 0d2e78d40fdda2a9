import pMap from 'p-map';
import { abortAfter, untilAborted } from '../azure/deadline.ts';
import { describeAnswerOf, describeFailure, type Failure } from '../azure/failure.ts';
import { getLastName } from '../azure/resource-id.ts';
import { REASONS } from '../errors/reasons.ts';
import type { ListData } from './data-services-client.ts';
import type { AccountEffect } from './effect.ts';
import { type DataService, SERVICE_WORDS } from './service-words.ts';

/** Maximum number of concurrent probes: each is one short request to another account. */
const CONCURRENT_PROBES = 16;

/** The service of an account that the probe calls, with its shares or containers. */
export interface ProbeTarget {
  /** ARM id. */
  readonly account: string;
  readonly service: DataService;
  /** Shares or containers; the probe uses the first with data. Empty if no list returned any. */
  readonly places: readonly string[];
  readonly why?: string;
  /** Why the places are unknown: the next round lists them. */
  readonly unlisted?: AccountEffect['unlisted'];
  /** The place comes from an earlier probe: if it has no data, the next round searches for others. */
  readonly isKnown?: boolean;
}

type Seen = Pick<AccountEffect, 'state' | 'why' | 'unlisted'>;

export interface ProbeResult extends Seen, Pick<AccountEffect, 'account' | 'service' | 'share' | 'container'> {
  readonly checkedOn: Date;
}

export interface DataServices {
  readonly dataLists: Readonly<Record<DataService, ListData>>;
}

/**
 * Probes every target. Never throws; a probe without an answer after `ms` is `unknown`. Returns the
 * results in the order of the targets.
 */
export async function probe(
  targets: readonly ProbeTarget[],
  { dataLists, now }: DataServices & { readonly now: () => Date },
  ms: number,
): Promise<ProbeResult[]> {
  const answers = new Map<ProbeTarget, ProbeResult>();
  await abortAfter(async (signal) => {
    const probeOne = async (target: ProbeTarget): Promise<void> => {
      if (signal.aborted) return;
      const answer = await ask(target, dataLists[target.service], signal);
      if (!signal.aborted) answers.set(target, resultOf(target, answer.place, answer.seen, now()));
    };

    await untilAborted(pMap(targets, probeOne, { concurrency: CONCURRENT_PROBES }), signal);
  }, ms);

  const late = { state: 'unknown', why: REASONS.TimeUp } as const;

  return targets.map((target) => answers.get(target) ?? resultOf(target, target.places[0], late, now()));
}

function resultOf({ account, service }: ProbeTarget, place: string | undefined, of: Seen, on: Date): ProbeResult {
  return { account, service, ...nameAsked(service, place), ...of, checkedOn: on };
}

function nameAsked(service: DataService, place: string | undefined): Pick<ProbeResult, 'share' | 'container'> {
  if (place === undefined) return {};
  return service === 'file' ? { share: place } : { container: place };
}

async function ask(
  { account, service, places, why, unlisted, isKnown }: ProbeTarget,
  list: ListData,
  signal: AbortSignal,
): Promise<{ readonly place: string | undefined; readonly seen: Seen }> {
  const { nothing } = SERVICE_WORDS[service];
  if (places.length === 0) return { place: undefined, seen: { state: 'unknown', why: why ?? nothing, unlisted } };

  for (const place of places) {
    try {
      // A list without data under the account's key needs no decryption, so its success proves nothing.
      if (await list(getLastName(account), place, signal)) return { place, seen: { state: 'open' } };
    } catch (error) {
      return { place, seen: classifyFailedList(describeFailure(error), service) };
    }
  }

  const empty = { state: 'unknown', why: nothing } as const;

  return { place: undefined, seen: isKnown ? { ...empty, unlisted: 'gone' } : empty };
}

/** Error code of an account whose key is disabled. */
export const KEY_NOT_FOUND = 'KeyVaultEncryptionKeyNotFound';
/** The app lacks a role to list data: the role is missing, or has not propagated yet. */
export const ROLE_MISSING = 'AuthorizationPermissionMismatch';

/**
 * Error codes of an account whose key is unusable: the key, its vault, or the identity's access is missing
 * (Azure Storage REST reference, "Common REST API error codes").
 */
const BLOCKED = /^KeyVault(EncryptionKeyNotFound|VaultNotFound|AccessTokenCannotBeAcquired)$/i;

/** Classifies Azure's answer to a failed list. */
export function classifyFailedList(failure: Failure, service: DataService): Seen {
  const { code, status } = failure;
  if ((status === 403 || status === 200) && BLOCKED.test(code)) return { state: 'blocked', why: code };

  const { place, role } = SERVICE_WORDS[service];

  if (/^(Share|Container)(NotFound|BeingDeleted)$/i.test(code)) {
    const why = `${code}: the ${place} does not exist any more; the next probe searches for another.`;
    return { state: 'unknown', why, unlisted: 'gone' };
  }

  if (code.toLowerCase() === ROLE_MISSING.toLowerCase()) {
    const why = `${ROLE_MISSING}: the app lacks the role ${role} on the account, so the probe has no result.`;
    return { state: 'unknown', why };
  }

  if (code.toLowerCase() !== 'authorizationfailure') return { state: 'unknown', why: describeAnswerOf(failure) };

  const why = `${code}: the account's network rules deny access to the app, so the probe has no result.`;

  return { state: 'unknown', why };
}
