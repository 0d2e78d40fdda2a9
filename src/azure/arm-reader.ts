import type { TokenCredential } from '@azure/identity';
import type { Cloud } from './cloud.ts';
import { createJsonSender } from './json-sender.ts';
import type { CallLimits } from './limits.ts';

/**
 * Reads one document of Azure Resource Manager, where an SDK for a single call would be a package more.
 *
 * @throws an error that `describeFailure` reads
 */
type ArmReader = (path: string, query: Readonly<Record<string, string>>, signal?: AbortSignal) => Promise<unknown>;

export function createArmReader(credential: TokenCredential, cloud: Cloud, limits: CallLimits): ArmReader {
  const send = createJsonSender(credential, cloud.resourceManagerScope, limits);
  return (path, query, signal) =>
    send({ method: 'GET', url: cloud.resourceManager + path, query, ...(signal ? { signal } : {}) });
}

/**
 * One PATCH of a document of Azure Resource Manager, likewise.
 *
 * @throws an error that `describeFailure` reads
 */
type ArmPatch = (path: string, query: Readonly<Record<string, string>>, body: object) => Promise<unknown>;

export function createArmPatch(credential: TokenCredential, cloud: Cloud, limits: CallLimits): ArmPatch {
  const send = createJsonSender(credential, cloud.resourceManagerScope, limits);
  return (path, query, body) => send({ method: 'PATCH', url: cloud.resourceManager + path, query, body });
}
