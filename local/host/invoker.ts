import { randomUUID } from 'node:crypto';
import type { AppRegistry } from './core-api.ts';
import type {
  Binding,
  CoreInvocationContext,
  InvocationRequest,
  InvocationResponse,
  RegisteredFunction,
  TypedData,
} from './core-types.ts';
import { describe } from './load-app.ts';
import type { Write } from './log.ts';

/** What a trigger passes to one run. */
export interface Trigger {
  /** The cause of the run, for the log. */
  readonly reason: string;
  /** The value of the trigger binding. */
  readonly data: TypedData;
  readonly metadata?: Record<string, TypedData>;
}

/** Sends a function's value for an output binding. */
export type SendOutput = (binding: Binding, data: TypedData) => Promise<void>;

/** Runs functions with the library's invocation model, in the steps of the language worker. */
export class Invoker {
  readonly #registry: AppRegistry;
  readonly #write: Write;
  readonly #sendOutput: SendOutput;
  readonly #running = new Set<Promise<unknown>>();

  constructor(registry: AppRegistry, write: Write, sendOutput: SendOutput) {
    this.#registry = registry;
    this.#write = write;
    this.#sendOutput = sendOutput;
  }

  /** Number of functions that run now. */
  get running(): number {
    return this.#running.size;
  }

  /** Resolves once no function runs. */
  async drained(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  /**
   * Runs a function and sends its outputs.
   *
   * @throws the function's error, or why an output could not be sent: then the invocation has failed, and nothing of it
   * is sent. `throw undefined` is no failure.
   */
  invoke(fn: RegisteredFunction, trigger: Trigger): Promise<InvocationResponse> {
    const run = this.#invoke(fn, trigger);
    const settled = run.catch(() => undefined).finally(() => this.#running.delete(settled));
    this.#running.add(settled);
    return run;
  }

  async #invoke(fn: RegisteredFunction, trigger: Trigger): Promise<InvocationResponse> {
    const { name } = fn.metadata;
    const invocationId = randomUUID();
    const started = performance.now();

    this.#write(
      'information',
      `Function.${name}`,
      `Executing 'Functions.${name}' (${trigger.reason}, Id=${invocationId})`,
    );

    const executed = (outcome: string) =>
      `Executed 'Functions.${name}' (${outcome}, Id=${invocationId}, Duration=${Math.round(performance.now() - started)}ms)`;
    try {
      const response = await this.#drive(fn, invocationId, trigger);
      await this.#sendOutputs(fn, response);
      this.#write('information', `Function.${name}`, executed('Succeeded'));

      return response;
    } catch (error) {
      this.#write('error', `Function.${name}`, `${executed('Failed')} ${describe(error)}`);
      throw error;
    }
  }

  async #drive(fn: RegisteredFunction, invocationId: string, trigger: Trigger): Promise<InvocationResponse> {
    const { metadata } = fn;
    const { model } = this.#registry;
    if (!model) throw new Error('No programming model is set.');

    const context = this.#coreContext(fn, request(fn, invocationId, trigger));
    const invocation = await model.getInvocationModel(context);
    const args = await invocation.getArguments();
    const hook = {
      hookData: {},
      appHookData: {},
      invocationContext: args.context,
      inputs: args.inputs,
      functionCallback: fn.callback,
    };

    await this.#inState(context, 'preInvocationHooks', () => this.#registry.runHooks('preInvocation', hook));

    const after: Record<string, unknown> = {
      hookData: hook.hookData,
      appHookData: hook.appHookData,
      invocationContext: args.context,
      inputs: hook.inputs,
      result: null,
      error: null,
    };

    await this.#inState(context, 'invocation', async () => {
      try {
        after.result = await invocation.invokeFunction(args.context, hook.inputs, hook.functionCallback);
      } catch (error) {
        after.error = error;
      }
    });

    await this.#inState(context, 'postInvocationHooks', () => this.#registry.runHooks('postInvocation', after));

    if (after.error !== null && after.error !== undefined) throw after.error;

    return invocation.getResponse(args.context, after.result);

    function request({ metadata: { bindings } }: RegisteredFunction, id: string, from: Trigger): InvocationRequest {
      const [binding] = Object.entries(bindings).find(([, { type }]) => /trigger$/i.test(type)) ?? [];
      if (binding === undefined) throw new Error(`Function ${metadata.name} has no trigger.`);
      return {
        invocationId: id,
        inputData: [{ name: binding, data: from.data }],
        triggerMetadata: from.metadata ?? {},
        traceContext: {
          traceParent: `00-${hex(32)}-${hex(16)}-00`,
          traceState: '',
          attributes: {},
        },
      };
    }
  }

  #coreContext({ metadata }: RegisteredFunction, request: InvocationRequest): CoreInvocationContext {
    return {
      invocationId: request.invocationId,
      request,
      metadata,
      state: undefined,
      log: (level, category, message) => {
        const record = { hookData: {}, appHookData: {}, level, category, message };
        this.#registry.runLogHooks(record);
        this.#write(record.level, `${metadata.name}.Invocation`, record.message);
      },
    };
  }

  async #inState(
    context: CoreInvocationContext,
    state: NonNullable<CoreInvocationContext['state']>,
    run: () => Promise<void>,
  ): Promise<void> {
    context.state = state;
    try {
      await run();
    } finally {
      context.state = undefined;
    }
  }

  async #sendOutputs({ metadata }: RegisteredFunction, response: InvocationResponse): Promise<void> {
    for (const [name, binding] of Object.entries(metadata.bindings)) {
      if (binding.direction !== 'out' || binding.type === 'http') continue;
      const data =
        name === '$return' ? response.returnValue : response.outputData?.find((output) => output.name === name)?.data;
      if (data) await this.#sendOutput(binding, data);
    }
  }
}

/** Random digits. Node has a store of these; other random bytes need a system call each time. */
function hex(digits: number): string {
  return randomUUID().replaceAll('-', '').slice(-digits);
}
