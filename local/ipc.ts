import type { ChildProcess } from 'node:child_process';

/** One end of the channel between a process and its parent. */
type Channel = ChildProcess | NodeJS.Process;

interface Question {
  readonly ask: number;
  readonly question: unknown;
}

interface Answer {
  readonly answer: number;
  readonly value?: unknown;
  readonly error?: string;
}

let last = 0;

/**
 * Sends a question to the process at the other end.
 *
 * @throws the error that it answers, or that it ended
 */
export function ask(channel: Channel, question: unknown): Promise<unknown> {
  last += 1;
  const id = last;

  return new Promise((resolve, reject) => {
    const heard = (message: unknown) => {
      const { answer: to, value, error } = (message ?? {}) as Partial<Answer>;
      if (to !== id) return;
      leave();
      if (error === undefined) resolve(value);
      else reject(new Error(error));
    };

    const gone = () => {
      leave();
      reject(new Error('The other process has gone.'));
    };
    const leave = () => {
      channel.off('message', heard);
      channel.off('disconnect', gone);
    };

    if (!channel.connected || !channel.send) return gone();

    channel.on('message', heard);
    channel.on('disconnect', gone);
    channel.send({ ask: id, question } satisfies Question, undefined, undefined, (error) => error && gone());
  });
}

/** Answers the questions of the process at the other end. */
export function answer(channel: Channel, respond: (question: unknown) => unknown): void {
  channel.on('message', (message: unknown) => {
    const { ask: id, question } = (message ?? {}) as Partial<Question>;
    if (id === undefined) return;
    const reply = (content: Omit<Answer, 'answer'>) => {
      if (channel.connected) channel.send?.({ answer: id, ...content } satisfies Answer);
    };
    (async () => respond(question))().then(
      (value) => reply({ value }),
      (error: unknown) => reply({ error: error instanceof Error ? error.message : String(error) }),
    );
  });
}
