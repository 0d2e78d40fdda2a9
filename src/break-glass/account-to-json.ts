import { type AccountRevocation, scopeOfPart, type Taken } from '../revocation/account-record.ts';
import type { TakenFailure } from '../revocation/take-account.ts';
import type { AccountRevokeResponse, AccountStatusResponse } from './account-schemas.ts';

type TakenJson = AccountRevokeResponse['takes'][number];

/** What was taken away, without the texts of assignments: the record and the audit trail have those. */
export function takenOf(taken: readonly Taken[]): TakenJson[] {
  return taken.map(toJson);
}

export function failuresOf(failures: readonly TakenFailure[]): AccountRevokeResponse['failures'] {
  return failures.map(({ taken, error }) => ({ ...toJson(taken), error }));
}

function toJson(one: Taken): TakenJson {
  if (one.kind === 'scope') return { kind: one.kind, name: one.name };
  return { kind: one.kind, name: one.name, scope: one.scope, principalId: one.principalId };
}

export function accountRecordOf({
  id,
  part,
  revokedOn,
  revokedBy,
  took,
}: AccountRevocation): Omit<AccountStatusResponse['revocations'][number], 'held'> {
  const scope = scopeOfPart(part);
  return {
    id,
    ...(scope === undefined ? {} : { scope }),
    revokedOn: revokedOn.toISOString(),
    revokedBy,
    took: takenOf(took),
  };
}
