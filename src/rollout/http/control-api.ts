import type { HttpResponseInit } from '@azure/functions';
import type { z } from 'zod';
import type { Caller } from '../../http/caller.ts';
import { jsonResponse } from '../../http/json-response.ts';
import { orUnavailable } from '../../http/or-unavailable.ts';
import { HttpProblem } from '../../http/problem.ts';
import { type ManagedVaults, managedKey } from '../../keys/managed-vaults.ts';
import type { Log } from '../../log.ts';
import { REASONS } from '../../reasons.ts';
import { type ControlOrder, type ControlPorts, type Ordered, orderPause, orderResume } from '../order-pause.ts';
import type { PAUSE_REQUEST, RESUME_REQUEST } from './schemas.ts';

export type ControlApiPorts = ControlPorts & { readonly settings: { readonly vaults: ManagedVaults } };

interface Call {
  readonly caller: Caller;
  readonly correlationId: string;
}

export async function handlePause(
  body: z.output<typeof PAUSE_REQUEST>,
  call: Call,
  ports: ControlApiPorts,
  log: Log,
): Promise<HttpResponseInit> {
  const until = body.until === undefined ? undefined : new Date(body.until);
  if (until && until <= ports.now()) {
    const detail = `until: ${until.toISOString()} is over. Nothing was changed.`;
    throw new HttpProblem(400, 'BodyInvalid', detail, 'Send a time to come, or leave it out.');
  }
  const order = { ...orderOf(body, call, ports), until };
  return jsonResponse(200, await kept(() => orderPause(order, ports, log)));
}

export async function handleResume(
  body: z.output<typeof RESUME_REQUEST>,
  call: Call,
  ports: ControlApiPorts,
  log: Log,
): Promise<HttpResponseInit> {
  const order = orderOf(body, call, ports);
  return jsonResponse(200, await kept(() => orderResume(order, ports, log)));
}

function orderOf(
  { reason, ticket, key: named }: z.output<typeof RESUME_REQUEST>,
  { caller: { objectId, appId, tokenId, name }, correlationId }: Call,
  { settings }: ControlApiPorts,
): ControlOrder {
  const key = named === undefined ? undefined : keyNamed(named, settings.vaults);
  return { caller: { objectId, appId, tokenId, name }, correlationId, reason, ticket, key };
}

/** The identifier of the key that a body names. @throws {@link HttpProblem} 404 */
function keyNamed(named: string, vaults: ManagedVaults): string {
  const [, vaultName = '', keyName = ''] = /^([^/]+)\/([0-9A-Za-z-]{1,127})$/.exec(named) ?? [];
  const vault = vaults.byName(vaultName);
  if (vault && keyName) return managedKey(vault, keyName).id;
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
