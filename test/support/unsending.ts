import { QueueServiceClient } from '@azure/storage-queue';

/** Queues that take no message now. */
export function unsending(connectionString: string): QueueServiceClient {
  const queues = QueueServiceClient.fromConnectionString(connectionString);
  const of = queues.getQueueClient.bind(queues);
  const sendMessage = () => Promise.reject(new Error('queue down'));
  queues.getQueueClient = (name) => Object.assign(of(name), { sendMessage });
  return queues;
}
