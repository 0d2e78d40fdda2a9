import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { abortAfter } from '../azure/deadline.ts';
import { describeAnswerOf } from '../azure/failure.ts';
import { createJsonResponse } from '../http/answers.ts';
import { AUDITED, REASON, TICKET } from '../http/json-body.ts';
import { HttpProblem } from '../http/problem.ts';
import { FLAG } from '../http/query.ts';
import { toAuditedCaller } from '../http/token-claims.ts';
import { readBlastRadius } from '../key-users/blast-radius.ts';
import { BLAST_RADIUS, type BlastRadius } from '../key-users/dependent.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { RevocationCall } from '../revocation/follow-ups.ts';
import { SECOND_WAY } from '../revocation/read-only-vault.ts';
import { listAuditWarnings, NOT_AUDITED } from '../revocation/record-revocation.ts';
import { type Revoked, revoke } from '../revocation/revoke.ts';
import { getRevocationState, reportVersions, SHOWN_REVOCATION, VERSION_REPORT } from '../revocation/version-report.ts';
import { LOGGED_USAGE } from '../status/key-schemas.ts';
import { readKeyUsage } from '../status/key-usage.ts';
import { listLockoutWarnings } from '../status/lockout-warnings.ts';
import { KEY_PARAMS, listOrRefuse, requireKeyOfCall, toUnreadableProblem } from './named-key.ts';
import { type Call, ok, type Route, route } from './route.ts';

/** Milliseconds that a dry run waits for the key's dependents. A real revocation waits for less time. */
const DRY_RUN_MS = 60_000;
const DEPENDENTS_MS = 1_500;

export const REVOKE_REQUEST = z.strictObject({
  reason: REASON,
  ticket: TICKET,
  confirm: z
    .string()
    .max(200)
    .describe('The key again, as `<vault>/<key>`: the app rejects a call whose path names another key.'),
});

/** Fields of the answers to a revocation and a restore. */
export const CHANGED_KEY = {
  key: z.string(),
  complete: z.boolean(),
  versions: z.array(VERSION_REPORT),
  audit: AUDITED,
  auditReceipt: z
    .string()
    .optional()
    .describe('Number and hash of the audit record: `cmk audit verify --receipt` later proves that the trail has it.'),
  warnings: z.array(z.string()).describe('Failed reads and writes, and the next steps.'),
};

const REVOKE_RESPONSE = z.object({
  ...CHANGED_KEY,
  reason: z.enum(['Revoked', 'DryRun']),
  revocation: SHOWN_REVOCATION.optional(),
  elapsedMs: z
    .number()
    .describe('Milliseconds from the call to the end of the last write; 0 if the call wrote nothing.'),
  dependents: BLAST_RADIUS,
  usage: LOGGED_USAGE.optional(),
});
export type RevokeResponse = z.input<typeof REVOKE_RESPONSE>;

/** Depends only on Key Vault and the token. */
export const REVOKE_ROUTE: Route = route({
  id: 'revokeKey',
  method: 'POST',
  path: '/keys/{vault}/{key}/revoke',
  summary: 'Disable every enabled version of a key, which cuts off all data that it protects.',
  description:
    'Safe to repeat: a repeated call disables the remaining versions. With `dryRun=true` the call needs no body.',
  role: 'CmkKey.Revoke',
  reach: 'key',
  act: 'revoke',
  params: KEY_PARAMS,
  query: { dryRun: { description: 'Show the dependents of the key and change nothing.', schema: FLAG } },
  body: { RevokeRequest: REVOKE_REQUEST },
  answers: ok('Every version is disabled: a new read confirms it.', { RevokeResponse: REVOKE_RESPONSE }),
  refusals: [
    'ConfirmationWrong',
    'StepUpNeeded',
    'KeyNotManaged',
    'RevocationIncomplete',
    'VaultReadOnly',
    ['ServiceUnavailable', 502],
    'VaultUnreadable',
  ],
  handle: handleRevoke,
});

/** For a key that was deleted during the call. */
const DELETED_MEANWHILE = {
  detail:
    'The key was deleted during the call, so the app could not read its versions again. Nothing can use a deleted key, but a recovery brings back its versions as they were, enabled ones too.',
  nextStep: 'If the key is recovered, revoke it again at once.',
};

type RevokeCall = Call<{ readonly dryRun: boolean }, z.output<typeof REVOKE_REQUEST>>;

/**
 * Revokes a key and builds the answer; with `dryRun`, describes the effect of a revocation.
 *
 * @throws {@link HttpProblem} 400, 404, 502 when the app cannot confirm that every version is disabled
 */
export async function handleRevoke(call: RevokeCall): Promise<HttpResponseInit> {
  const { services, log } = call;
  const key = requireKeyOfCall(call);
  if (call.query.dryRun) return createJsonResponse(200, await previewRevocation(key, call));

  const body = await call.body();

  checkConfirmation(body.confirm, key);

  const dependents = () => abortAfter((signal) => readBlastRadius(key, services, signal), DEPENDENTS_MS);
  const ports = { ...services, keys: services.urgentKeys, dependents };
  const result = await revoke(key, toRevocationCall(call, body), ports, log).catch((error: unknown) => {
    throw toUnreadableProblem(error, 'cmk key revoke');
  });
  if (!result) throw new HttpProblem('KeyNotManaged');

  const answer = toBody(result);
  if (result.complete) return createJsonResponse(200, answer);

  const { reason: _, ...extensions } = answer;
  if (result.isDeleted) throw new HttpProblem('RevocationIncomplete', { ...DELETED_MEANWHILE, extensions });

  if (result.reason === 'VaultReadOnly') throw createReadOnlyProblem(extensions);

  throw new HttpProblem('RevocationIncomplete', { detail: whatIsOpen(result), extensions });
}

/** Problem of a call that no update can help, with the command that needs none. */
function createReadOnlyProblem(extensions: Readonly<Record<string, unknown>>): HttpProblem {
  const nextStep = `Remove the role of the identity of each account that depends on the key: \`${SECOND_WAY}\`. After the failback, revoke the key too.`;
  return new HttpProblem('VaultReadOnly', { nextStep, extensions: { ...extensions, secondWay: SECOND_WAY } });
}

/** Caller and reason for the audit trail. */
export function toRevocationCall(
  { caller, correlationId }: Pick<Call, 'caller' | 'correlationId'>,
  { reason, ticket }: { readonly reason: string; readonly ticket?: string | undefined },
): RevocationCall {
  return { caller: toAuditedCaller(caller), correlationId, why: reason, ticket };
}

async function previewRevocation(key: ManagedKey, { services }: Pick<Call, 'services'>): Promise<RevokeResponse> {
  const versions = await listOrRefuse(key, 'cmk key revoke --dry-run', services);
  const [dependents, usage] = await Promise.all([
    abortAfter((signal) => readBlastRadius(key, services, signal), DRY_RUN_MS),
    readKeyUsage(key, services.settings.drift.usageWorkspace, services, DRY_RUN_MS),
  ]);

  return {
    key: key.id,
    reason: 'DryRun',
    complete: false,
    versions: reportVersions(versions, [], versions, services.now()),
    elapsedMs: 0,
    dependents,
    ...usage,
    ...NOT_AUDITED,
    warnings: listLockoutWarnings(dependents),
  };
}

function toBody(result: Revoked<BlastRadius>): RevokeResponse {
  const { key, complete, revocation, versions, elapsedMs, dependents, audit, auditReceipt, warnings } = result;

  return {
    key: key.id,
    reason: 'Revoked',
    complete,
    revocation: revocation && getRevocationState(revocation),
    versions: [...versions],
    elapsedMs,
    dependents,
    audit,
    auditReceipt,
    warnings: [
      ...listLockoutWarnings(dependents),
      ...listUnrecordedWarnings(result),
      ...listAuditWarnings({ audit }),
      ...warnings,
    ],
  };
}

function whatIsOpen({ unproven, restored, versions }: Revoked<BlastRadius>): string {
  if (restored) return 'A restore of this revocation is already running and enables its versions again.';
  if (unproven) return `The app could not read the versions again to verify the result: ${describeAnswerOf(unproven)}`;
  const open = versions.filter(({ after }) => after !== 'Disabled').map(({ version }) => version);
  return `${open.length} of ${versions.length} versions are not disabled: ${open.join(', ')}.`;
}

/** @throws {@link HttpProblem} 400 when `confirm` does not name the key in the path */
function checkConfirmation(confirm: string, key: ManagedKey): void {
  const wanted = `${key.vault.name}/${key.name}`;
  if (confirm.toLowerCase() === wanted.toLowerCase()) return;
  throw new HttpProblem('ConfirmationWrong', {
    detail: '"confirm" does not name the key in the path. The app changed nothing.',
    nextStep: `Send "confirm": "${wanted}" if you want to revoke this key.`,
  });
}

function listUnrecordedWarnings({ unrecorded, revocation, complete, versions }: Revoked<BlastRadius>): string[] {
  const warnings: string[] = [];
  if (unrecorded.length > 0) {
    warnings.push(
      `A restore will leave these versions disabled, because they have no free tag for the revocation record: ${unrecorded.join(', ')}.`,
    );
  }

  if (complete && !revocation) {
    warnings.push(
      versions.some(({ error }) => error)
        ? 'The app could not write the revocation record, so it will not disable later versions. Repeat the call later.'
        : 'No version of the key has a free tag for the revocation record, so the app will not disable later versions. Remove a tag from a version and repeat the call.',
    );
  }

  return warnings;
}
