/** Clients that are kept: that of a subscription takes 28 KB, and an app may have thousands of these. */
const MOST_KEPT = 128;

/** Creates one client for each vault or subscription, and keeps those that were used last. */
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
