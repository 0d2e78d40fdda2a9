import type { HttpResponseInit } from '@azure/functions';
import { jsonResponse } from '../../http/json-response.ts';
import { orUnavailable } from '../../http/or-unavailable.ts';
import { HttpProblem } from '../../http/problem.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { Log } from '../../log.ts';
import { type ListPorts, listRotations, type RotationList, type UnreadRotation } from '../list-rotations.ts';
import { readRotation } from '../read-rotation.ts';
import { type RotationView, viewRotation } from '../rotation-view.ts';
import type { RotationAnswer, RotationSummaryAnswer } from './schemas.ts';

/** A page of the rotations that are under way or finished lately. */
export async function showRotations(query: URLSearchParams, ports: ListPorts, log: Log): Promise<HttpResponseInit> {
  for (const name of query.keys()) {
    if (name === 'after') continue;
    const detail = `There is no query parameter ${JSON.stringify(name.slice(0, 50))}.`;
    throw new HttpProblem(400, 'QueryInvalid', detail, 'Follow nextLink, or send none.');
  }
  const { value, pauses, next } = await readRotationPage(query.get('after')?.slice(0, 1_000), ports, log);
  const nextLink = next ? { nextLink: `/api/rotations?after=${encodeURIComponent(next)}` } : {};
  return jsonResponse(200, { value, pauses, ...nextLink });
}

/** @throws {@link HttpProblem} 503 */
export async function readRotationPage(
  after: string | undefined,
  ports: ListPorts,
  log: Log,
): Promise<Omit<RotationList, 'value'> & { readonly value: readonly RotationSummaryAnswer[] }> {
  await ports.control.refresh(log, true);
  const { value, ...rest } = await fromIndex(() => listRotations(after, ports));
  return { value: value.map(toSummary), ...rest };
}

export async function showRotation(key: ManagedKey, ports: ListPorts, log: Log): Promise<HttpResponseInit> {
  await ports.control.refresh(log, true);
  const read = await fromIndex(() => readRotation(key, ports));
  if (read.blocked === 'KeyNotFound') {
    const nextStep = 'Check the names of vault and key; the vault has to be one of CMK_VAULTS.';
    throw new HttpProblem(404, 'KeyNotManaged', 'There is no such key.', nextStep);
  }
  return jsonResponse(200, toAnswer(viewRotation(key, read, ports.control.pauseNow(key.id))));
}

const fromIndex = <T>(read: () => Promise<T>): Promise<T> =>
  orUnavailable(
    read,
    (why) => `How far rotations are cannot be read: ${why} Accounts are moved all the same.`,
    'Repeat the call in a minute; if it stays, check the storage account of the app, and the vault.',
  );

function toSummary(view: RotationView | UnreadRotation): RotationSummaryAnswer {
  if (view.state === 'unknown') return view;
  const { places: _, failedUses: __, waitingUses: ___, failures, ...summary } = view;
  return { ...summary, ...(failures ? { failures: { ...failures } } : {}) } as RotationSummaryAnswer;
}

function toAnswer(view: RotationView): RotationAnswer {
  const { places = [], failedUses = [], waitingUses = [] } = view;
  const [oldestWaiting] = waitingUses;
  return {
    ...toSummary(view),
    ...(oldestWaiting ? { oldestWaiting } : {}),
    places: [...places],
    failedUses: [...failedUses],
    waitingUses: [...waitingUses],
  };
}
