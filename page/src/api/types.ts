import type { z } from 'zod';

export type { ApprovalRequest } from '../../../src/approvals/approval.ts';
// What the API answers, by its own schemas: a change there is an error here.
export type { ApprovalsPart } from '../../../src/approvals/known-approvals.ts';
export type { AuditRecordView, AuditRecordWhole } from '../../../src/audit/trail-view.ts';
export type { KeyStatusResponse, RestoreResponse, RevokeResponse } from '../../../src/break-glass/schemas.ts';
export type { DriftCause } from '../../../src/drift/report.ts';
export type { TrendDay } from '../../../src/drift/trend/trend.ts';
export type { NowAnswer, NowParts } from '../../../src/now/schemas.ts';
export type { KeySummary } from '../../../src/overview/key-view.ts';
export type { RotationSummaryAnswer } from '../../../src/rollout/http/schemas.ts';

import type { AUDIT_LIST } from '../../../src/audit/trail-view.ts';
import type { APPROVAL_GIVEN } from '../../../src/break-glass/schemas.ts';
import type { TREND } from '../../../src/drift/trend/trend.ts';
import type { FLEET_ACCOUNT, FLEET_LIST, FLEET_ROW } from '../../../src/fleet/http/schemas.ts';
import type { KEY_LIST } from '../../../src/overview/key-view.ts';

export type ApprovalGiven = z.output<typeof APPROVAL_GIVEN>;
export type KeyList = z.output<typeof KEY_LIST>;
export type AuditList = z.output<typeof AUDIT_LIST>;
export type Trend = z.output<typeof TREND>;
export type FleetRow = z.output<typeof FLEET_ROW>;
export type FleetList = z.output<typeof FLEET_LIST>;
export type FleetAccount = z.output<typeof FLEET_ACCOUNT>;
