import type { TypedData } from './core-types.ts';
import { parseNcrontab, type Schedule } from './ncrontab.ts';

/** What setTimeout can wait for at once; a longer wait is made of several. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

export interface TimerListenerOptions {
  /** Six-field NCRONTAB, with settings resolved. */
  readonly schedule: string;
  readonly runOnStartup?: boolean;
  /** Default: true, but a schedule that comes round within a minute is never monitored. */
  readonly useMonitor?: boolean;
  /** Runs the function; a rejection is logged by the runner. */
  readonly run: (data: TypedData, reason: string) => Promise<unknown>;
  readonly now?: () => Date;
  /** The time of day is looked at so often at least, for it may be moved. Default: as seldom as can be. */
  readonly lookEveryMs?: number;
}

/** Runs one function on its schedule. A run that is due while the one before still works is left out, not queued. */
export class TimerListener {
  readonly #options: TimerListenerOptions;
  readonly #schedule: Schedule;
  readonly #now: () => Date;
  #timer: NodeJS.Timeout | undefined;
  #run: Promise<unknown> | undefined;
  #last: Date | undefined;
  #stopped = false;

  /** @throws when the schedule is wrong. */
  constructor(options: TimerListenerOptions) {
    this.#options = options;
    this.#schedule = parseNcrontab(options.schedule);
    this.#now = options.now ?? (() => new Date());
  }

  start(): void {
    if (this.#options.runOnStartup) this.#fire('Timer fired at startup');
    else this.#arm();
  }

  /** No more runs; resolves when the one under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#run;
  }

  /** The trigger's value, in the host's own spelling: the library turns the names into camel case. */
  data(): TypedData {
    const now = this.#now();
    const next = this.#schedule.next(now);
    const status = {
      Last: this.#last?.toISOString() ?? '0001-01-01T00:00:00+00:00',
      LastUpdated: (this.#last ?? now).toISOString(),
      Next: next?.toISOString() ?? '0001-01-01T00:00:00+00:00',
    };

    return {
      json: JSON.stringify({
        Schedule: { AdjustForDST: true },
        ScheduleStatus: this.#isMonitored(now) ? status : null,
        IsPastDue: false,
      }),
    };
  }

  #isMonitored(now: Date): boolean {
    if (this.#options.useMonitor === false) return false;
    const first = this.#schedule.next(now);
    const second = first && this.#schedule.next(first);
    return !first || !second || second.getTime() - first.getTime() >= 60_000;
  }

  #arm(): void {
    const due = this.#schedule.next(this.#now());
    if (due && !this.#stopped) this.#waitUntil(due);
  }

  #waitUntil(due: Date): void {
    const wait = due.getTime() - this.#now().getTime();
    this.#timer = setTimeout(
      () => {
        if (this.#now() < due) this.#waitUntil(due);
        else this.#fire('Timer fired');
      },
      Math.min(Math.max(wait, 1), this.#options.lookEveryMs ?? LONGEST_WAIT_MS),
    );
  }

  /** The next occurrence is looked for when this run has ended. */
  async #fire(reason: string): Promise<void> {
    const data = this.data();
    this.#last = this.#now();
    this.#run = this.#options.run(data, reason).catch(() => undefined);
    await this.#run;
    this.#run = undefined;
    this.#arm();
  }
}
