import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { checkRekey, requireRollback } from '../controller/check-rekey.ts';
import { changeRekey, MAX_FAILURES, type RekeyAct, startRekey } from '../controller/order-rekey.ts';
import { REKEY_CHECK } from '../controller/rekey-problems.ts';
import type { RouteKey } from '../http/access.ts';
import { createJsonResponse } from '../http/answers.ts';
import { REASON, TICKET } from '../http/json-body.ts';
import { HttpProblem, runOrUnavailable } from '../http/problem.ts';
import { FLAG } from '../http/query.ts';
import { toAuditedCaller } from '../http/token-claims.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { REKEY, type Rekey, type StandingOrders } from '../orders/standing-orders.ts';
import { REKEY_STATUS, readRekeyStatus } from '../status/rekey.ts';
import { KEY_FIELD, requireNamedKey } from './named-key.ts';
import { type Call, OPERATE, ok, READ, type Route, route } from './route.ts';

export const REKEY_REQUEST = z.strictObject({
  from: KEY_FIELD.describe('Source key of the move, as `<vault>/<key>`.'),
  to: KEY_FIELD.describe('Target key of the move, as `<vault>/<key>`.'),
  reason: REASON,
  ticket: TICKET,
  maxFailures: z
    .int()
    .min(1)
    .max(1_000)
    .optional()
    .describe('Number of failed accounts at which the re-key stops; 3 by default.'),
});

export const REKEY_CHANGE = z.strictObject({ reason: REASON });

export const REKEY_LIST = z.object({ value: z.array(REKEY) });
export const REKEY_STARTED = z.object({ check: REKEY_CHECK, order: REKEY });

const ID = { id: { description: 'Id of the re-key.', schema: z.string().min(1).max(64) } } as const;
const STATUS_ANSWER = { description: 'The order and its progress.', schema: { RekeyStatus: REKEY_STATUS } } as const;

/** A route that changes an order; the body has the reason. */
const changing = (id: string, act: RekeyAct & ('pause' | 'resume'), summary: string): Route =>
  route({
    id,
    ...OPERATE,
    path: `/rekeys/{id}/${act}`,
    summary,
    reach: 'handler',
    params: ID,
    body: { RekeyChange: REKEY_CHANGE },
    answers: { 200: STATUS_ANSWER },
    refusals: ['RekeyNotFound', 'RekeyNotPossible', 'ServiceUnavailable'],
    async handle(call) {
      await orderInReach(call);
      return change(act, (await call.body()).reason, call);
    },
  });

/** Routes of re-keys. A caller with a scoped role reaches an order only if the scope has both of its keys. */
export const REKEY_ROUTES: readonly Route[] = [
  route({
    id: 'listRekeys',
    ...READ,
    path: '/rekeys',
    summary: 'List the re-keys, newest first.',
    reach: 'handler',
    answers: ok('The orders.', { Rekeys: REKEY_LIST }),
    refusals: ['ServiceUnavailable'],
    async handle({ services, reaches }) {
      const { rekeys } = await orProblem(() => services.orderStore.read());
      return createJsonResponse(200, { value: rekeys.filter((order) => keysOf(order).every(reaches)).toReversed() });
    },
  }),
  route({
    id: 'startRekey',
    ...OPERATE,
    path: '/rekeys',
    summary: 'Move every use of the source key to the target key.',
    description:
      'The app first checks the order and answers with every blocker. The order is pending until nothing uses the source key. With `dryRun=true` the app only checks.',
    reach: 'handler',
    query: { dryRun: { description: 'Check, and change nothing.', schema: FLAG } },
    body: { RekeyRequest: REKEY_REQUEST },
    answers: {
      200: { description: 'Blockers, and the uses that the re-key would move.', schema: { RekeyCheck: REKEY_CHECK } },
      201: {
        description: 'The order is pending.',
        schema: { RekeyStarted: REKEY_STARTED },
      },
    },
    refusals: ['KeyNotManaged', 'RekeyConflict', 'RekeyUnfit', 'TooManyOrders', 'ServiceUnavailable'],
    handle: start,
  }),
  route({
    id: 'rekeyStatus',
    ...READ,
    path: '/rekeys/{id}',
    summary: 'Get the progress of a re-key, the failures with their reasons, and the remaining steps.',
    reach: 'handler',
    params: ID,
    answers: { 200: STATUS_ANSWER },
    refusals: ['RekeyNotFound', 'ServiceUnavailable'],
    handle: async (call) => show((await orderInReach(call)).id, call),
  }),
  route({
    id: 'cancelRekey',
    method: 'DELETE',
    path: '/rekeys/{id}',
    summary: 'Roll back a re-key: a new order moves its uses back to the source key.',
    description: 'With `keep=true` the re-key ends, and every use keeps its current key.',
    role: 'Cmk.Operate',
    reach: 'handler',
    params: ID,
    query: {
      reason: { description: 'Reason for the audit trail.', schema: REASON },
      keep: { description: 'End the re-key without a rollback.', schema: FLAG },
    },
    answers: {
      202: {
        description: 'The order that rolls the re-key back; with `keep`, the ended order.',
        schema: { RekeyStatus: REKEY_STATUS },
      },
    },
    refusals: [
      'RekeyNotFound',
      'KeyNotFound',
      'NewestVersionUnusable',
      'NoUsableVersion',
      'RekeyConflict',
      'RekeyNotPossible',
      'RevocationOpen',
      'TooManyOrders',
      'VaultUnreadable',
      'ServiceUnavailable',
    ],
    async handle(call) {
      const { query, services } = call;
      const order = await orderInReach(call);
      if (query.keep) return change('end', query.reason, call, 202);
      await orProblem(() => requireRollback(order, services));
      return change('rollBack', query.reason, call, 202);
    },
  }),
  changing('pauseRekey', 'pause', 'Pause a re-key until it is resumed.'),
  changing('resumeRekey', 'resume', 'Resume a re-key and retry its failed accounts.'),
];

function orderOf({ caller: by, correlationId }: Call, reason: string, ticket?: string) {
  return { caller: toAuditedCaller(by), correlationId, reason, ticket };
}

/** Starts a re-key; with `dryRun`, only checks it. @throws {@link HttpProblem} 409 with every blocker */
async function start(
  call: Call<{ readonly dryRun: boolean }, z.output<typeof REKEY_REQUEST>>,
): Promise<HttpResponseInit> {
  const { query, services, log } = call;
  const { vaults } = services.settings;
  const { from: source, to: target, reason, ticket, maxFailures = MAX_FAILURES } = await call.body();
  for (const name of [source, target]) {
    const [vault = '', key = ''] = name.split('/');
    call.require({ vault, key });
  }

  const from = requireNamedKey(vaults, source);
  const to = requireNamedKey(vaults, target);
  const check = await orProblem(() => checkRekey(from, to, services));
  if (query.dryRun) return createJsonResponse(200, check);

  if (check.problems.length > 0) {
    const detail = check.problems.map((problem) => problem.detail).join(' ');
    throw new HttpProblem('RekeyUnfit', { detail, extensions: { check } });
  }

  const request = { from: from.id, to: to.id, maxFailures };
  const order = await orProblem(() => startRekey(request, orderOf(call, reason, ticket), services, log));

  return createJsonResponse(201, { check, order });
}

async function change(act: RekeyAct, why: string, call: Call, status = 200): Promise<HttpResponseInit> {
  const { request, services, log } = call;
  const id = request.params.id ?? '';
  const changed = await orProblem(() => changeRekey(id, act, orderOf(call, why), services, log));
  return show(changed.id, call, status);
}

async function show(id: string, { services }: Call, status = 200): Promise<HttpResponseInit> {
  const orders = await orProblem(() => services.orderStore.read());
  return createJsonResponse(status, await orProblem(() => readRekeyStatus(orderIn(orders, id), orders, services)));
}

/**
 * Returns the order in the path if the caller's role reaches both of its keys.
 *
 * @throws {@link HttpProblem} 403, 404, 503
 */
async function orderInReach(call: Call): Promise<Rekey> {
  const order = orderIn(await orProblem(() => call.services.orderStore.read()), call.request.params.id ?? '');
  for (const key of keysOf(order)) call.require(key);
  return order;
}

function orderIn({ rekeys }: StandingOrders, id: string): Rekey {
  const order = rekeys.find((rekey) => rekey.id === id);
  if (order) return order;
  throw new HttpProblem('RekeyNotFound');
}

function keysOf({ from, to }: Rekey): RouteKey[] {
  return [from, to].flatMap((key) => {
    const { vaultName, keyName } = parseKeyIdentifier(key) ?? {};
    return vaultName && keyName ? [{ vault: vaultName, key: keyName }] : [];
  });
}

const orProblem = <T>(run: () => Promise<T>): Promise<T> =>
  runOrUnavailable(
    run,
    (why) => `The app could not read or write data that the call needs: ${why}`,
    'Repeat the call in a minute; GET /api/rekeys shows whether it took effect.',
  );
