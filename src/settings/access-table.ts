import { z } from 'zod';
import type { RoleScope, RouteKey } from '../http/access.ts';
import { ROLES } from '../http/roles.ts';
import { guid, json, list, setting } from './setting.ts';

const key = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^[0-9a-z-]{3,24}(?:\/(?:[0-9a-z-]{1,127}|\*))?$/, 'is not a vault or vault/key')
  .transform((name): RouteKey => {
    const [vault = '', key = '*'] = name.split('/');
    return { vault, key };
  });

/** The value of `CMK_ROLE_SCOPES`. A role with an empty list of keys reaches no key. */
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

/** Access settings of the HTTP API; part of the table of all settings. */
export const ACCESS_SETTINGS = {
  CMK_CLIENTS: setting({
    schema: list.pipe(z.array(guid)).optional(),
    example: '04b07795-8ddb-461a-bbee-02f9e1bf7b46',
    description:
      'Client ids of the clients whose tokens the API accepts. An application that calls with its own identity is its own client.',
    fallback: 'every client to which Entra ID issues a token',
  }),
  CMK_RESTORE_APPLICATIONS: setting({
    schema: list.pipe(z.array(guid)).optional(),
    example: '66666666-6666-6666-6666-666666666666',
    description: 'Client ids of applications that may restore a key. Without it, only people may restore.',
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
      'Authentication context of Entra ID that the sign-in of a person must satisfy to revoke or restore a key.',
    fallback: 'no authentication context is required',
  }),
  CMK_ROLE_SCOPES: setting({
    schema: ROLE_SCOPES.optional(),
    example:
      '[{"role":"CmkKey.Revoke","principal":"77777777-7777-7777-7777-777777777777","keys":["kv-files","kv-records/records-key"]}]',
    description:
      'Roles that reach only some keys: a JSON array of `role`, `keys` (vaults, or `vault/key`) and `principal` (an object id; absent: every caller with the role).',
    fallback: 'every role reaches every key',
  }),
} as const;
