import { z } from 'zod';
import { guid, setting } from './setting.ts';

/** Settings of old key versions, and of who may still use them; a part of the table of all settings. */
export const RETIREMENT_SETTINGS = {
  CMK_USAGE_WORKSPACE: setting({
    schema: guid.optional(),
    example: '88888888-8888-8888-8888-888888888888',
    description: "Workspace id of the Log Analytics workspace with the vaults' audit logs: who used which version.",
    fallback: 'no evidence; the app retires no version by itself',
  }),
  CMK_OTHER_DEPENDENTS: setting({
    schema: z.enum(['all', 'listed', 'none']).optional(),
    example: 'all',
    description:
      'Which other resources that use a key the roles of the app let it see: `all`, those of the types in `infra/key-users.json` (`listed`), or `none`. The deployment sets it by its parameter `otherDependents`. With less than all the app retires no version by itself.',
    fallback: '`listed`: without a word of it, not all is taken to be in sight',
  }),
} as const;
