import { z } from 'zod';
import { AUDIT_WAIT_MS } from '../audit/audit-trail.ts';
import { Journal } from '../audit/journal.ts';
import { createJsonResponse } from '../http/answers.ts';
import { REASON, TICKET } from '../http/json-body.ts';
import { HttpProblem, runOrUnavailable } from '../http/problem.ts';
import { FLAG } from '../http/query.ts';
import { toAuditedCaller } from '../http/token-claims.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { rotateKey } from '../rotation/rotate-key.ts';
import { acquireRotation, countMsToLand, readIntent } from '../rotation/rotation-lease.ts';
import type { Services } from '../services.ts';
import { KEY_PARAMS, requireKeyOfCall } from './named-key.ts';
import { OPERATE, ok, type Route, route } from './route.ts';

/** A younger version counts as the result of the rotation, so a repeated call creates no second version. Seconds. */
const RECENT_SECONDS = 3_600;

const ROTATE_REQUEST = z.strictObject({ reason: REASON, ticket: TICKET });
export const ROTATE_RESPONSE = z.object({
  from: z.string().describe('Newest version before the call.'),
  to: z
    .string()
    .optional()
    .describe(
      'Newest version after the call; equal to `from` if `from` is younger than an hour. Absent: a dry run that would create a version.',
    ),
  audit: z
    .string()
    .optional()
    .describe('`written`, or why the app could not write the audit trail; absent: the call created no version.'),
});

/** Creates a new version of a key with the app's role on the vault, as `cmk key rotate` does. */
export const ROTATE_ROUTE: Route = route({
  id: 'rotateKey',
  ...OPERATE,
  path: '/keys/{vault}/{key}/rotate',
  summary: 'Create a new version of a key; the app then moves the accounts that use the key.',
  description:
    'Safe to repeat: one rotation of a key runs at a time (`RotationUnderWay`), and a newest version younger than an hour counts as the rotation. With `dryRun=true` the call needs no body. While moves are paused, the app creates the version, but accounts stay on the older version.',
  reach: 'key',
  params: KEY_PARAMS,
  query: { dryRun: { description: 'Check, and change nothing.', schema: FLAG } },
  body: { RotateRequest: ROTATE_REQUEST },
  answers: ok('Newest version before and after the call.', { RotateResponse: ROTATE_RESPONSE }),
  refusals: [
    'KeyNotManaged',
    'KeyNotFound',
    'RevocationOpen',
    'KeyDisabled',
    'ImportedKey',
    'RotationUnderWay',
    'RotationUnknown',
    'RotationIncomplete',
    'ServiceUnavailable',
  ],
  async handle({ request, query: { dryRun }, caller, correlationId, services, log, ...call }) {
    const key = requireKeyOfCall({ request, services });
    const { reason: why, ticket } = dryRun ? {} : await call.body();
    const journal = new Journal({ dryRun });

    // The same fields as in the record of an automatic rotation.
    const about = { action: 'key.rotate', resource: key.id, caller: toAuditedCaller(caller), correlationId };
    const begin = ({ version }: KeyVersion) =>
      services.audit(
        { ...about, reason: 'RotationBegun', details: { from: `${key.id}/${version}`, why, ticket } },
        AUDIT_WAIT_MS,
      );

    const rotate = () =>
      runOrUnavailable(
        () => rotateKey(key, RECENT_SECONDS, { azure: services, journal, begin }),
        (failure) => `Key Vault did not rotate the key: ${failure}`,
      );

    const { from, to } = dryRun ? await rotate() : await rotateAlone(key, services, rotate);
    if (dryRun || to === undefined || to === from) return createJsonResponse(200, { from, to });

    services.nowBoard.changed(request.params.vault, services);

    const outcome = await services.audit(
      {
        ...about,
        id: `key.rotate/${to}`,
        reason: 'Rotated',
        details: { from: `${key.id}/${from}`, to: `${key.id}/${to}`, why, ticket },
      },
      AUDIT_WAIT_MS,
    );

    // Event Grid may lose the event of the new version.
    const cause = { by: 'operator' as const, ref: correlationId.slice(0, 200), since: services.now().toISOString() };

    await services
      .requestKeys([key.id], cause)
      .catch((error: unknown) =>
        log({ level: 'warning', reason: 'ServiceUnavailable', message: String(error), key: key.id }),
      );

    return createJsonResponse(200, { from, to, audit: 'failed' in outcome ? outcome.failed : 'written' });
  },
});

/**
 * Runs a rotation while no other rotation of the key by the app runs, or may still create a version.
 *
 * @throws {@link HttpProblem} `RotationUnderWay`, `ServiceUnavailable`
 */
async function rotateAlone<T>(
  key: ManagedKey,
  { leases, now }: Pick<Services, 'leases' | 'now'>,
  rotate: () => Promise<T>,
): Promise<T> {
  const lease = await runOrUnavailable(
    () => acquireRotation(key, leases),
    (failure) => `The app could not check whether another rotation of the key is in progress: ${failure}`,
  );
  if (!lease) throw new HttpProblem('RotationUnderWay');

  try {
    if (countMsToLand(readIntent(lease), now()) > 0) throw new HttpProblem('RotationUnderWay');
    return await rotate();
  } finally {
    await lease.release();
  }
}
