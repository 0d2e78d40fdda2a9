import { z } from 'zod';
import type { ApiOperation } from '../http/openapi.ts';
import {
  ACCOUNT_RESTORE_REQUEST,
  ACCOUNT_RESTORE_RESPONSE,
  ACCOUNT_REVOKE_REQUEST,
  ACCOUNT_REVOKE_RESPONSE,
  ACCOUNT_STATUS,
  SCOPE,
} from './account-schemas.ts';

const NAME = {
  name: 'name',
  in: 'path',
  description: 'Name of a storage account.',
  schema: z.string().min(3).max(24),
} as const;

const UNREAD = ['MissingPermission', 'ServiceUnavailable'];

/** The calls about one account: what is revoked below its key. */
export const ACCOUNT_OPERATIONS: readonly ApiOperation[] = [
  {
    id: 'accountStatus',
    method: 'get',
    path: '/accounts/{name}',
    summary: 'What of an account is revoked by itself, below its key.',
    role: 'CmkKey.Read',
    parameters: [
      NAME,
      {
        name: 'shares',
        in: 'query',
        description:
          'Its file shares too, and whether its identity may use its key now. Azure allows few lists: not for asking again and again.',
        schema: z.enum(['true', 'false']).optional(),
      },
    ],
    responses: { 200: { description: 'The account.', schema: 'AccountStatus' } },
    conditional: true,
    problems: { 400: ['QueryInvalid'], 404: ['AccountNotManaged'], 502: UNREAD },
  },
  {
    id: 'revokeAccount',
    method: 'post',
    path: '/accounts/{name}/revoke',
    summary: 'Cut off one account, or one encryption scope, and not the key.',
    description:
      "Of an account, its identity's role on the key is taken away; an encryption scope is disabled. Safe to repeat. With `dryRun=true` no body is needed: it says what would stop, what goes on, and what is not documented.",
    role: 'CmkKey.Revoke',
    parameters: [
      NAME,
      {
        name: 'dryRun',
        in: 'query',
        description: 'Say what would stop and change nothing.',
        schema: z.enum(['true', 'false']).optional(),
      },
      { name: 'scope', in: 'query', description: 'With `dryRun`: the encryption scope.', schema: SCOPE },
    ],
    request: 'AccountRevokeRequest',
    responses: {
      200: { description: 'Nothing gives access any more, as a fresh read proves.', schema: 'AccountRevokeResponse' },
    },
    problems: {
      400: ['ConfirmationWrong', 'QueryInvalid'],
      401: ['StepUpNeeded'],
      404: ['AccountNotManaged'],
      409: ['AccountNotRevocable', 'IdentityShared'],
      502: ['AccountRevocationIncomplete', 'RecordNotWritten', 'SubscriptionUnreadable', ...UNREAD],
    },
  },
  {
    id: 'restoreAccount',
    method: 'post',
    path: '/accounts/{name}/restore',
    summary: 'Give back exactly what the named revocation took away, by a second person.',
    role: 'CmkKey.Restore',
    parameters: [NAME],
    request: 'AccountRestoreRequest',
    responses: {
      200: { description: 'Everything that was taken away is back.', schema: 'AccountRestoreResponse' },
    },
    problems: {
      401: ['StepUpNeeded'],
      403: ['SecondPersonNeeded', 'PersonNeeded'],
      404: ['AccountNotManaged'],
      409: ['AccountRecordUnbelieved', 'OtherRevocation', 'RestoreOvertaken'],
      502: ['AccountRestoreIncomplete', ...UNREAD],
      503: ['ServiceUnavailable'],
    },
  },
];

export const ACCOUNT_REQUESTS = {
  AccountRevokeRequest: ACCOUNT_REVOKE_REQUEST,
  AccountRestoreRequest: ACCOUNT_RESTORE_REQUEST,
};

export const ACCOUNT_RESPONSES = {
  AccountStatus: ACCOUNT_STATUS,
  AccountRevokeResponse: ACCOUNT_REVOKE_RESPONSE,
  AccountRestoreResponse: ACCOUNT_RESTORE_RESPONSE,
};
