import { z } from 'zod';
import type { RoleScope, RouteKey } from '../http/access.ts';
import { ROLES } from '../http/roles.ts';
import { json } from './json.ts';
import { guid } from './setting.ts';

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
export const ROLE_SCOPES = json.pipe(
  z
    .array(
      z
        .strictObject({ role: z.enum(ROLES), principal: guid.optional(), keys: z.array(key).max(500) })
        .transform(({ role, principal, keys }): RoleScope => ({ role, principal, keys })),
      'is not a JSON array',
    )
    .max(500),
);
