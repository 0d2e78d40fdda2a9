import type { TypedData } from './core-types.ts';
import { parseNcrontab, type Schedule } from './ncrontab.ts';

/** Longest delay of setTimeout. A longer one needs several. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

export interface TimerListenerOptions {
  /** Six-field NCRONTAB, with settings resolved. */
  readonly schedule: string;
  readonly runOnStartup?: boolean;
  /** Default: true. The host never monitors a schedule that recurs within a minute. */
  readonly useMonitor?: boolean;
  /** Runs the function, and logs its rejection. */
  readonly run: (data: TypedData, reason: string) => Promise<unknown>;
  readonly now?: () => Date;
  /** How often the listener reads the time of day at least, since it may be moved. Default: as rarely as possible. */
  readonly lookEveryMs?: number;
}

/** Runs a function on its schedule. It skips a run that is due while the previous one still works. */
export class TimerListener {
  readonly #options: TimerListenerOptions;
  readonly #schedule: Schedule;
  readonly #now: () => Date;
  #timer: NodeJS.Timeout | undefined;
  #run: Promise<unknown> | undefined;
  #last: Date | undefined;
  #stopped = false;

  /** @throws if the schedule is wrong */
  constructor(options: TimerListenerOptions) {
    this.#options = options;
    this.#schedule = parseNcrontab(options.schedule);
    this.#now = options.now ?? (() => new Date());
  }

  start(): void {
    if (this.#options.runOnStartup) this.#fire('Timer fired at startup');
    else this.#arm();
  }

  /** Starts no more runs. Resolves once the present one ends. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#run;
  }

  /** The trigger's value in the host's spelling. The library converts the names to camel case. */
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

  /** Schedules the next occurrence after this run. */
  async #fire(reason: string): Promise<void> {
    const data = this.data();
    this.#last = this.#now();
    this.#run = this.#options.run(data, reason).catch(() => undefined);
    await this.#run;
    this.#run = undefined;
    this.#arm();
  }
}
