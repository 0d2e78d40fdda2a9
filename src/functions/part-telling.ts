import { messageOf } from '../errors.ts';
import type { PartTelling } from '../http/part.ts';
import type { ApiCall } from './api.ts';

/** What nobody foresaw of one part is told to the log, as it is of a whole answer. */
export function tellingOf({ log, correlationId }: ApiCall): PartTelling {
  return {
    correlationId,
    onUnexpected: (error) => log({ level: 'error', reason: 'Unexpected', message: messageOf(error), correlationId }),
  };
}
