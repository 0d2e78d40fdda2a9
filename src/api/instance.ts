import type { Services } from '../services.ts';
import { FleetSnapshots } from '../views/fleet.ts';
import { KeyLister } from '../views/key-list.ts';
import { NowBoard } from '../views/read-now.ts';

/** Caches of this instance, which several routes share. */
interface Caches {
  readonly fleetSnapshots: FleetSnapshots;
  readonly keyLister: KeyLister;
  readonly nowBoard: NowBoard;
}

const instances = new WeakMap<Services, Caches>();

/** An instance of the app has its services once. */
export function cachesOf(services: Services): Caches {
  const known = instances.get(services);
  if (known) return known;
  const [fleetSnapshots, keyLister] = [new FleetSnapshots(), new KeyLister()];
  const made = { fleetSnapshots, keyLister, nowBoard: new NowBoard(fleetSnapshots, keyLister) };
  instances.set(services, made);
  return made;
}
