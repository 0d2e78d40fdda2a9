import { messageOf } from '../errors.ts';
import type { PartTelling } from '../http/part.ts';
import type { ApiCall } from './api.ts';

/** Logs an unexpected error of one part, as that of a whole answer is logged. */
export function tellingOf({ log, correlationId }: ApiCall): PartTelling {
  return {
    correlationId,
    onUnexpected: (error) => log({ level: 'error', reason: 'Unexpected', message: messageOf(error), correlationId }),
  };
}
