/**
 * Maximum number of cached clients: a subscription's client takes 28 KB, and an app may have thousands of
 * subscriptions.
 */
const MOST_KEPT = 128;

/** Creates a client per vault or subscription, and caches the most recently used clients. */
export function clientPer<C>(make: (name: string) => C): (name: string) => C {
  const clients = new Map<string, C>();
  return (name) => {
    const client = clients.get(name) ?? make(name);
    clients.delete(name);
    clients.set(name, client);
    const [oldest] = clients.keys();
    if (clients.size > MOST_KEPT && oldest !== undefined) clients.delete(oldest);
    return client;
  };
}
