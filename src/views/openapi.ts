import { z } from 'zod';
import { HEALTH_STATES } from '../fleet/health-states.ts';
import { ROTATION } from '../fleet/rotation-schemas.ts';
import { type ApiOperation, STORAGE_UNREAD } from '../http/openapi.ts';
import { FLEET_ACCOUNT, FLEET_LIST } from './fleet-schemas.ts';
import { KEY_LIST } from './key-schemas.ts';
import { NOW } from './now-schemas.ts';
import { ROTATION_LIST } from './rotation.ts';

const filter = (name: string, description: string, schema: z.ZodType = z.string().max(300)) =>
  ({
    name,
    in: 'query',
    description: `${description} May be given several times.`,
    schema: schema.optional(),
  }) as const;

export const VIEW_OPERATIONS: readonly ApiOperation[] = [
  {
    id: 'now',
    method: 'get',
    path: '/now',
    summary: 'How things stand now: whether all is well, and what one looks at for it.',
    description:
      'Each part has when it was read, or why it is not there: `problem` where it could not be read or the caller may not see it, `reading` where it takes longer than a moment. It shows what is not as usual; the path that a part names has all. What is read is kept for 5 to 20 seconds, or for as long as it took to read.',
    role: 'CmkKey.Read',
    parameters: [
      {
        name: 'changed',
        in: 'query',
        description: '`true`: with `If-None-Match`, parts that are as they were then are left out.',
        schema: z.enum(['true', 'false']).optional(),
      },
    ],
    responses: { 200: { description: 'The line, and the parts.', schema: 'Now' } },
    conditional: true,
    problems: { 400: ['QueryInvalid'] },
  },
  {
    id: 'keys',
    method: 'get',
    path: '/keys',
    summary: 'The keys of the managed vaults: the state of each, what uses it, when it is rotated next.',
    description:
      'Those that the role of the caller reaches. A vault that cannot be listed shows the keys that are in use; what cannot be read is said in `unread`, and the rest is there.',
    role: 'CmkKey.Read',
    parameters: [
      {
        name: 'vault',
        in: 'query',
        description: 'Only keys of this vault: its name.',
        schema: z.string().max(1_000).optional(),
      },
      {
        name: 'after',
        in: 'query',
        description: 'Where the page begins, as `nextLink` has it.',
        schema: z.string().max(1_000).optional(),
      },
    ],
    responses: { 200: { description: 'At most 50 of them, by vault and name.', schema: 'KeyList' } },
    conditional: true,
    problems: { 400: ['QueryInvalid'] },
  },
  {
    id: 'rotations',
    method: 'get',
    path: '/rotations',
    summary: 'Keys with a rotation under way, or finished within a week.',
    role: 'CmkKey.Read',
    parameters: [
      {
        name: 'after',
        in: 'query',
        description: 'Where the page begins, as `nextLink` has it.',
        schema: z.string().max(1_000).optional(),
      },
    ],
    responses: { 200: { description: 'At most 50 of them.', schema: 'RotationList' } },
    problems: { 400: ['QueryInvalid'], ...STORAGE_UNREAD },
  },
  {
    id: 'rotation',
    method: 'get',
    path: '/rotations/{vault}/{key}',
    summary: 'How far the rotation of a key is: what is moved, waits and failed, where, and until when.',
    role: 'CmkKey.Read',
    parameters: [
      { name: 'vault', in: 'path', description: 'Name of a managed vault.', schema: z.string().min(3).max(24) },
      { name: 'key', in: 'path', description: 'Name of the key.', schema: z.string().min(1).max(127) },
    ],
    responses: { 200: { description: 'The rotation.', schema: 'Rotation' } },
    problems: { 404: ['KeyNotManaged'], ...STORAGE_UNREAD },
  },
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
    summary: 'One storage account: its key, its scopes, its health, its findings, and when it was last read.',
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

export const VIEW_RESPONSES = {
  Now: NOW,
  KeyList: KEY_LIST,
  RotationList: ROTATION_LIST,
  Rotation: ROTATION,
  FleetList: FLEET_LIST,
  FleetAccount: FLEET_ACCOUNT,
};
