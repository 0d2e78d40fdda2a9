import { connectionString, type Environment, resolveSettings } from './app-settings.ts';
import type { Binding, TypedData } from './core-types.ts';
import type { QueueSettings } from './host-json.ts';
import { encodeMessage, outputMessages } from './queue-message.ts';
import { type QueueServices, queueErrorCode } from './queue-service-client.ts';

/**
 * Sends an output to its queue, and creates the queue if it is missing. An output binding has no visibility delay.
 * `sent` gets the queue's URL, so that a listener of this host reads at once.
 */
export async function sendToQueue(
  binding: Binding,
  data: TypedData,
  services: QueueServices,
  settings: QueueSettings,
  env: Environment,
  sent: (queueUrl: string) => void,
): Promise<void> {
  const name = resolveSettings(String(binding.queueName ?? ''), env);
  const queue = await services.queue(connectionString(binding.connection, env), name);

  for (const message of outputMessages(data)) {
    const text = encodeMessage(message, settings.messageEncoding);
    try {
      await queue.sendMessage(text);
    } catch (error) {
      if (queueErrorCode(error) !== 'QueueNotFound') throw error;
      await queue.createIfNotExists();
      await queue.sendMessage(text);
    }
  }

  sent(queue.url);
}
