import { z } from 'zod';
import { AUDIT_OPERATIONS, AUDIT_RESPONSES } from './audit/http/openapi.ts';
import { RESTORE_REQUEST, RESTORE_RESPONSE, REVOKE_REQUEST, REVOKE_RESPONSE } from './break-glass/schemas.ts';
import { DRIFT_OPERATIONS, DRIFT_RESPONSES } from './drift/http/openapi.ts';
import { type ApiOperation, buildOpenApi } from './http/openapi.ts';
import { PAUSE_OPERATIONS, PAUSE_REQUESTS, PAUSE_RESPONSES } from './orders/pause-schemas.ts';
import { REKEY_OPERATIONS, REKEY_REQUESTS, REKEY_RESPONSES } from './rekey/rekey-schemas.ts';
import { KEY_STATUS } from './views/key-schemas.ts';
import { VIEW_OPERATIONS, VIEW_RESPONSES } from './views/openapi.ts';

const NAMES = [
  { name: 'vault', in: 'path', description: 'Name of a managed vault.', schema: z.string().min(3).max(24) },
  { name: 'key', in: 'path', description: 'Name of the key.', schema: z.string().min(1).max(127) },
] as const;

const OPERATIONS: readonly ApiOperation[] = [
  {
    id: 'keyStatus',
    method: 'get',
    path: '/keys/{vault}/{key}',
    summary: 'How a key stands: versions, open revocation, dependents, effect.',
    role: 'CmkKey.Read',
    parameters: NAMES,
    responses: { 200: { description: 'The key.', schema: 'KeyStatus' } },
    conditional: true,
    problems: { 404: ['KeyNotManaged'], 502: ['ServiceUnavailable', 'VaultUnreadable'] },
  },
  {
    id: 'revokeKey',
    method: 'post',
    path: '/keys/{vault}/{key}/revoke',
    summary: 'Cut off all data behind a key: every enabled version is disabled.',
    description: 'Safe to repeat: a repeated call finishes what is missing. With `dryRun=true` no body is needed.',
    role: 'CmkKey.Revoke',
    parameters: [
      ...NAMES,
      {
        name: 'dryRun',
        in: 'query',
        description: 'Show what depends on the key and change nothing.',
        schema: z.enum(['true', 'false']).optional(),
      },
    ],
    request: 'RevokeRequest',
    responses: { 200: { description: 'Every version is disabled, as a fresh read proves.', schema: 'RevokeResponse' } },
    problems: {
      400: ['ConfirmationWrong', 'QueryInvalid'],
      401: ['StepUpNeeded'],
      404: ['KeyNotManaged'],
      502: ['RevocationIncomplete', 'ServiceUnavailable', 'VaultUnreadable'],
    },
  },
  {
    id: 'restoreKey',
    method: 'post',
    path: '/keys/{vault}/{key}/restore',
    summary: 'Give back exactly what the named revocation disabled, by a second person.',
    role: 'CmkKey.Restore',
    parameters: NAMES,
    request: 'RestoreRequest',
    responses: {
      200: { description: 'Everything that was disabled is enabled again.', schema: 'RestoreResponse' },
    },
    problems: {
      401: ['StepUpNeeded'],
      403: ['SecondPersonNeeded', 'PersonNeeded'],
      404: ['KeyNotManaged'],
      409: ['OtherRevocation', 'RestoreOvertaken', 'RevocationUnbelieved'],
      502: ['MissingPermission', 'RestoreIncomplete', 'ServiceUnavailable', 'VaultUnreadable'],
      503: ['ServiceUnavailable'],
    },
  },
  {
    id: 'openApi',
    method: 'get',
    path: '/openapi.json',
    summary: 'This document.',
    role: undefined,
    responses: { 200: { description: 'OpenAPI 3.1.' } },
  },
];

/** The document that `GET /api/openapi.json` serves. */
export function openApiDocument(): Record<string, unknown> {
  return buildOpenApi({
    title: 'cmk-autopilot',
    version: '1',
    description: 'Break-glass and drift of customer-managed keys of Azure Storage.',
    server: '/api',
    operations: [
      ...VIEW_OPERATIONS,
      ...OPERATIONS,
      ...PAUSE_OPERATIONS,
      ...REKEY_OPERATIONS,
      ...AUDIT_OPERATIONS,
      ...DRIFT_OPERATIONS,
    ],
    requests: {
      RevokeRequest: REVOKE_REQUEST,
      RestoreRequest: RESTORE_REQUEST,
      ...REKEY_REQUESTS,
      ...PAUSE_REQUESTS,
    },
    responses: {
      ...VIEW_RESPONSES,
      KeyStatus: KEY_STATUS,
      RevokeResponse: REVOKE_RESPONSE,
      RestoreResponse: RESTORE_RESPONSE,
      ...PAUSE_RESPONSES,
      ...AUDIT_RESPONSES,
      ...DRIFT_RESPONSES,
      ...REKEY_RESPONSES,
    },
  });
}
