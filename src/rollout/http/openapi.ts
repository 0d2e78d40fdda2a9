import { type ApiOperation, STORAGE_UNREAD } from '../../http/openapi.ts';
import { CONTROL_RESPONSE, PAUSE_REQUEST, RESUME_REQUEST } from './schemas.ts';

/** The calls about pauses. */
export const ROTATION_OPERATIONS: readonly ApiOperation[] = [
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
      202: { description: 'It waits for approval (`CMK_APPROVALS`); nothing was changed.', schema: 'ApprovalAsked' },
    },
    problems: { 404: ['KeyNotManaged'], 409: ['TooManyWaiting'], ...STORAGE_UNREAD },
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
export const ROTATION_RESPONSES = { ControlResponse: CONTROL_RESPONSE };
