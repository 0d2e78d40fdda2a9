/** Clients that are cached: a subscription's client takes 28 KB, and an app may have thousands of subscriptions. */
const MOST_CLIENTS = 128;

/** Makes a value per name, for instance a client per vault, and caches the most recently used values. */
export function cacheRecent<V>(make: (name: string) => V, most = MOST_CLIENTS): (name: string) => V {
  const values = new Map<string, V>();

  return (name) => {
    const value = values.get(name) ?? make(name);

    // The order of the map is that of use.
    values.delete(name);
    values.set(name, value);

    const [oldest] = values.keys();
    if (values.size > most && oldest !== undefined) values.delete(oldest);

    return value;
  };
}
