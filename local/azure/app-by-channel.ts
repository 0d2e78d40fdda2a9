import { ask } from '../ipc.ts';
import type { AppControl, AppInstance, AppOrder } from './app-control.ts';

type Question = { readonly app: AppOrder | 'list' } | { readonly clockOffsetMs: number };

/** For the local Azure as a process of its own: it sends questions about the app to the process that started it. */
export function appOfParent(): AppControl {
  const asked = (question: Question) => ask(process, question);
  return {
    instances: async () => (await asked({ app: 'list' })) as AppInstance[],
    order: async (order) => (await asked({ app: order })) as AppInstance[],
    moveClock: async (clockOffsetMs) => {
      await asked({ clockOffsetMs });
    },
  };
}

/** For the process that started the local Azure: answers those questions. */
export function answerForApp(control: AppControl, asked: unknown): Promise<unknown> {
  const question = asked as Question;
  if ('clockOffsetMs' in question) return control.moveClock(question.clockOffsetMs);
  return question.app === 'list' ? control.instances() : control.order(question.app);
}
