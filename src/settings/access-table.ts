import { z } from 'zod';
import type { RoleScope, RouteKey } from '../http/access.ts';
import { ROLES } from '../http/roles.ts';
import { guid, json, list, setting } from './setting.ts';

const key = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^[0-9a-z-]{3,24}(?:\/(?:[0-9a-z-]{1,127}|\*))?$/, 'is neither a vault nor vault/key')
  .transform((name): RouteKey => {
    const [vault = '', key = '*'] = name.split('/');
    return { vault, key };
  });

/** The value of `CMK_ROLE_SCOPES`. An empty list of keys is a role that reaches none. */
const ROLE_SCOPES = json.pipe(
  z
    .array(
      z
        .strictObject({ role: z.enum(ROLES), principal: guid.optional(), keys: z.array(key).max(500) })
        .transform(({ role, principal, keys }): RoleScope => ({ role, principal, keys })),
      'is not a JSON array',
    )
    .max(500),
);

/** Settings of who may call the HTTP API and do what; a part of the table of all settings. */
export const ACCESS_SETTINGS = {
  CMK_CLIENTS: setting({
    schema: list.pipe(z.array(guid)).optional(),
    example: '04b07795-8ddb-461a-bbee-02f9e1bf7b46',
    description:
      'Client ids that a token for the API may have been got by; an application that calls for itself is its own client.',
    fallback: 'every client that Entra ID gives a token',
  }),
  CMK_RESTORE_APPLICATIONS: setting({
    schema: list.pipe(z.array(guid)).optional(),
    example: '66666666-6666-6666-6666-666666666666',
    description: 'Client ids of applications that may restore a key. Without it, people alone may.',
    fallback: 'none',
  }),
  CMK_STEP_UP: setting({
    schema: z
      .string()
      .trim()
      .toLowerCase()
      .regex(/^c[1-9]\d?$/, 'is not an authentication context, c1 to c99')
      .optional(),
    example: 'c1',
    description:
      'Authentication context of Entra ID that a person has to have signed in with to revoke or restore a key.',
    fallback: 'none is asked for',
  }),
  CMK_ROLE_SCOPES: setting({
    schema: ROLE_SCOPES.optional(),
    example:
      '[{"role":"CmkKey.Revoke","principal":"77777777-7777-7777-7777-777777777777","keys":["kv-files","kv-records/records-key"]}]',
    description:
      'Roles that reach some keys alone: a JSON array of `role`, `keys` (vaults, or `vault/key`) and `principal` (an object id; absent: every caller with the role).',
    fallback: 'every role reaches every key',
  }),
} as const;
