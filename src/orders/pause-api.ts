import type { HttpResponseInit } from '@azure/functions';
import type { z } from 'zod';
import { jsonResponse } from '../http/json-response.ts';
import { orUnavailable } from '../http/or-unavailable.ts';
import { HttpProblem } from '../http/problem.ts';
import type { Caller } from '../http/token-claims.ts';
import { type ManagedKey, type ManagedVaults, managedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { type ControlOrder, type ControlPorts, type Ordered, orderPause, orderResume } from './order-pause.ts';
import type { PAUSE_REQUEST, RESUME_REQUEST } from './pause-schemas.ts';
import { endProblem } from './standing-orders.ts';

type ControlApiPorts = ControlPorts & { readonly settings: { readonly vaults: ManagedVaults } };

interface Call {
  readonly caller: Caller;
  readonly correlationId: string;
}

/** A checked request: the key is managed, and `until` is in the future (ISO 8601, in UTC). */
interface PauseAsked extends Pick<z.output<typeof PAUSE_REQUEST>, 'reason' | 'ticket'> {
  readonly key: ManagedKey | undefined;
  readonly until: string | undefined;
}

/** @throws {@link HttpProblem} 400, 404 */
export function pauseOf(
  { reason, ticket, key, until: named }: z.output<typeof PAUSE_REQUEST>,
  { settings, now }: Pick<ControlApiPorts, 'settings' | 'now'>,
): PauseAsked {
  const until = named === undefined ? undefined : new Date(named);
  const problem = until && endProblem(until, now());
  if (problem) {
    const detail = `until: ${problem} Nothing was changed.`;
    throw new HttpProblem(400, 'BodyInvalid', detail, 'Send a time to come, or leave it out.');
  }
  return { reason, ticket, key: keyNamed(key, settings.vaults), until: until?.toISOString() };
}

export async function handlePause(
  { until, key, ...said }: PauseAsked,
  call: Call,
  ports: ControlApiPorts,
  log: Log,
): Promise<HttpResponseInit> {
  const order = { ...orderOf(said, key, call), until: until === undefined ? undefined : new Date(until) };
  return jsonResponse(200, await kept(() => orderPause(order, ports, log)));
}

export async function handleResume(
  body: z.output<typeof RESUME_REQUEST>,
  call: Call,
  ports: ControlApiPorts,
  log: Log,
): Promise<HttpResponseInit> {
  const order = orderOf(body, keyNamed(body.key, ports.settings.vaults), call);
  return jsonResponse(200, await kept(() => orderResume(order, ports, log)));
}

function orderOf(
  { reason, ticket }: Pick<z.output<typeof RESUME_REQUEST>, 'reason' | 'ticket'>,
  key: ManagedKey | undefined,
  { caller: { objectId, appId, kind, tokenId, name }, correlationId }: Call,
): ControlOrder {
  return { caller: { objectId, appId, kind, tokenId, name }, correlationId, reason, ticket, key: key?.id };
}

/** Undefined: the body names no key. @throws {@link HttpProblem} 404 */
function keyNamed(named: string | undefined, vaults: ManagedVaults): ManagedKey | undefined {
  if (named === undefined) return undefined;
  const [, vaultName = '', keyName = ''] = /^([^/]+)\/([0-9A-Za-z-]{1,127})$/.exec(named) ?? [];
  const vault = vaults.byName(vaultName);
  if (vault && keyName) return managedKey(vault, keyName);
  throw new HttpProblem(
    404,
    'KeyNotManaged',
    `${REASONS.KeyNotManaged} Nothing was changed.`,
    'Name the key as <vault>/<key>; the vault has to be one of CMK_VAULTS.',
  );
}

const kept = (run: () => Promise<Ordered>): Promise<Ordered> =>
  orUnavailable(
    run,
    (why) => `The order could not be kept: ${why} It may hold, or not.`,
    'Repeat the call; a pause that is ordered twice is one.',
  );
