import { AUDIT_ROUTES } from './audit.ts';
import { DRIFT_ROUTES } from './drift.ts';
import { FLEET_ROUTES } from './fleet.ts';
import { KEY_ROUTES } from './keys.ts';
import { PAUSE_ROUTES } from './pause.ts';
import { REKEY_ROUTES } from './rekeys.ts';
import { ROTATE_ROUTE } from './rotate.ts';
import type { Route } from './route.ts';

/** Every route of the API. */
export const ROUTES: readonly Route[] = [
  ...KEY_ROUTES,
  ROTATE_ROUTE,
  ...FLEET_ROUTES,
  ...PAUSE_ROUTES,
  ...REKEY_ROUTES,
  ...AUDIT_ROUTES,
  ...DRIFT_ROUTES,
];
