import { z } from 'zod';
import { AUDIT_OPERATIONS, AUDIT_RESPONSES } from './audit/http/openapi.ts';
import { ACCOUNT_OPERATIONS, ACCOUNT_REQUESTS, ACCOUNT_RESPONSES } from './break-glass/account-openapi.ts';
import { ACCOUNT_RESTORE_RESPONSE } from './break-glass/account-schemas.ts';
import {
  APPROVAL_ASKED,
  APPROVAL_GIVEN,
  APPROVAL_LIST,
  APPROVAL_REQUEST,
  APPROVAL_WITHDRAWN,
  RESTORE_REQUEST,
  RESTORE_RESPONSE,
  REVOKE_REQUEST,
  REVOKE_RESPONSE,
} from './break-glass/schemas.ts';
import { DRIFT_OPERATIONS, DRIFT_RESPONSES } from './drift/http/openapi.ts';
import { type ApiOperation, buildOpenApi } from './http/openapi.ts';
import { PAUSE_OPERATIONS, PAUSE_REQUESTS, PAUSE_RESPONSES } from './orders/http/pause-schemas.ts';
import { REKEY_OPERATIONS, REKEY_REQUESTS, REKEY_RESPONSES } from './orders/http/rekey-schemas.ts';
import { KEY_STATUS } from './views/key-schemas.ts';
import { VIEW_OPERATIONS, VIEW_RESPONSES } from './views/openapi.ts';

const NAMES = [
  { name: 'vault', in: 'path', description: 'Name of a managed vault.', schema: z.string().min(3).max(24) },
  { name: 'key', in: 'path', description: 'Name of the key.', schema: z.string().min(1).max(127) },
] as const;

const APPROVAL_ID = {
  name: 'id',
  in: 'path',
  description: 'Id of the request.',
  schema: z.string().min(8).max(64),
} as const;

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
      202: { description: 'It waits for approval (`CMK_APPROVALS`); nothing was changed.', schema: 'ApprovalAsked' },
    },
    problems: {
      401: ['StepUpNeeded'],
      403: ['SecondPersonNeeded', 'PersonNeeded'],
      404: ['KeyNotManaged'],
      409: ['OtherRevocation', 'RestoreOvertaken', 'RevocationUnbelieved', 'TooManyWaiting'],
      502: ['MissingPermission', 'RestoreIncomplete', 'ServiceUnavailable', 'VaultUnreadable'],
      503: ['ServiceUnavailable'],
    },
  },
  {
    id: 'approvals',
    method: 'get',
    path: '/approvals',
    summary: 'What others have to approve, newest first.',
    role: 'CmkKey.Read',
    responses: {
      200: { description: 'The requests about keys that the role of the caller reaches.', schema: 'ApprovalList' },
    },
    problems: { 503: ['ServiceUnavailable'] },
  },
  {
    id: 'askForApproval',
    method: 'post',
    path: '/approvals',
    summary: 'Ask for a restore that others have to approve.',
    description:
      'The same as a call to restore where `CMK_APPROVALS` asks for approval. Asked again, it is the same request.',
    role: 'CmkKey.Restore',
    request: 'ApprovalRequest',
    responses: { 202: { description: 'It waits for approval; nothing was changed.', schema: 'ApprovalAsked' } },
    problems: {
      401: ['StepUpNeeded'],
      403: ['SecondPersonNeeded', 'PersonNeeded'],
      404: ['KeyNotManaged'],
      409: ['ApprovalNotNeeded', 'OtherRevocation', 'RevocationUnbelieved', 'TooManyWaiting'],
      502: ['ServiceUnavailable', 'VaultUnreadable'],
      503: ['ServiceUnavailable'],
    },
  },
  {
    id: 'approve',
    method: 'post',
    path: '/approvals/{id}/approve',
    summary: 'Approve what somebody else asked for; with the last approval it is carried out.',
    description: 'Of a pause or a re-key it takes the role `Cmk.Operate` instead; of a re-key on both keys.',
    role: 'CmkKey.Restore',
    parameters: [APPROVAL_ID],
    responses: { 200: { description: 'Approved, and carried out if it was the last.', schema: 'ApprovalGiven' } },
    problems: {
      401: ['StepUpNeeded'],
      403: ['ApproverIsAsker', 'ApproverIsRevoker', 'ApproverIsApplication', 'PersonNeeded', 'SecondPersonNeeded'],
      404: ['AccountNotManaged', 'ApprovalNotFound', 'KeyNotManaged'],
      409: [
        'AccountRecordUnbelieved',
        'ApprovalAltered',
        'ApprovalOver',
        'ApprovalExpired',
        'ApprovedAlready',
        'Busy',
        'OtherRevocation',
        'RekeyConflict',
        'RekeyUnfit',
        'RestoreOvertaken',
        'RevocationUnbelieved',
      ],
      502: [
        'AccountRestoreIncomplete',
        'MissingPermission',
        'RestoreIncomplete',
        'ServiceUnavailable',
        'VaultUnreadable',
      ],
      503: ['ServiceUnavailable'],
    },
  },
  {
    id: 'withdrawApproval',
    method: 'delete',
    path: '/approvals/{id}',
    summary: 'Take back what one has asked for.',
    description: 'Of a pause or a re-key it takes the role `Cmk.Operate` instead; of a re-key on both keys.',
    role: 'CmkKey.Restore',
    parameters: [APPROVAL_ID],
    responses: { 200: { description: 'Taken back.', schema: 'ApprovalWithdrawn' } },
    problems: {
      401: ['StepUpNeeded'],
      403: ['NotTheAsker', 'PersonNeeded'],
      404: ['ApprovalNotFound'],
      409: ['ApprovalAltered', 'ApprovalOver', 'ApprovalExpired', 'Busy'],
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
      ...ACCOUNT_OPERATIONS,
      ...PAUSE_OPERATIONS,
      ...REKEY_OPERATIONS,
      ...AUDIT_OPERATIONS,
      ...DRIFT_OPERATIONS,
    ],
    requests: {
      RevokeRequest: REVOKE_REQUEST,
      RestoreRequest: RESTORE_REQUEST,
      ApprovalRequest: APPROVAL_REQUEST,
      ...ACCOUNT_REQUESTS,
      ...REKEY_REQUESTS,
      ...PAUSE_REQUESTS,
    },
    responses: {
      ...VIEW_RESPONSES,
      KeyStatus: KEY_STATUS,
      RevokeResponse: REVOKE_RESPONSE,
      RestoreResponse: RESTORE_RESPONSE,
      ApprovalAsked: APPROVAL_ASKED,
      ApprovalGiven: APPROVAL_GIVEN.extend({
        accountRestore: ACCOUNT_RESTORE_RESPONSE.optional().describe('Likewise, of a restore below the key.'),
      }),
      ApprovalList: APPROVAL_LIST,
      ApprovalWithdrawn: APPROVAL_WITHDRAWN,
      ...ACCOUNT_RESPONSES,
      ...PAUSE_RESPONSES,
      ...AUDIT_RESPONSES,
      ...DRIFT_RESPONSES,
      ...REKEY_RESPONSES,
    },
  });
}
