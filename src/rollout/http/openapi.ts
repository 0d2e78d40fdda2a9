import { z } from 'zod';
import { type ApiOperation, STORAGE_UNREAD } from '../../http/openapi.ts';
import { ROTATION, ROTATION_LIST } from './schemas.ts';

/** The calls about rotations. */
export const ROTATION_OPERATIONS: readonly ApiOperation[] = [
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
];

export const ROTATION_RESPONSES = {
  RotationList: ROTATION_LIST,
  Rotation: ROTATION,
};
