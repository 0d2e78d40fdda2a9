export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Resolves `%SETTING%` in a binding's option.
 *
 * @throws when the setting does not exist: the real host does not start the function either.
 */
export function resolveSettings(text: string, env: Environment): string {
  return text.replaceAll(/%([^%]+)%/g, (expression, name: string) => {
    const value = env[name];
    if (value === undefined) throw new Error(`'${expression}' does not resolve: app setting ${name} is missing.`);
    return value;
  });
}

/**
 * The connection string behind a binding's `connection`: the app setting of that name, or of that name after
 * `AzureWebJobs`; without a name, `AzureWebJobsStorage`.
 *
 * @throws when there is none. Identity-based connections (`NAME__accountName`) work in Azure only.
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
