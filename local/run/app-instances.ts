import type { AppInstance, AppOrder } from '../azure/app-control.ts';
import type { Child, ChildOptions } from './child-process.ts';

interface Instance {
  /** The first one is 1. */
  readonly number: number;
  readonly child: Child;
  /** Undefined until the instance is ready. */
  url?: string;
}

export interface AppInstancesOptions {
  /** The bundled Functions host. */
  readonly host: string;
  /** The app's deployed folder. */
  readonly appDir: string;
  /** The app's environment: settings, managed identity, the way to the local Azure. */
  readonly env: Readonly<Record<string, string>>;
  readonly launch: (options: ChildOptions) => Child;
  /** Output of the instance with this number. */
  readonly output: (number: number) => Pick<ChildOptions, 'logFile' | 'heard'>;
}

/**
 * The app's processes: up to four Functions hosts with the same queues. They are numbered from 1. The first one runs
 * the timers; in Azure a lease decides that.
 */
export class AppInstances {
  readonly #options: AppInstancesOptions;
  #all: readonly Instance[] = [];
  #wanted = 1;
  #offsetMs = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: AppInstancesOptions) {
    this.#options = options;
  }

  /** The instances that are up, in order of their numbers. */
  list(): AppInstance[] {
    return this.#all.flatMap(({ url, child }) => (url === undefined ? [] : [{ url, pid: child.pid ?? 0 }]));
  }

  /**
   * Executes orders one at a time. `start` adds instances up to the number (by default the latest number, at first
   * one), `kill` ends that many (by default all), highest number first, and `restart` ends all and starts that many.
   *
   * @throws if a process does not become ready
   */
  order({ do: what, instances }: AppOrder): Promise<AppInstance[]> {
    const done = this.#turn.then(async () => {
      if (what === 'kill') {
        await this.#kill(instances ?? this.#all.length);
      } else {
        this.#wanted = instances ?? this.#wanted;
        if (what === 'restart') await this.#kill(this.#all.length);
        await this.#start(this.#wanted);
      }
      return this.list();
    });

    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Resolves once every live process has moved its clock. */
  async moveClock(offsetMs: number): Promise<void> {
    this.#offsetMs = offsetMs;
    await Promise.all(this.#all.map(({ child }) => child.moveClock(offsetMs)));
  }

  async #kill(count: number): Promise<void> {
    const killed = this.#all.slice(Math.max(0, this.#all.length - count));
    this.#all = this.#all.filter((instance) => !killed.includes(instance)); // the front sends them no more requests
    await Promise.all(killed.map(({ child }) => child.kill()));
  }

  async #start(count: number): Promise<void> {
    this.#all = this.#all.filter(({ child }) => !child.hasEnded);
    const missing = [1, 2, 3, 4].slice(0, count).filter((number) => this.#all.every((one) => one.number !== number));
    await Promise.all(missing.map((number) => this.#startOne(number)));
  }

  async #startOne(number: number): Promise<void> {
    const { host, appDir, env, launch, output } = this.#options;
    const child = launch({
      name: number === 1 ? 'The Functions host' : `Functions host ${number}`,
      module: host,
      args: ['--app', appDir],
      env: { ...env, PORT: '0', ...(number === 1 ? {} : { LOCAL_HOST_TIMERS: 'off' }) },
      clockOffsetMs: this.#offsetMs,
      ...output(number),
    });

    const instance: Instance = { number, child };
    this.#all = [...this.#all, instance].sort((a, b) => a.number - b.number);
    instance.url = await ready(child).catch(async (error: unknown) => {
      this.#all = this.#all.filter((one) => one !== instance);
      await child.kill();
      throw error;
    });
  }
}

/** The base URL, once the app is loaded. */
async function ready(child: Child): Promise<string> {
  const [, url = ''] = await child.says(/^host ready (\S+)$/);
  const status = (await (await fetch(`${url}/admin/host/status`)).json()) as { state: string; errors: string[] };
  if (status.state !== 'Running') throw child.failure(`could not load the app: ${status.errors.join('; ')}`);
  return url;
}
