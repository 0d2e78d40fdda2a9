import { Hono } from 'hono';
import { createWorld } from '../../../local/azure/create-world.ts';
import { createFileService } from '../../../local/azure/file-service.ts';
import { addAccount, addIdentity, addKeyVersion, allowStorage } from '../../../local/azure/fleet.ts';
import type { ServiceEnv } from '../../../local/azure/service.ts';
import type { Principal, WorldSettings } from '../../../local/azure/world.ts';
import { GROUP, named, testVault } from '../key-vault/fixture.ts';

interface AskOptions {
  as?: Principal;
  audience?: string;
  headers?: Record<string, string>;
}

/** An account with a share, encrypted with a key whose vault its identity may use. */
export function fileFixture(settings: Partial<WorldSettings> = {}) {
  const world = createWorld(settings);
  const vault = testVault(world);
  const version = addKeyVersion(world, vault, 'k1');
  const identity = addIdentity(world, GROUP, 'id-storage');

  allowStorage(world, vault, identity.principalId);

  const [assignment] = [...world.roleAssignments.values()].filter((one) => one.principalId === identity.principalId);
  if (!assignment) throw new Error('It was assigned.');

  const key = { vault, keyName: 'k1', mode: 'automaticEmpty' as const };
  const account = addAccount(world, GROUP, { name: 'stfiles01', identity, key });

  account.fileShares.set('team', { name: 'team', enabledProtocols: 'SMB', shareQuota: 100, files: ['plan.txt'] });

  const owner = named(world, 'owner');
  const service = createFileService(world);
  const ask = async (method: string, path: string, options: AskOptions = {}) => {
    const app = new Hono<ServiceEnv>();
    app.use(async (c, next) => {
      c.set('caller', { principal: options.as ?? owner, audience: options.audience ?? 'https://storage.azure.com' });
      await next();
    });
    app.route('/', service);

    const response = await app.request(`https://stfiles01.file.core.windows.net${path}`, {
      method,
      headers: { authorization: 'Bearer t', 'x-ms-file-request-intent': 'backup', ...options.headers },
    });

    return { status: response.status, headers: response.headers, text: await response.text() };
  };

  return { world, vault, version, assignment, account, ask, outsider: named(world, 'outsider') };
}
