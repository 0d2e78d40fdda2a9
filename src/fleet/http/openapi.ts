import { z } from 'zod';
import { type ApiOperation, STORAGE_UNREAD } from '../../http/openapi.ts';
import { HEALTH_STATES } from '../health-states.ts';
import { FLEET_ACCOUNT, FLEET_LIST } from './schemas.ts';

const filter = (name: string, description: string, schema: z.ZodType = z.string().max(300)) =>
  ({
    name,
    in: 'query',
    description: `${description} May be given several times.`,
    schema: schema.optional(),
  }) as const;

/** The calls about the fleet. */
export const FLEET_OPERATIONS: readonly ApiOperation[] = [
  {
    id: 'fleet',
    method: 'get',
    path: '/fleet',
    summary: 'Storage accounts with their key and how they stand, page by page, after a summary.',
    description:
      'From the fleet index, the last drift check, and the versions of the keys as they are. What is read is kept for 15 seconds. The answer has an `ETag`; asked again with `If-None-Match`, what has not changed is answered 304. A role that is narrowed by CMK_ROLE_SCOPES shows the accounts whose keys it reaches.',
    role: 'CmkKey.Read',
    parameters: [
      filter('key', '`<key>`, `<vault>/<key>` or an identifier.'),
      filter('vault', 'Name of a vault.'),
      filter('subscription', 'Id of a subscription.'),
      filter('resourceGroup', 'Name of a resource group.'),
      filter('tag', '`<name>=<value>`; a name alone: with any value.', z.string().max(800)),
      filter('health', 'How they stand.', z.enum(HEALTH_STATES)),
      filter('cause', 'Id, reason code or label of what is behind it.'),
      {
        name: 'all',
        in: 'query',
        description: '`true`: accounts too that use no key and are not missed for it.',
        schema: z.enum(['true', 'false']).optional(),
      },
      {
        name: 'top',
        in: 'query',
        description: 'Accounts of a page, 200 without it.',
        schema: z.int().min(1).max(1_000).optional(),
      },
      {
        name: 'after',
        in: 'query',
        description: 'Where the page begins, as `nextLink` has it.',
        schema: z.string().max(300).optional(),
      },
    ],
    responses: {
      200: { description: 'A page of them.', schema: 'FleetList' },
      304: { description: 'As it was.' },
    },
    problems: { 400: ['QueryInvalid'], ...STORAGE_UNREAD },
  },
  {
    id: 'fleetAccount',
    method: 'get',
    path: '/fleet/{account}',
    summary: 'One storage account: its key, its scopes, how it stands, its findings, and the last look at it.',
    role: 'CmkKey.Read',
    parameters: [
      {
        name: 'account',
        in: 'path',
        description: 'Name of the storage account.',
        schema: z.string().regex(/^[0-9a-z]{3,24}$/),
      },
    ],
    responses: {
      200: { description: 'The account.', schema: 'FleetAccount' },
      304: { description: 'As it was.' },
    },
    problems: { 404: ['NotFound'], ...STORAGE_UNREAD },
  },
];

export const FLEET_RESPONSES = { FleetList: FLEET_LIST, FleetAccount: FLEET_ACCOUNT };
