import { z } from 'zod';
import { AUDIT_WAIT_MS } from '../audit/audit-trail.ts';
import { jsonResponse } from '../http/answers.ts';
import { REASON, TICKET } from '../http/json-body.ts';
import { orUnavailable } from '../http/problem.ts';
import { FLAG } from '../http/query.ts';
import { auditedCaller } from '../http/token-claims.ts';
import { Journal } from '../operations/journal.ts';
import { rotateKey } from '../operations/key/key-rotate.ts';
import { KEY_PARAMS, keyOfCall } from './named-key.ts';
import { type Route, route } from './route.ts';

/** A version that is younger counts as the rotation asked for, so that a repeated call makes no second one. Seconds. */
const RECENT_SECONDS = 3_600;

const ROTATE_REQUEST = z.strictObject({ reason: REASON, ticket: TICKET });
export const ROTATE_RESPONSE = z.object({
  from: z.string().describe('The newest version before the call.'),
  to: z
    .string()
    .optional()
    .describe(
      'The newest version now; equal to `from` if that is younger than an hour. Absent: a dry run would make one.',
    ),
  audit: z
    .string()
    .optional()
    .describe('`written`, or why the audit trail could not be written; absent: no version was made.'),
});

/** Makes a new version of a key, as `cmk key rotate` does, with the app's right on the vault. */
export const ROTATE_ROUTE: Route = route({
  id: 'rotateKey',
  method: 'POST',
  path: '/keys/{vault}/{key}/rotate',
  summary: 'Make a new version of a key; the app moves what uses the key.',
  description:
    'Safe to repeat: a newest version that is younger than an hour counts as the rotation. With `dryRun=true` no body is needed. While moves are paused, the version is made, and what uses the key stays on the older one.',
  role: 'Cmk.Operate',
  reach: 'key',
  params: KEY_PARAMS,
  query: { dryRun: { description: 'Check, and change nothing.', schema: FLAG } },
  body: { RotateRequest: ROTATE_REQUEST },
  answers: {
    200: { description: 'The newest version before and after.', schema: { RotateResponse: ROTATE_RESPONSE } },
  },
  refusals: [
    'KeyNotManaged',
    'KeyNotFound',
    'RevocationOpen',
    'KeyDisabled',
    'ImportedKey',
    'RotationUnknown',
    'RotationIncomplete',
    'ServiceUnavailable',
  ],
  async handle({ request, query: { dryRun }, caller, correlationId, services, log, ...call }) {
    const key = keyOfCall({ request, services });
    const { reason: why, ticket } = dryRun ? {} : await call.body();
    const journal = new Journal({ dryRun });
    const { from, to } = await orUnavailable(
      () => rotateKey(key, RECENT_SECONDS, { azure: services, journal }),
      (failure) => `Key Vault did not rotate the key: ${failure}`,
    );
    if (dryRun || to === undefined || to === from) return jsonResponse(200, { from, to });
    services.nowBoard.changed(request.params.vault, services);
    const outcome = await services.audit(
      {
        // As a rotation when due records it.
        ...{ id: `key.rotate/${to}`, action: 'key.rotate', reason: 'Rotated', resource: key.id },
        ...{ caller: auditedCaller(caller), correlationId },
        details: { from: `${key.id}/${from}`, to: `${key.id}/${to}`, why, ticket },
      },
      AUDIT_WAIT_MS,
    );
    // The event of the new version may be lost.
    const cause = { by: 'operator' as const, ref: correlationId.slice(0, 200), since: services.now().toISOString() };
    await services
      .requestKeys([key.id], cause)
      .catch((error: unknown) =>
        log({ level: 'warning', reason: 'ServiceUnavailable', message: String(error), key: key.id }),
      );
    return jsonResponse(200, { from, to, audit: 'failed' in outcome ? outcome.failed : 'written' });
  },
});
