import { randomUUID } from 'node:crypto';
import pMap from 'p-map';
import { expect, it } from 'vitest';
import { SECOND_SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import type { Principal } from '../../local/azure/world.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { ROLES, type Role } from '../../src/http/roles.ts';
import { withRekey } from '../../src/orders/standing-orders.ts';
import type { Answer, Call, RunningApp } from '../break-glass/running-app.ts';
import { useApps } from '../break-glass/use-running-app.ts';
import { OPERATIONS, type Operation, ROWS, type Row } from '../support/calls.ts';
import { useWire } from '../support/wire.ts';

// Who may make which call: every operation of the OpenAPI document × role × narrowed or not × person or application, held
// to the table in docs/reference/api.md.

/** Whether the subject of a call is in the scope of a narrowed role. */
type Place = 'inReach' | 'outOfReach';
const PLACES = {
  inReach: { vault: 'kv-files', key: 'files-key', other: 'archive-key', account: 'stfiles01', order: 'order-in-reach' },
  outOfReach: {
    vault: 'kv-records',
    key: 'records-key',
    other: 'records-key',
    account: 'strecords01',
    order: 'order-out-of-reach',
  },
} as const;
/** What a caller who is narrowed to `kv-files` must not learn of. */
const BEYOND = new RegExp(
  `kv-records|records-key|strecords|hsm-local|${SECOND_SUBSCRIPTION_ID}|order-out-of-reach`,
  'i',
);

/** A call that is refused for what it says once it is let through, or that reads: nothing is changed by it. */
function callOf(
  { operationId, call, hasBody }: Operation,
  place: Place,
): { path: string; method: string; body?: object } {
  const { vault, key, other, account, order } = PLACES[place];
  const [method = '', template = ''] = call.split(' ');
  const ofAudit = template.startsWith('/audit') ? '1' : '';
  const id = template.startsWith('/rekeys') ? order : ofAudit;
  const names: Record<string, string> = { vault, key, account, name: account, id, report: 'newest' };
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => names[name] ?? '');
  const reason = 'The role matrix';
  const revocation = '0000000000000000';
  const bodies: Record<string, object> = {
    revokeKey: { reason, confirm: 'another/key' },
    restoreKey: { reason, revocation },
    startRekey: { reason, from: `${vault}/${key}`, to: `${vault}/${other}` },
  };
  if (operationId === 'startRekey') return { method, path: `${path}?dryRun=true`, body: bodies.startRekey ?? {} };
  if (operationId === 'cancelRekey') return { method, path: `${path}?keep=true&reason=matrix` };

  return { method, path, ...(hasBody ? { body: bodies[operationId] ?? {} } : {}) };
}

interface CallerOf {
  readonly name: string;
  readonly role?: Role;
  readonly kind: Principal['kind'];
  readonly isNarrowed: boolean;
  /** An application that `CMK_RESTORE_APPLICATIONS` names. */
  readonly isNamed?: boolean;
  /** A person whose token lacks the scope of this API. */
  readonly lacksScope?: boolean;
  readonly objectId: string;
  readonly clientId: string;
}

function caller(kind: Principal['kind'], role?: Role, more: Partial<CallerOf> = {}): CallerOf {
  const how = [more.isNarrowed && 'narrowed', more.isNamed && 'named', more.lacksScope && 'without the scope'];

  return {
    name: [kind, role ?? 'no role', ...how].filter(Boolean).join(', '),
    ...(role ? { role } : {}),
    kind,
    isNarrowed: false,
    objectId: randomUUID(),
    clientId: randomUUID(),
    ...more,
  };
}

const CALLERS: readonly CallerOf[] = [
  ...ROLES.flatMap((role) =>
    [false, true].flatMap((isNarrowed) => [
      caller('user', role, { isNarrowed }),
      caller('application', role, { isNarrowed }),
    ]),
  ),
  ...[false, true].map((isNarrowed) => caller('application', 'CmkKey.Restore', { isNarrowed, isNamed: true })),
  caller('user'),
  caller('application'),
  ...ROLES.map((role) => caller('user', role, { lacksScope: true })),
];

/** The reason that a caller is refused with, as the table has it; undefined: the call is let through. */
function expected(row: Row, who: CallerOf | undefined, place: Place): string | undefined {
  if (row.roles.length === 0) return undefined;
  if (!who) return 'TokenMissing';
  if (who.lacksScope) return 'ScopeMissing';
  if (!who.role || !row.roles.includes(who.role)) return 'RoleMissing';
  if (row.applications === 'if named' && who.kind === 'application' && !who.isNamed) return 'PersonNeeded';
  if (!who.isNarrowed) return undefined;
  if (row.narrowed === 'no') return 'RoleNarrowed';
  return row.narrowed === 'its keys' && place === 'outOfReach' ? 'KeyOutOfReach' : undefined;
}

const REFUSALS = new Set([
  'RoleMissing',
  'ScopeMissing',
  'ClientNotAllowed',
  'PersonNeeded',
  'RoleNarrowed',
  'KeyOutOfReach',
]);

/** The outcome, in the terms of {@link expected}; another failure by its status. */
function outcome({ status, body }: Answer): string | undefined {
  if (status === 401 || status === 403 || REFUSALS.has(body?.reason)) return body?.reason ?? String(status);
  return status === 429 || (status >= 500 && status !== 502) ? `${status} ${body?.reason}` : undefined;
}

const wire = useWire();
const startApp = useApps(wire);

function tokenOf({ name, kind, role, objectId, clientId, lacksScope }: CallerOf): Call['as'] {
  const principal = { displayName: name, clientId, objectId, secret: '', kind, appRoles: role ? [role] : [] };
  return wire.azure.tokens.issue(principal, 'api://cmk-autopilot', lacksScope ? { claims: { scp: 'openid' } } : {});
}

/** The app over an index that knows both subscriptions, with a re-key in reach and one out of it. */
async function appAndFleet(): Promise<RunningApp> {
  const services = wire.services({ CMK_AUTOFIX: 'none' });
  await runDriftCheck({ id: randomUUID(), by: 'timer' }, services, wire.log);

  const id = (vault: string, key: string) => `https://${vault}.vault.azure.net/keys/${key}`;

  for (const { vault, key, other, order } of Object.values(PLACES)) {
    const by = { objectId: 'o' };
    const now = new Date();
    const about = { id: order, from: id(vault, key), to: id(vault, other), maxFailures: 3, reason: 'a test', by };
    const rekey = { ...about, state: 'done', startedOn: now.toISOString() } as const;
    await services.orderStore.change((orders) => withRekey(orders, rekey, now));
  }

  const narrowed = CALLERS.filter(({ isNarrowed }) => isNarrowed);

  return startApp({
    CMK_ROLE_SCOPES: JSON.stringify(
      narrowed.map(({ role, objectId }) => ({ role, principal: objectId, keys: ['kv-files'] })),
    ),
    CMK_RESTORE_APPLICATIONS: CALLERS.flatMap(({ isNamed, clientId }) => (isNamed ? [clientId] : [])).join(','),
  });
}

it('every call is answered as the table of roles says, for every caller', async () => {
  const app = await appAndFleet();
  const wrong: string[] = [];
  const told = new Map<string, string>();
  let calls = 0;

  async function callAll(who: CallerOf | undefined): Promise<void> {
    for (const operation of OPERATIONS) {
      const row = ROWS.find(({ call }) => call === operation.call);
      if (!row) throw new Error(`${operation.call} has no row.`);

      const places: Place[] =
        row.narrowed === 'its keys' && who?.isNarrowed ? ['inReach', 'outOfReach'] : ['outOfReach'];
      for (const place of places) {
        const { path, ...call } = callOf(operation, place);
        const answer = await app.call(path, { ...call, ...(who ? { as: tokenOf(who) } : {}) });

        calls += 1;

        const about = `${operation.call} (${place}) as ${who?.name ?? 'no caller'}`;
        const is = outcome(answer);
        const shouldBe = expected(row, who, place);
        if (is !== shouldBe) {
          wrong.push(`${about}: ${is ?? `let through (${answer.status})`}, not ${shouldBe ?? 'let through'}`);
        }
        if (answer.headers.get('strict-transport-security') !== 'max-age=31536000') wrong.push(`${about}: no HSTS`);
        if (is !== undefined) continue;

        if (!who?.isNarrowed) {
          told.set(operation.call, `${told.get(operation.call) ?? ''}${answer.text}`);
        } else if (row.narrowed === 'what it reaches' && !path.includes('strecords') && BEYOND.test(answer.text)) {
          wrong.push(`${about}: tells of ${BEYOND.exec(answer.text)?.[0]}`);
        }
      }
    }
  }

  await pMap([undefined, ...CALLERS], callAll, { concurrency: 4 });

  expect(wrong).toEqual([]);
  expect(calls).toBeGreaterThan(OPERATIONS.length * CALLERS.length);

  // There is something to be kept from them.
  for (const call of ['GET /fleet', 'GET /keys', 'GET /rekeys', 'GET /now']) {
    expect(told.get(call), call).toMatch(BEYOND);
  }

  expect(told.get('GET /fleet')).toContain(SECOND_SUBSCRIPTION_ID);
});
