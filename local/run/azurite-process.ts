import type { Child, ChildOptions } from './child-process.ts';
import { moduleBeside } from './module-beside.ts';

/** Azurite in its own process, so that its time of day can be moved. */
export interface AzuriteProcess {
  readonly child: Child;
  /** @throws if Azurite does not become ready */
  readonly connectionString: Promise<string>;
}

export function launchAzurite(
  launch: (options: ChildOptions) => Child,
  options: Pick<ChildOptions, 'env' | 'logFile' | 'heard'>,
): AzuriteProcess {
  const child = launch({
    name: 'Azurite',
    module: moduleBeside('./azurite-main', import.meta.url),
    clockOffsetMs: 0,
    ...options,
  });

  return { child, connectionString: readyJson(child).then(({ connectionString }) => String(connectionString)) };
}

/** The line of JSON that a process prints when it is ready. */
export async function readyJson(child: Child): Promise<Record<string, unknown>> {
  const [line] = await child.says(/^\{.*\}$/);
  return JSON.parse(line) as Record<string, unknown>;
}
