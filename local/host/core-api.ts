import type {
  CoreApi,
  CoreLogLevel,
  HookCallback,
  HookName,
  ProgrammingModel,
  RegisteredFunction,
} from './core-types.ts';

const HOOKS: readonly string[] = [
  'appStart',
  'appTerminate',
  'preInvocation',
  'postInvocation',
  'log',
] satisfies HookName[];

/** The registrations of an app, and the module with which it makes them. */
export class AppRegistry {
  /** By function name. A later registration replaces an earlier one of the same name, as in the worker. */
  readonly functions = new Map<string, RegisteredFunction>();
  readonly #hooks = new Map<string, HookCallback[]>();
  readonly #log: (level: CoreLogLevel, message: string) => void;
  model: ProgrammingModel | undefined;
  #started = false;

  constructor(log: (level: CoreLogLevel, message: string) => void) {
    this.#log = log;
  }

  /** Rejects registrations from now on, since the host has read the functions. */
  finishStartup(): void {
    this.#started = true;
  }

  /** Runs the hooks of one kind in order. Each sees the changes of the earlier ones. */
  async runHooks(name: HookName, context: Record<string, unknown>): Promise<void> {
    for (const hook of this.#hooks.get(name) ?? []) await hook(context);
  }

  /** The host does not wait for log hooks, since it writes a record at once. */
  runLogHooks(context: Record<string, unknown>): void {
    for (const hook of this.#hooks.get('log') ?? []) hook(context);
  }

  readonly coreApi: CoreApi = {
    version: '3.13.0',
    hostVersion: '4.1040.300',
    setProgrammingModel: (model) => {
      this.model = model;
    },
    getProgrammingModel: () => this.model,
    registerFunction: (metadata, callback) => {
      this.#refuseAfterStart('A function can only be registered during app startup.');
      if (typeof callback !== 'function') throw new TypeError(`Function "${metadata.name}" has no handler.`);
      this.functions.set(metadata.name, { metadata, callback });
      return { dispose: () => this.functions.delete(metadata.name) };
    },
    registerHook: (name, callback) => {
      if (!HOOKS.includes(name)) throw new RangeError(`Unrecognized hook "${name}"`);
      const hooks = this.#hooks.get(name) ?? [];
      this.#hooks.set(name, hooks);
      hooks.push(callback);
      return { dispose: () => hooks.splice(hooks.indexOf(callback), 1) };
    },
    log: (level, _category, message) => this.#log(level, message),
  };

  #refuseAfterStart(message: string): void {
    if (this.#started) throw new Error(message);
  }
}
