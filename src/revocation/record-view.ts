import { z } from 'zod';
import { type AccountRevocation, scopeOfPart, type Taken } from './account-record.ts';
import type { TakenFailure } from './change-access.ts';

/** The record of a revocation below the key, as the API shows it. The OpenAPI document is made from these same schemas. */

export const TAKEN = z.object({
  kind: z.enum(['scope', 'role', 'localRole']),
  name: z.string().describe('Of the encryption scope, or of the role assignment.'),
  scope: z
    .string()
    .optional()
    .describe(
      'Where the role was assigned: ARM id of the vault or the key; of a local role `/`, `/keys` or `/keys/<key>`.',
    ),
  hsm: z.string().optional().describe('URI of the Managed HSM that a local role is of.'),
  principalId: z.string().optional(),
});

export const TAKEN_FAILURE = TAKEN.extend({ error: z.string() });

export const ACCOUNT_RECORD = z.object({
  id: z.string(),
  scope: z.string().optional().describe('The encryption scope; absent: the account.'),
  revokedOn: z.iso.datetime(),
  revokedBy: z.string().describe('Object id of who revoked.'),
  took: z.array(TAKEN).describe('What a restore gives back, and nothing else.'),
});

export type TakenView = z.output<typeof TAKEN>;
export type AccountRecordView = z.output<typeof ACCOUNT_RECORD>;

/** Without the texts of role assignments: the record and the audit trail have those. */
export function takenView(one: Taken): TakenView {
  if (one.kind === 'scope') return { kind: one.kind, name: one.name };
  const { kind, name, scope, principalId } = one;
  return { kind, name, scope, principalId, ...(kind === 'localRole' ? { hsm: one.hsm } : {}) };
}

export function failureView({ taken, error }: TakenFailure): z.output<typeof TAKEN_FAILURE> {
  return { ...takenView(taken), error };
}

export function accountRecordView({ id, part, revokedOn, revokedBy, took }: AccountRevocation): AccountRecordView {
  const scope = scopeOfPart(part);
  return {
    id,
    ...(scope === undefined ? {} : { scope }),
    revokedOn: revokedOn.toISOString(),
    revokedBy,
    took: took.map(takenView),
  };
}

/**
 * Of several revocations of one part the newest: it is what a restore names, and gives back what the others took too.
 *
 * @param open newest first
 */
export function newestOfParts(open: readonly AccountRevocation[]): readonly AccountRevocation[] {
  const newest = new Map<string, AccountRevocation>();
  for (const one of open) {
    if (!newest.has(one.part.toLowerCase())) newest.set(one.part.toLowerCase(), one);
  }
  return [...newest.values()];
}
