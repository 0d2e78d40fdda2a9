import { z } from 'zod';

/** What `POST /app` takes. */
export const appOrder = z.strictObject({
  do: z.enum(['kill', 'start', 'restart']),
  instances: z.int().min(1).max(4).optional(),
});
export type AppOrder = z.infer<typeof appOrder>;

/** A process of the app: a Functions host with the app in it. */
export interface AppInstance {
  /** Base URL of this instance. The front of all instances has another one. */
  readonly url: string;
  readonly pid: number;
}

/** The process that runs the app and its storage beside the local Azure. */
export interface AppControl {
  instances(): Promise<readonly AppInstance[]>;
  /** Resolves with the instances that are up once the order is carried out. */
  order(order: AppOrder): Promise<readonly AppInstance[]>;
  /**
   * Moves the clocks of the app and its storage to so many milliseconds from real time. Resolves when all have moved.
   */
  moveClock(offsetMs: number): Promise<void>;
}

/** The error for a body of `POST /app` that does not fit. */
export const APP_ORDER_FORM =
  'The body must be {"do": "kill" | "start" | "restart"}, and may have "instances", a whole number from 1 to 4.';
