import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { readEffect } from '../effect/effect-of-key.ts';
import { ROTATION } from '../fleet/rotation-schemas.ts';
import { conditional, jsonResponse } from '../http/answers.ts';
import { AFTER, FLAG } from '../http/query.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { readKeyStatus, statusContent } from '../views/key.ts';
import { showKeys } from '../views/key-list.ts';
import { KEY_LIST, KEY_STATUS } from '../views/key-schemas.ts';
import { ROTATION_LIST, showRotation, showRotations } from '../views/rotation.ts';
import { RESTORE_REQUEST, RESTORE_RESPONSE, REVOKE_REQUEST, REVOKE_RESPONSE } from './break-glass-schemas.ts';
import { KEY_PARAMS, keyOfCall, listOrRefuse } from './named-key.ts';
import { handleRestore } from './restore.ts';
import { handleRevoke } from './revoke.ts';
import { type Call, type Route, route } from './route.ts';

/**
 * Milliseconds that the answer waits for the key's dependents: the caller may be in the middle of an incident. The
 * answer lists every part that the app could not read by then.
 */
const BESIDE_MS = 8_000;

/** @throws {@link HttpProblem} 404, or 502 when Key Vault cannot be read */
export async function handleKeyStatus(call: Pick<Call, 'request' | 'services'>): Promise<HttpResponseInit> {
  const { request, services } = call;
  const key = keyOfCall(call);
  const versions = await listOrRefuse(key, services);
  const open = openRevocation(versions, services.now());
  const effect = () => readEffect(key, open, services);
  const limits = { workspace: services.settings.drift.usageWorkspace, ms: BESIDE_MS };
  const status = await readKeyStatus(key, versions, limits, { ...services, app: services, effect });
  return conditional(request.headers, jsonResponse(200, status), statusContent(status));
}

/** Routes of break-glass and of the state of keys. Revoke and restore depend only on Key Vault and the token. */
export const KEY_ROUTES: readonly Route[] = [
  route({
    id: 'keys',
    method: 'GET',
    path: '/keys',
    summary: 'List the keys of the managed vaults with state, dependents and next rotation.',
    description:
      "Lists keys in the scope of the caller's role. If the app cannot list a vault, the answer has only the vault's keys that are in use; `unread` has the failed reads.",
    role: 'CmkKey.Read',
    reach: 'handler',
    query: {
      vault: { description: 'Only keys of this vault: its name.', schema: z.string().max(1_000).optional() },
      after: AFTER,
    },
    answers: { 200: { description: 'At most 50 keys, by vault and name.', schema: { KeyList: KEY_LIST } } },
    conditional: true,
    handle: ({ query, request: { headers }, caller, services }) =>
      showKeys({ ...query, headers }, caller, services.keyLister, services),
  }),
  route({
    id: 'keyStatus',
    method: 'GET',
    path: '/keys/{vault}/{key}',
    summary: 'Get the state of a key: versions, open revocation, dependents, effect.',
    role: 'CmkKey.Read',
    reach: 'key',
    params: KEY_PARAMS,
    answers: { 200: { description: 'The key.', schema: { KeyStatus: KEY_STATUS } } },
    conditional: true,
    refusals: ['KeyNotManaged', ['ServiceUnavailable', 502], 'VaultUnreadable'],
    handle: handleKeyStatus,
  }),
  route({
    id: 'revokeKey',
    method: 'POST',
    path: '/keys/{vault}/{key}/revoke',
    summary: 'Disable every enabled version of a key, which cuts off all data that it protects.',
    description:
      'Safe to repeat: a repeated call disables the remaining versions. With `dryRun=true` the call needs no body.',
    role: 'CmkKey.Revoke',
    reach: 'key',
    act: 'revoke',
    params: KEY_PARAMS,
    query: { dryRun: { description: 'Show the dependents of the key and change nothing.', schema: FLAG } },
    body: { RevokeRequest: REVOKE_REQUEST },
    answers: {
      200: {
        description: 'Every version is disabled: a new read confirms it.',
        schema: { RevokeResponse: REVOKE_RESPONSE },
      },
    },
    refusals: [
      'ConfirmationWrong',
      'StepUpNeeded',
      'KeyNotManaged',
      'RevocationIncomplete',
      ['ServiceUnavailable', 502],
      'VaultUnreadable',
    ],
    handle: handleRevoke,
  }),
  route({
    id: 'restoreKey',
    method: 'POST',
    path: '/keys/{vault}/{key}/restore',
    summary: 'Enable exactly the versions that the named revocation disabled; a second person must call.',
    role: 'CmkKey.Restore',
    reach: 'key',
    act: 'restore',
    params: KEY_PARAMS,
    body: { RestoreRequest: RESTORE_REQUEST },
    answers: {
      200: {
        description: 'Every version that the revocation disabled is enabled again.',
        schema: { RestoreResponse: RESTORE_RESPONSE },
      },
    },
    refusals: [
      'StepUpNeeded',
      'SecondPersonNeeded',
      'PersonNeeded',
      'KeyNotManaged',
      'OtherRevocation',
      'RestoreOvertaken',
      'RevocationUnbelieved',
      'MissingPermission',
      'RestoreIncomplete',
      ['ServiceUnavailable', 502],
      'VaultUnreadable',
      'RevokersUnread',
      'ServiceUnavailable',
    ],
    handle: handleRestore,
  }),
  route({
    id: 'rotations',
    method: 'GET',
    path: '/rotations',
    summary: 'List keys whose rotation is in progress or finished within a week.',
    role: 'CmkKey.Read',
    reach: 'fleet',
    query: { after: AFTER },
    answers: { 200: { description: 'At most 50 rotations.', schema: { RotationList: ROTATION_LIST } } },
    refusals: ['ServiceUnavailable'],
    handle: ({ query, services }) => showRotations(query.after, services),
  }),
  route({
    id: 'rotation',
    method: 'GET',
    path: '/rotations/{vault}/{key}',
    summary: 'Get the progress of the rotation of a key: accounts moved, pending or failed, regions, and expected end.',
    role: 'CmkKey.Read',
    reach: 'key',
    params: KEY_PARAMS,
    answers: { 200: { description: 'The rotation.', schema: { Rotation: ROTATION } } },
    refusals: ['KeyNotManaged', 'ServiceUnavailable'],
    handle: async (call) => showRotation(keyOfCall(call), call.services),
  }),
];
