/** Creates one client for each vault or subscription, and returns the same one for later calls. */
export function clientPer<C>(make: (name: string) => C): (name: string) => C {
  const clients = new Map<string, C>();
  return (name) => {
    const client = clients.get(name) ?? make(name);
    clients.set(name, client);
    return client;
  };
}
