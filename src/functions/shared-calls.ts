import { SharedCalls } from '../break-glass/shared-calls.ts';

/** Of this instance. */
export const sharedCalls = new SharedCalls();
