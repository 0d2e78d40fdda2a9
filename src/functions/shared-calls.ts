import type { HttpHandler, HttpRequest, HttpResponseInit } from '@azure/functions';
import { KnownApprovals } from '../approvals/known-approvals.ts';
import { SharedCalls } from '../break-glass/shared-calls.ts';
import { GivingWay } from '../http/give-way.ts';
import { FleetSnapshots } from '../views/fleet-snapshot.ts';
import { KeyLister } from '../views/key-list.ts';
import { NowBoard } from '../views/read-now.ts';

// Of this instance, for more than one call.

export const sharedCalls = new SharedCalls();
export const fleetSnapshots = new FleetSnapshots();
export const knownApprovals = new KnownApprovals();
export const keyLister = new KeyLister();
export const nowBoard = new NowBoard(fleetSnapshots, keyLister, knownApprovals);
/** For refusals: to word and send one takes about as long as to find it. */
export const givingWay = new GivingWay();
/** For what is open to anyone and has no limit. Whoever opens the page does not wait for refusals, nor these for it. */
const openWay = new GivingWay();

/** A handler of what is open to anyone: it waits for its turn, and for nothing else. */
export function openToAnyone(answer: (request: HttpRequest) => HttpResponseInit): HttpHandler {
  return async (request) => {
    await openWay.turn();
    return answer(request);
  };
}
