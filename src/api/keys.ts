import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { abortAfter } from '../azure/deadline.ts';
import { KEY_HISTORY, toKeyHistory } from '../evidence/key-history.ts';
import { readKeyTrail } from '../evidence/read-key-trail.ts';
import { canReachKey, canReachVault } from '../http/access.ts';
import { answerConditionally, createJsonResponse } from '../http/answers.ts';
import { HttpProblem, runOrUnavailable } from '../http/problem.ts';
import { AFTER, createQueryInvalid } from '../http/query.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { readEffect } from '../probe/effect-of-key.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { readIndexedFacts } from '../status/key-facts.ts';
import { KEY_LIST, KEY_STATUS } from '../status/key-schemas.ts';
import { getStatusContent, readKeyStatus } from '../status/key-status.ts';
import { listRotations, showRotation } from '../status/rotation.ts';
import { ROTATION, ROTATION_LIST } from '../status/rotation-schemas.ts';
import { KEY_PARAMS, listOrRefuse, requireKeyOfCall } from './named-key.ts';
import { RESTORE_ROUTE } from './restore.ts';
import { REVOKE_ROUTE } from './revoke.ts';
import { type Call, ok, READ, type Route, route } from './route.ts';

/**
 * Milliseconds that the answer waits for the key's dependents: the caller may be in the middle of an incident. The
 * answer lists every part that the app could not read by then.
 */
const BESIDE_MS = 8_000;

/** @throws {@link HttpProblem} 404, or 502 when Key Vault cannot be read */
export async function handleKeyStatus(call: Pick<Call, 'request' | 'services'>): Promise<HttpResponseInit> {
  const { request, services } = call;
  const key = requireKeyOfCall(call);
  const versions = await listOrRefuse(key, 'cmk key show', services);
  const open = openRevocation(versions, services.now());
  const { slowFacts, settings, now } = services;
  const others = () => slowFacts.others(key, services, BESIDE_MS);
  const status = await readKeyStatus(key, versions, {
    now,
    facts: () => readIndexedFacts(key, versions, BESIDE_MS, { ...services, others }),
    usage: () => slowFacts.usage(key, settings.drift.usageWorkspace, services, BESIDE_MS),
    effect: () => readEffect(key, open, services),
  });

  return answerConditionally(request.headers, createJsonResponse(200, status), getStatusContent(status));
}

/** Most bytes of the trail that a call reads, and the time after which it starts no further read, in milliseconds. */
const MOST_BYTES = 64 * 1024 * 1024;
const READ_MS = 10_000;

/** @throws {@link HttpProblem} 404, 502 when Key Vault cannot be read, 503 when the audit trail cannot */
export async function handleKeyHistory(call: Call): Promise<HttpResponseInit> {
  const { services, request } = call;
  const key = requireKeyOfCall(call);
  const versions = await listOrRefuse(key, 'cmk key show', services);
  const { files } = services.auditWatch;
  const trail = await runOrUnavailable(
    () => abortAfter((signal) => readKeyTrail(files, key.id, MOST_BYTES, signal), READ_MS),
    (why) => `The app could not read the audit trail: ${why}`,
  );
  const history = toKeyHistory(key.id, versions, trail, services.now());

  return answerConditionally(request.headers, createJsonResponse(200, history), history);
}

/** Name of a key in a page link: `vault/key` in lower case. */
const PLACE = /^[0-9a-z-]{1,24}\/[0-9a-z-]{1,127}$/;

/** Returns a page of the keys in the scope of the caller's role. @throws {@link HttpProblem} `QueryInvalid` */
async function handleKeys({
  query: { vault, after },
  request,
  caller,
  services,
}: Call<{ readonly vault?: string | undefined; readonly after?: string | undefined }>): Promise<HttpResponseInit> {
  if (after !== undefined && !PLACE.test(after)) {
    throw createQueryInvalid('after is not the name of a key.', 'Use the nextLink of the page before.');
  }

  const { access, vaults } = services.settings;
  const asked = vaults.all
    .filter(({ name }) => vault === undefined || name === vault.toLowerCase())
    .filter(({ name }) => canReachVault(caller, 'CmkKey.Read', name, access));
  const reaches = (key: ManagedKey) =>
    canReachKey(caller, 'CmkKey.Read', { vault: key.vault.name, key: key.name }, access);

  const { value, vaults: listed, next } = await services.keyLister.list({ vaults: asked, reaches, after }, services);
  const query = new URLSearchParams({ ...(vault === undefined ? {} : { vault }), after: next ?? '' });
  const body = { value, vaults: listed, nextLink: next && `/api/keys?${query}` };
  const content = { ...body, vaults: listed.map(({ readOn: _, ...rest }) => rest) };

  return answerConditionally(request.headers, createJsonResponse(200, body), content);
}

/** Maximum number of rotations per page. */
const ROTATIONS = 50;

/** Returns a page of the rotations in progress or finished recently. @throws {@link HttpProblem} 503 */
async function handleRotations({ query, services }: Call<{ readonly after?: string | undefined }>) {
  const { value, pauses, next } = await listRotations(services, query.after, ROTATIONS);
  const nextLink = next && `/api/rotations?after=${encodeURIComponent(next)}`;
  return createJsonResponse(200, { value, pauses, nextLink });
}

/** @throws {@link HttpProblem} 404, 503 */
async function handleRotation(call: Call): Promise<HttpResponseInit> {
  const rotation = await showRotation(requireKeyOfCall(call), call.services);
  if (rotation.reason === 'KeyNotFound') throw new HttpProblem('KeyNotManaged');
  return createJsonResponse(200, rotation);
}

/** Routes of keys: their state, break-glass and rotations. */
export const KEY_ROUTES: readonly Route[] = [
  route({
    id: 'keys',
    ...READ,
    path: '/keys',
    summary: 'List the keys of the managed vaults with state, dependents and next rotation.',
    description:
      "Lists keys in the scope of the caller's role. If the app cannot list a vault, the answer has only the vault's keys that are in use; `unread` has the failed reads.",
    reach: 'handler',
    query: {
      vault: { description: 'Only keys of this vault: its name.', schema: z.string().max(1_000).optional() },
      after: AFTER,
    },
    answers: ok('At most 50 keys, by vault and name.', { KeyList: KEY_LIST }),
    conditional: true,
    handle: handleKeys,
  }),
  route({
    id: 'keyStatus',
    ...READ,
    path: '/keys/{vault}/{key}',
    summary: 'Get the state of a key: versions, open revocation, dependents, effect.',
    description:
      'Dependents come from the fleet index as of `dependents.asOf`; other resources and `usage` are at most a minute old. The dry run of a revocation reads them live.',
    reach: 'key',
    params: KEY_PARAMS,
    answers: ok('The key.', { KeyStatus: KEY_STATUS }),
    conditional: true,
    refusals: ['KeyNotManaged', ['ServiceUnavailable', 502], 'VaultUnreadable'],
    handle: handleKeyStatus,
  }),
  route({
    id: 'keyHistory',
    ...READ,
    path: '/keys/{vault}/{key}/history',
    summary:
      'Get the history of each version of a key: creation, moves by the app and by Azure, late moves, changes of state.',
    description:
      'What the audit trail has, read from its end for at most ten seconds or 64 MB. What a version lacks is none only if `complete` is true; else it is unknown. The call checks no hash chain: `cmk audit verify` does.',
    reach: 'key',
    params: KEY_PARAMS,
    answers: ok('The history.', { KeyHistory: KEY_HISTORY }),
    conditional: true,
    refusals: ['KeyNotManaged', ['ServiceUnavailable', 502], 'ServiceUnavailable', 'VaultUnreadable'],
    handle: handleKeyHistory,
  }),
  REVOKE_ROUTE,
  RESTORE_ROUTE,
  route({
    id: 'rotations',
    ...READ,
    path: '/rotations',
    summary: 'List keys whose rotation is in progress or finished within a week.',
    reach: 'fleet',
    query: { after: AFTER },
    answers: ok('At most 50 rotations.', { RotationList: ROTATION_LIST }),
    refusals: ['ServiceUnavailable'],
    handle: handleRotations,
  }),
  route({
    id: 'rotation',
    ...READ,
    path: '/rotations/{vault}/{key}',
    summary: 'Get the progress of the rotation of a key: accounts moved, pending or failed, regions, and expected end.',
    reach: 'key',
    params: KEY_PARAMS,
    answers: ok('The rotation.', { Rotation: ROTATION }),
    refusals: ['KeyNotManaged', 'ServiceUnavailable'],
    handle: handleRotation,
  }),
];
