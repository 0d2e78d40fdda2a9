import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { handleRestore } from '../break-glass/handle-restore.ts';
import { checkConfirmation, dryRunRevoke, handleRevoke } from '../break-glass/handle-revoke.ts';
import { keyOfCall } from '../break-glass/key-of-route.ts';
import { keyStatus } from '../break-glass/key-status.ts';
import { RESTORE_REQUEST, RESTORE_RESPONSE, REVOKE_REQUEST, REVOKE_RESPONSE } from '../break-glass/schemas.ts';
import { ROTATION } from '../fleet/rotation-schemas.ts';
import { conditional, jsonResponse } from '../http/answers.ts';
import { AFTER, FLAG } from '../http/query.ts';
import { auditedCaller } from '../http/token-claims.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { RevocationCall } from '../revocation/follow-ups.ts';
import { statusContent } from '../views/key.ts';
import { showKeys } from '../views/key-list.ts';
import { KEY_LIST, KEY_STATUS } from '../views/key-schemas.ts';
import { ROTATION_LIST, showRotation, showRotations } from '../views/rotation.ts';
import { cachesOf } from './instance.ts';
import { type Call, type Route, route } from './route.ts';

export const KEY_PARAMS = {
  vault: { description: 'Name of a managed vault.', schema: z.string().min(3).max(24) },
  key: { description: 'Name of the key.', schema: z.string().min(1).max(127) },
} as const;

/** @throws {@link HttpProblem} 404 */
function keyOf({ request: { params }, services }: Call): ManagedKey {
  return keyOfCall(services.settings.vaults, params.vault, params.key);
}

/** Who calls, and why, as the audit trail has it. */
function callOf(
  { caller, correlationId }: Call,
  { reason, ticket }: { readonly reason: string; readonly ticket?: string | undefined },
): RevocationCall {
  return { caller: auditedCaller(caller), correlationId, why: reason, ticket };
}

/** Runs a change; even if it fails, cached state from before is shown to no caller. */
async function changing<T>({ request, services }: Call, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } finally {
    cachesOf(services).nowBoard.changed(request.params.vault, services);
  }
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
      showKeys({ ...query, headers }, caller, cachesOf(services).keyLister, services),
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
    async handle(call) {
      const { request, services } = call;
      const key = keyOf(call);
      const status = await keyStatus(key, services);
      return conditional(request.headers, jsonResponse(200, status), statusContent(status));
    },
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
    async handle(call): Promise<HttpResponseInit> {
      const { query, services, log } = call;
      const key = keyOf(call);
      if (query.dryRun) return jsonResponse(200, await dryRunRevoke(key, services));
      return changing(call, async () => {
        const body = await call.body();
        checkConfirmation(body, key);
        return jsonResponse(200, await handleRevoke(key, callOf(call, body), services, log));
      });
    },
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
    async handle(call) {
      const { services, log } = call;
      const key = keyOf(call);
      return changing(call, async () => {
        const body = await call.body();
        return jsonResponse(200, await handleRestore(key, body, callOf(call, body), services, log));
      });
    },
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
    handle: async (call) => showRotation(keyOf(call), call.services),
  }),
];
