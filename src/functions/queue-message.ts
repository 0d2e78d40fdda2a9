import type { InvocationContext } from '@azure/functions';
import type { Received } from '../work/process.ts';

/** A queue message with what the host says of its delivery. */
export function received(entry: unknown, context: Pick<InvocationContext, 'triggerMetadata'>): Received {
  const dequeueCount = Number(context.triggerMetadata?.dequeueCount);
  return { entry, dequeueCount: Number.isNaN(dequeueCount) ? 1 : dequeueCount };
}
