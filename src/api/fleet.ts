import { z } from 'zod';
import { reachesVault } from '../http/access.ts';
import { FLEET_QUERY, type FleetCall, showFleet, showFleetAccount } from '../status/fleet-api.ts';
import { FLEET_ACCOUNT, FLEET_LIST } from '../status/fleet-schemas.ts';
import { showNow } from '../status/now.ts';
import { NOW } from '../status/now-schemas.ts';
import { type Call, ok, READ, type Route, route } from './route.ts';

/** Routes of the health and the fleet. */
export const FLEET_ROUTES: readonly Route[] = [
  route({
    id: 'now',
    ...READ,
    path: '/now',
    summary: 'Get the health of the fleet, and the parts that decide it.',
    description:
      'Each part has the time of its read, or the reason why it is missing: `problem` if the read failed or the caller lacks the role, `reading` while the read is in progress. A part shows only items that need attention; the path that it names lists all items. The app caches a part for 5 to 20 seconds, or for as long as its read took.',
    reach: 'handler',
    answers: ok('The health and the parts.', { Now: NOW }),
    conditional: true,
    handle(call) {
      const { request, caller, services, reaches } = call;
      const sight = {
        ...call,
        now: services.now(),
        reaches,
        reachesVault: (vault: string) => reachesVault(caller, 'CmkKey.Read', vault, services.settings.access),
        requireFleet: () => call.require(undefined),
      };
      return showNow(request.headers, sight, services.nowBoard.takers(services));
    },
  }),
  route({
    id: 'fleet',
    ...READ,
    path: '/fleet',
    summary: 'List storage accounts with their key and health, after a summary.',
    description:
      'The app reads the fleet index, the last drift check and the current versions of the keys, and caches them for 15 seconds. The answer has an `ETag`; with `If-None-Match` the app answers 304 while nothing has changed. A caller whose role CMK_ROLE_SCOPES limits sees only accounts whose keys are in its scope.',
    reach: 'handler',
    query: FLEET_QUERY,
    answers: ok('A page of accounts.', { FleetList: FLEET_LIST }),
    conditional: true,
    refusals: ['ServiceUnavailable'],
    handle: (call) => showFleet(call.query, fleetCall(call), call.services),
  }),
  route({
    id: 'fleetAccount',
    ...READ,
    path: '/fleet/{account}',
    summary: 'Get one storage account: its key, scopes, health and findings, and the time of the last read.',
    reach: 'handler',
    params: { account: { description: 'Name of the storage account.', schema: z.string().regex(/^[0-9a-z]{3,24}$/) } },
    answers: ok('The account.', { FleetAccount: FLEET_ACCOUNT }),
    conditional: true,
    refusals: ['NotFound', 'ServiceUnavailable'],
    handle: (call) => showFleetAccount(call.request.params.account ?? '', fleetCall(call), call.services),
  }),
];

function fleetCall({ request, reaches, services }: Call): FleetCall {
  return { headers: request.headers, reaches, snapshots: services.fleetSnapshots };
}
