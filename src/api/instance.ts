import { FleetSnapshots } from '../views/fleet-snapshot.ts';
import { KeyLister } from '../views/key-list.ts';
import { NowBoard } from '../views/read-now.ts';

// Caches of this instance, which several routes share.

export const fleetSnapshots = new FleetSnapshots();
export const keyLister = new KeyLister();
export const nowBoard = new NowBoard(fleetSnapshots, keyLister);
