import type { z } from 'zod';

export type { RestoreResponse } from '../../../src/api/restore.ts';
export type { RevokeResponse } from '../../../src/api/revoke.ts';
// The types of the API's answers, from its own schemas: a change there is a compile error here.
export type { AuditRecordView } from '../../../src/audit/record.ts';
export type { RekeyCheck } from '../../../src/controller/rekey-problems.ts';
export type { DriftCause } from '../../../src/drift/report/report.ts';
export type { TrendDay } from '../../../src/drift/report/trend.ts';
export type { KeyHistory } from '../../../src/evidence/key-history.ts';
export type { Rekey as RekeyOrder } from '../../../src/orders/standing-orders.ts';
export type { KeyStatus as KeyStatusResponse, KeySummary } from '../../../src/status/key-schemas.ts';
export type { NowAnswer, NowParts } from '../../../src/status/now-schemas.ts';
export type { RekeyStatus } from '../../../src/status/rekey.ts';
export type { RotationSummary } from '../../../src/status/rotation-schemas.ts';

import type { AUDIT_LIST, AUDIT_RECORD_WHOLE } from '../../../src/api/audit.ts';
import type { ROTATE_RESPONSE } from '../../../src/api/rotate.ts';
import type { TREND } from '../../../src/drift/report/trend.ts';
import type { FLEET_ACCOUNT, FLEET_LIST, FLEET_ROW } from '../../../src/status/fleet-schemas.ts';
import type { KEY_LIST } from '../../../src/status/key-schemas.ts';

export type RotateResponse = z.output<typeof ROTATE_RESPONSE>;
export type KeyList = z.output<typeof KEY_LIST>;
export type AuditList = z.output<typeof AUDIT_LIST>;
export type AuditRecordWhole = z.output<typeof AUDIT_RECORD_WHOLE>;
export type Trend = z.output<typeof TREND>;
export type FleetRow = z.output<typeof FLEET_ROW>;
export type FleetList = z.output<typeof FLEET_LIST>;
export type FleetAccount = z.output<typeof FLEET_ACCOUNT>;
