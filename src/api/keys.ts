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
 * The answer waits so long for what depends on the key: the caller may be in the middle of an incident, and what is not read
 * by then is named. Milliseconds.
 */
const BESIDE_MS = 8_000;

/** @throws {@link HttpProblem} 404, or 502 when Key Vault cannot be read */
export async function handleKeyStatus(call: Pick<Call, 'request' | 'services'>): Promise<HttpResponseInit> {
  const { request, services } = call;
  const key = keyOfCall(call);
  const versions = await listOrRefuse(key, services);
  const open = openRevocation(versions, services.now());
  const effect = async () => {
    const { accounts, times, warnings } = await readEffect(key, open, services);
    return { effect: accounts.map((account) => ({ ...account })), effectTimes: times, warnings };
  };
  const limits = { workspace: services.settings.drift.usageWorkspace, ms: BESIDE_MS };
  const status = await readKeyStatus(key, versions, limits, { ...services, app: services, effect });
  return conditional(request.headers, jsonResponse(200, status), statusContent(status));
}

/** Break-glass, and the state of keys. Revoke and restore depend on Key Vault and the token alone. */
export const KEY_ROUTES: readonly Route[] = [
  route({
    id: 'keys',
    method: 'GET',
    path: '/keys',
    summary: 'The keys of the managed vaults: the state of each, what uses it, when it is rotated next.',
    description:
      "Keys that the caller's role reaches. Of a vault that cannot be listed, the keys that are in use; `unread` has what could not be read.",
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
    summary: 'The state of a key: versions, open revocation, dependents, effect.',
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
    summary: 'Cut off all data behind a key: every enabled version is disabled.',
    description: 'Safe to repeat: a repeated call finishes what is missing. With `dryRun=true` no body is needed.',
    role: 'CmkKey.Revoke',
    reach: 'key',
    act: 'revoke',
    params: KEY_PARAMS,
    query: { dryRun: { description: 'Show what depends on the key and change nothing.', schema: FLAG } },
    body: { RevokeRequest: REVOKE_REQUEST },
    answers: {
      200: {
        description: 'Every version is disabled, as a fresh read proves.',
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
    summary: 'Enable exactly what the named revocation disabled, by a second person.',
    role: 'CmkKey.Restore',
    reach: 'key',
    act: 'restore',
    params: KEY_PARAMS,
    body: { RestoreRequest: RESTORE_REQUEST },
    answers: {
      200: {
        description: 'Everything that was disabled is enabled again.',
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
    summary: 'Keys with a rotation under way, or finished within a week.',
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
    summary: 'Progress of the rotation of a key: what has moved, is pending or has failed, where, and until when.',
    role: 'CmkKey.Read',
    reach: 'key',
    params: KEY_PARAMS,
    answers: { 200: { description: 'The rotation.', schema: { Rotation: ROTATION } } },
    refusals: ['KeyNotManaged', 'ServiceUnavailable'],
    handle: async (call) => showRotation(keyOfCall(call), call.services),
  }),
];
