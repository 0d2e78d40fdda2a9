export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Resolves `%SETTING%` in a binding's option.
 *
 * @throws if the setting does not exist, since the real host does not start the function either
 */
export function resolveSettings(text: string, env: Environment): string {
  return text.replaceAll(/%([^%]+)%/g, (expression, name: string) => {
    const value = env[name];
    if (value === undefined) throw new Error(`'${expression}' does not resolve: app setting ${name} is missing.`);
    return value;
  });
}

/**
 * The connection string of a binding's `connection`: the app setting with that name, or with that name after
 * `AzureWebJobs`; by default `AzureWebJobsStorage`.
 *
 * @throws if there is none. Identity-based connections (`NAME__accountName`) work only in Azure.
 */
export function connectionString(connection: unknown, env: Environment): string {
  const name = typeof connection === 'string' && connection !== '' ? resolveSettings(connection, env) : 'Storage';
  const value = env[name] || env[`AzureWebJobs${name}`];
  if (value) return value;
  const shown = name === 'Storage' ? 'AzureWebJobsStorage' : name;
  throw new Error(
    env[`${shown}__accountName`] === undefined
      ? `Connection ${shown} is missing: set the app setting ${shown} to a connection string.`
      : `Connection ${shown} is identity-based, which this host cannot do: set ${shown} to a connection string.`,
  );
}
