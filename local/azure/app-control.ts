import { z } from 'zod';

/** What `POST /app` takes. */
export const appOrder = z.strictObject({
  do: z.enum(['kill', 'start', 'restart']),
  instances: z.int().min(1).max(4).optional(),
});
export type AppOrder = z.infer<typeof appOrder>;

/** A process of the app: a Functions host with the app in it. */
export interface AppInstance {
  /** Its own address, past the one that stands before all instances. */
  readonly url: string;
  readonly pid: number;
}

/** Whoever runs the app and its storage beside the local Azure. */
export interface AppControl {
  instances(): Promise<readonly AppInstance[]>;
  /** Resolves with those that are up when it is done: the killed gone, the started ready. */
  order(order: AppOrder): Promise<readonly AppInstance[]>;
  /** Moves their time of day to so many milliseconds from real time; resolves when all of them have moved. */
  moveClock(offsetMs: number): Promise<void>;
}

/** What is wrong with the body of `POST /app`, in a sentence. */
export const APP_ORDER_FORM =
  'The body must be {"do": "kill" | "start" | "restart"}, and may have "instances", a whole number from 1 to 4.';
