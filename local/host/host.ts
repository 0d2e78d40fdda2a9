import { resolve } from 'node:path';
import { connectionString, type Environment, resolveSettings } from './app-settings.ts';
import type { AppRegistry } from './core-api.ts';
import type { Binding, RegisteredFunction, TypedData } from './core-types.ts';
import { type HostSettings, readHostSettings } from './host-json.ts';
import { maxBodyBytes } from './http-message.ts';
import { httpFunctions } from './http-trigger.ts';
import { Invoker } from './invoker.ts';
import { loadApp } from './load-app.ts';
import { type HostLog, isShown, type Write } from './log.ts';
import { QueueListener } from './queue-listener.ts';
import { triggerData, triggerMetadata } from './queue-message.ts';
import { sendToQueue } from './queue-output.ts';
import { QueueServices } from './queue-service-client.ts';
import { serve } from './server.ts';
import { TimerListener } from './timer-listener.ts';

export interface HostOptions {
  /** The deployed folder, with host.json, package.json and the `main` of that. */
  readonly appDir: string;
  /** Port on 127.0.0.1; 0 uses a free one. */
  readonly port: number;
  /** The app settings. The app itself reads `process.env`, which should be equal. */
  readonly env: Environment;
  readonly log: HostLog;
  /** How long a message is hidden while a function works on it. Default: ten minutes, as in Azure. */
  readonly queueLeaseMs?: number;
  /** Whether timers fire. In Azure a lease selects the one instance whose timers fire. Default: true. */
  readonly timers?: boolean;
}

export interface Host {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Names of the functions, sorted. */
  readonly functions: readonly string[];
  /** Why the app did not load; undefined if it did. The host then runs without functions, as in Azure. */
  readonly failure: string | undefined;
  /** Accepts no more work. Resolves once the running work ends, or after `limitMs`. */
  stop(limitMs?: number): Promise<void>;
}

/** How often a timer reads the time of day, which may be moved. */
const TIMER_LOOK_MS = 100;

const TRIGGERS = ['httptrigger', 'eventgridtrigger', 'queuetrigger', 'timertrigger'];

/**
 * Starts a Functions host for one app. The library is unchanged; triggers, routes, queues and failures behave as in
 * Azure.
 *
 * @throws if the port is busy, host.json is wrong, or the host does not support a binding (unknown type, missing app
 * setting)
 */
export async function startHost(options: HostOptions): Promise<Host> {
  const { env } = options;
  const settings = await readHostSettings(options.appDir);
  const write: Write = (level, category, message) => {
    const record = { time: new Date(), level, category, message };
    if (isShown(record, settings.logLevel)) options.log(record);
  };
  const { registry, failure } = await loadApp(resolve(options.appDir), write);

  await refuseStreams(registry);

  const byTrigger = groupByTrigger(registry);

  const services = new QueueServices();
  const listeners: QueueListener[] = [];
  const invoker = new Invoker(registry, write, (binding, data) =>
    sendToQueue(binding, data, services, settings.queues, env, (url) => {
      for (const listener of listeners) {
        if (listener.queueUrl === url) listener.wake();
      }
    }),
  );

  const timers = new Map(
    [...(byTrigger.get('timertrigger') ?? [])].map(([fn, binding]) => [fn, timer(fn, binding, invoker, env)]),
  );

  for (const [fn, binding] of byTrigger.get('queuetrigger') ?? []) {
    listeners.push(await queueListener(fn, binding, { invoker, services, settings, write, ...options }));
  }

  const server = await serve(options.port, {
    http: httpFunctions(byTrigger.get('httptrigger') ?? [], settings.routePrefix, env),
    eventGrid: new Map([...(byTrigger.get('eventgridtrigger') ?? [])].map(([fn]) => [fn.metadata.name, fn])),
    invoker,
    maxBodyBytes: maxBodyBytes(env),
    write,
    admin: {
      functions: registry.functions,
      invoker,
      failure,
      triggerType: (fn) => triggerOf(fn).type.toLowerCase(),
      timerData: (fn) => timers.get(fn)?.data() ?? {},
    },
  });

  for (const listener of listeners) listener.start();

  for (const [fn, listener] of timers) {
    // As in Azure ("How to disable functions in Azure Functions"), but only for timers.
    const isDisabled = /^(?:true|1)$/i.test(env[`AzureWebJobs.${fn.metadata.name}.Disabled`] ?? '');
    if (options.timers !== false && !isDisabled) listener.start();
  }

  let stopping: Promise<void> | undefined;

  return {
    url: server.url,
    functions: [...registry.functions.keys()].sort(),
    failure,
    stop(limitMs = 30_000) {
      stopping ??= within(limitMs, async () => {
        await Promise.all([
          server.stop(),
          ...listeners.map((listener) => listener.stop()),
          ...[...timers.values()].map((listener) => listener.stop()),
        ]);
        await invoker.drained();
        await registry.runHooks('appTerminate', { hookData: {}, appHookData: {} });
      });

      return stopping;
    },
  };
}

/** Ends the library's set-up, as the worker does, and rejects what this host does not support. */
async function refuseStreams({ model }: AppRegistry): Promise<void> {
  const capabilities = await model?.getCapabilities?.({});
  if (capabilities?.HttpUri === undefined) return;
  throw new Error('The app turns on HTTP streams (app.setup({ enableHttpStream: true })): not imitated by this host.');
}

function triggerOf({ metadata }: RegisteredFunction): Binding {
  const trigger = Object.values(metadata.bindings).find(({ type }) => /trigger$/i.test(type));
  if (!trigger) throw new Error(`Function ${metadata.name} has no trigger.`);
  return trigger;
}

function groupByTrigger(registry: AppRegistry): Map<string, Map<RegisteredFunction, Binding>> {
  const groups = new Map<string, Map<RegisteredFunction, Binding>>();

  for (const fn of registry.functions.values()) {
    for (const binding of Object.values(fn.metadata.bindings)) {
      const type = binding.type.toLowerCase();
      const known = binding.direction === 'out' ? ['http', 'queue'] : TRIGGERS;
      if (!known.includes(type)) {
        throw new Error(`Function ${fn.metadata.name} has a ${binding.type} binding: not imitated by this host.`);
      }
    }

    const trigger = triggerOf(fn);
    const type = trigger.type.toLowerCase();
    groups.set(type, (groups.get(type) ?? new Map<RegisteredFunction, Binding>()).set(fn, trigger));
  }

  return groups;
}

function timer(fn: RegisteredFunction, binding: Binding, invoker: Invoker, env: Environment): TimerListener {
  return new TimerListener({
    schedule: resolveSettings(String(binding.schedule ?? ''), env),
    runOnStartup: binding.runOnStartup === true,
    useMonitor: binding.useMonitor !== false,
    lookEveryMs: TIMER_LOOK_MS,
    run: (data: TypedData, reason) => invoker.invoke(fn, { reason, data }),
  });
}

async function queueListener(
  fn: RegisteredFunction,
  binding: Binding,
  host: {
    invoker: Invoker;
    services: QueueServices;
    settings: HostSettings;
    write: Write;
    env: Environment;
    queueLeaseMs?: number;
  },
): Promise<QueueListener> {
  const name = resolveSettings(String(binding.queueName ?? ''), host.env);
  const connection = connectionString(binding.connection, host.env);

  return new QueueListener({
    functionName: fn.metadata.name,
    queue: await host.services.queue(connection, name),
    poisonQueue: await host.services.queue(connection, `${name}-poison`),
    settings: host.settings.queues,
    write: host.write,
    ...(host.queueLeaseMs === undefined ? {} : { leaseMs: host.queueLeaseMs }),
    run: (message, text) =>
      host.invoker.invoke(fn, {
        reason: `New queue message detected on '${name}', MessageId=${message.messageId}, DequeueCount=${message.dequeueCount}`,
        data: triggerData(text),
        metadata: triggerMetadata(message, text),
      }),
  });
}

/** Waits for the work, at most `limitMs`. */
async function within(limitMs: number, work: () => Promise<void>): Promise<void> {
  let timeout: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timeout = setTimeout(resolve, limitMs);
  });
  try {
    await Promise.race([work(), limit]);
  } finally {
    clearTimeout(timeout);
  }
}
