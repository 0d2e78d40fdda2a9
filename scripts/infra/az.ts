import { run } from './run.ts';

/** Azure CLI could not do what it was asked. */
export class AzError extends Error {
  constructor(args: readonly string[], said: string) {
    super(`az ${args.slice(0, 3).join(' ')} failed: ${said.trim()}`);
    this.name = 'AzError';
  }
}

/**
 * Runs the Azure CLI and returns the JSON that it prints; undefined when it prints nothing.
 *
 * @throws {@link AzError} with what az said.
 */
export function az(...args: string[]): unknown {
  const answer = run('az', [...args, '--output', 'json', '--only-show-errors']);
  if (answer.status === undefined) {
    throw new AzError(args, 'the Azure CLI is not installed. https://aka.ms/install-azure-cli, then: az login');
  }
  if (answer.status !== 0) throw new AzError(args, answer.stderr);
  return answer.stdout.trim() === '' ? undefined : JSON.parse(answer.stdout);
}

/** Whether there is no such resource. One that the sign-in may not see counts as there. */
export function isGone(id: string): boolean {
  try {
    az('resource', 'show', '--ids', id);
    return false;
  } catch (error) {
    return error instanceof AzError && /\(Resource(Group)?NotFound\)/.test(error.message);
  }
}

/** GET on Azure Resource Manager, whatever the cloud: az knows its address. Follows the pages of a list. */
export function armList(path: string, apiVersion: string): unknown[] {
  const items: unknown[] = [];
  let url: string | undefined = `${path}?api-version=${apiVersion}`;
  while (url) {
    const page = az('rest', '--method', 'get', '--url', url) as { value?: unknown[]; nextLink?: string };
    items.push(...(page.value ?? []));
    url = page.nextLink;
  }
  return items;
}

/** A query of Azure Resource Graph over every subscription that the sign-in sees. One page: a thousand rows. */
export function armQuery(query: string): unknown[] {
  const url = '/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01';
  const answer = az('rest', '--method', 'post', '--url', url, '--body', JSON.stringify({ query })) as {
    data?: unknown[];
  };
  return answer.data ?? [];
}
