import { createHttpHeaders, createPipelineRequest } from '@azure/core-rest-pipeline';
import { deadlineHttp, timeBoxed } from '../../src/azure/deadline.ts';
import type { CallLimits } from '../../src/azure/limits.ts';
import type { Way } from './memory-vault.ts';
import { type Actor, noAnswer, type Scheduler } from './scheduler.ts';

/**
 * Ways to the ports of one actor whose calls are given up as those of the real clients are: by the product's own
 * deadlines, and by nothing else.
 */
export class PortLimits {
  readonly #scheduler: Scheduler;
  readonly #actor: Actor;

  readonly #now: () => number;

  constructor(scheduler: Scheduler, actor: Actor, now: () => number = () => 0) {
    this.#now = now;
    this.#scheduler = scheduler;
    this.#actor = actor;
  }

  /** A service of Azure. */
  azure({ requestMs, writeMs = requestMs }: CallLimits, isOwn = false): Way {
    return async <T>(label: string, effect: () => T, writes = false): Promise<T> => {
      let answer: T | undefined;
      const http = deadlineHttp((method) => (method === 'GET' ? requestMs : writeMs), {
        sendRequest: async (request) => {
          const { abortSignal } = request;
          if (!(abortSignal instanceof AbortSignal)) throw new Error('A request without a deadline.');
          answer = await this.#call(isOwn)(this.#actor, label, effect, writes, abortSignal);
          return { request, status: 200, headers: createHttpHeaders() };
        },
      });
      await http.sendRequest(createPipelineRequest({ url: 'https://port', method: writes ? 'PATCH' : 'GET' }));
      return answer as T;
    };
  }

  /** The app's own storage: milliseconds for a request. */
  ownStorage(ms: number): Way {
    return (label, effect, writes) =>
      timeBoxed((signal) => this.#call(true)(this.#actor, label, effect, writes, signal), ms);
  }

  #call(isOwn: boolean): Scheduler['call'] {
    if (!isOwn || !this.#actor.isCutOff(this.#now())) return this.#scheduler.call.bind(this.#scheduler);
    return (_actor, _label, _effect, _writes, signal) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(noAnswer()), { once: true }));
  }
}
