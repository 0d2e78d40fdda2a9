import { z } from 'zod';
import { type ApiOperation, STORAGE_UNREAD } from '../../http/openapi.ts';
import { CONTROL_RESPONSE, PAUSE_REQUEST, RESUME_REQUEST, ROTATION, ROTATION_LIST } from './schemas.ts';

/** The calls about rotations and pauses. */
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
  {
    id: 'pause',
    method: 'post',
    path: '/pause',
    summary: 'Have all moves and rotations wait, of one key or of all. Break-glass is not paused.',
    description: 'Safe to repeat: a later pause of the same key, or of all, takes the place of the one before.',
    role: 'Cmk.Operate',
    request: 'PauseRequest',
    responses: {
      200: { description: 'What is paused now.', schema: 'ControlResponse' },
    },
    problems: { 404: ['KeyNotManaged'], ...STORAGE_UNREAD },
  },
  {
    id: 'resume',
    method: 'post',
    path: '/resume',
    summary: 'End a pause; with a key, have its rotation go on whatever holds it.',
    role: 'Cmk.Operate',
    request: 'ResumeRequest',
    responses: { 200: { description: 'What is still paused.', schema: 'ControlResponse' } },
    problems: { 404: ['KeyNotManaged'], ...STORAGE_UNREAD },
  },
];

export const ROTATION_REQUESTS = { PauseRequest: PAUSE_REQUEST, ResumeRequest: RESUME_REQUEST };
export const ROTATION_RESPONSES = {
  RotationList: ROTATION_LIST,
  Rotation: ROTATION,
  ControlResponse: CONTROL_RESPONSE,
};
