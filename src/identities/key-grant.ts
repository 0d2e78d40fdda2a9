import { z } from 'zod';

/** An assignment of "Key Vault Crypto Service Encryption User" on a vault or a key. */
export const ROLE_GRANT = z.object({
  kind: z.literal('role'),
  /** GUID of the assignment. */
  name: z.guid(),
  /** ARM id of the vault or the key. */
  scope: z.string().startsWith('/subscriptions/'),
  principalId: z.guid(),
  description: z.string().optional(),
  condition: z.string().optional(),
  conditionVersion: z.string().optional(),
});

/** An assignment of the local role of Storage's identities in a Managed HSM. Only version 2 removed these. */
export const LOCAL_ROLE_GRANT = z.object({
  kind: z.literal('localRole'),
  name: z.guid(),
  /** URI of the HSM. */
  hsm: z.url({ protocol: /^https$/ }),
  scope: z.union([z.enum(['/', '/keys']), z.templateLiteral(['/keys/', z.string().regex(/^[0-9A-Za-z-]{1,127}$/)])]),
  principalId: z.guid(),
});

/** Key permissions of one principal in an access policy of a vault. */
const POLICY_GRANT = z.object({
  kind: z.literal('policy'),
  /** ARM id. */
  vault: z.string().startsWith('/subscriptions/'),
  tenantId: z.guid(),
  principalId: z.guid(),
  keyPermissions: z.array(z.string()).min(1),
});

/** A grant by which an identity may use keys of a vault, with all that is needed to grant it again. */
export const KEY_GRANT = z.discriminatedUnion('kind', [ROLE_GRANT, LOCAL_ROLE_GRANT, POLICY_GRANT]);
export type KeyGrant = z.output<typeof KEY_GRANT>;
