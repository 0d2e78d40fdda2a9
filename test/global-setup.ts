import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { certificates } from '../local/azure/wire/certificates.ts';

/**
 * Makes the local Azure's CA once for all test files, and has the workers trust it: Node reads NODE_EXTRA_CA_CERTS only
 * when a process starts. The proxy they start with refuses everything, so no test reaches the network by mistake;
 * `useLocalAzure` puts its own in the place.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const stateDir = await mkdtemp(path.join(tmpdir(), 'cmk-autopilot-test-'));
  const { caPath } = await certificates(stateDir);
  Object.assign(process.env, {
    LOCAL_AZURE_STATE: stateDir,
    NODE_EXTRA_CA_CERTS: caPath,
    NODE_USE_ENV_PROXY: '1',
    HTTPS_PROXY: 'http://127.0.0.1:9',
    NO_PROXY: '127.0.0.1,localhost',
    NODE_NO_WARNINGS: '1', // NODE_USE_ENV_PROXY warns in every process that it is experimental
  });

  return () => rm(stateDir, { recursive: true, force: true });
}
