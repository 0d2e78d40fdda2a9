import { ShareServiceClient } from '@azure/storage-file-share';
import type { RestoreResponse } from '../src/api/restore.ts';
import type { RevokeResponse } from '../src/api/revoke.ts';
import type { KeyStatus } from '../src/status/key-schemas.ts';
import type { TourContext } from './context.ts';
import { expectThat } from './expect.ts';
import { short } from './moves.ts';
import type { TourStep } from './step.ts';

const PATH = '/keys/kv-files/files-key';
const REVOKE = { reason: 'Tour: a laptop was stolen', ticket: 'INC-1', confirm: 'kv-files/files-key' };
const RESTORE = { reason: 'Tour: the laptop is back' };
/** No id of a revocation: nothing may come of a restore that names it. */
const OTHER = { ...RESTORE, revocation: '0000' };

/** Break-glass: cut off, kept disabled, given back by a second person. */
export const breakGlassSteps: readonly TourStep[] = [
  {
    title: 'A dry run of revoking files-key shows what would stop, and changes nothing',
    async run(context) {
      const { status, body } = await context.api<RevokeResponse>('revoker', 'POST', `${PATH}/revoke?dryRun=true`);
      const { reason, dependents } = body;
      expectThat(status === 200 && reason === 'DryRun', `The dry run was answered with ${status} ${reason}.`);
      expectThat(dependents !== undefined, 'The dry run does not say what depends on the key.');
      const shares = dependents.accounts.flatMap((account) => account.shares).length;
      const { properties } = await context.keys('kv-files').getKey('files-key');
      expectThat(properties.enabled === true, 'The dry run disabled the key.');
      return `${dependents.accounts.length} accounts with ${shares} file shares, ${dependents.otherResources.length} other resources`;
    },
  },
  {
    title: 'A caller without the role is rejected, and so is a call without a token',
    async run(context) {
      const outsider = await context.api('outsider', 'POST', `${PATH}/revoke`, REVOKE);
      const anonymous = await context.api(undefined, 'POST', `${PATH}/revoke`, REVOKE);
      expectThat(outsider.status === 403, `The outsider was answered with ${outsider.status}.`);
      expectThat(anonymous.status === 401, `A call without a token was answered with ${anonymous.status}.`);
      return `403 ${outsider.body.reason}, 401 ${anonymous.body.reason}`;
    },
  },
  {
    title: 'files-key is revoked: every version is disabled, and file shares refuse',
    async run(context) {
      await listShare(context);

      const started = Date.now();
      const { status, body } = await context.api<RevokeResponse>('revoker', 'POST', `${PATH}/revoke`, REVOKE);
      const { complete, reason, revocation, versions = [], elapsedMs } = body;
      expectThat(status === 200 && complete === true, `The revocation was answered with ${status} ${reason}.`);
      expectThat(revocation !== undefined, 'The answer does not name the revocation.');
      context.screen.line(`    last version disabled after ${elapsedMs} ms; revocation ${revocation.id}`);

      const code = await context.until('a file share of stfiles01 to refuse', 20, async () => {
        const refusal = await refusalOf(context);
        return refusal || undefined;
      });

      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      return `${versions.length} versions disabled in ${elapsedMs} ms; share1 of stfiles01 refuses (${code}) after ${seconds} s`;
    },
  },
  {
    title: 'The key rotates while it is revoked: the new version is disabled too, and no account moves',
    async run(context) {
      const { properties } = await context.keys('kv-files').rotateKey('files-key');
      const version = properties.version ?? '';
      await context.until('the new version to be disabled', 15, async () => {
        const now = (await context.keys('kv-files').getKey('files-key', { version })).properties;
        return now.enabled === false ? true : undefined;
      });
      const account = await context.storage().storageAccounts.getProperties('rg-files', 'stfiles01');
      const pinned = account.encryption?.keyVaultProperties?.keyVersion;
      expectThat(pinned !== version, 'stfiles01 moved onto a revoked key.');
      return `${short(version)} is disabled; stfiles01 is still pinned to ${short(pinned)}`;
    },
  },
  {
    title: 'The person who revoked may not restore',
    async run(context) {
      const records = '/keys/kv-records/records-key';
      const { status, body } = await context.api<RevokeResponse>('operator', 'POST', `${records}/revoke`, {
        ...REVOKE,
        confirm: 'kv-records/records-key',
      });
      expectThat(status === 200, `The operator's revocation was answered with ${status} ${body.reason}.`);

      const restore = { ...RESTORE, revocation: body.revocation?.id };
      const refused = await context.api('operator', 'POST', `${records}/restore`, restore);
      expectThat(refused.status === 403, `The operator's own restore was answered with ${refused.status}.`);

      const other = await context.api('restorer', 'POST', `${records}/restore`, OTHER);
      expectThat(other.status === 409, `A restore of another revocation was answered with ${other.status}.`);

      const second = await context.api('restorer', 'POST', `${records}/restore`, restore);
      expectThat(second.status === 200, `The second person was answered with ${second.status} ${second.body.reason}.`);

      const role = await context.api('revoker', 'POST', `${PATH}/restore`, OTHER);
      expectThat(role.status === 403, `The revoker's restore was answered with ${role.status}.`);

      return `operator: ${refused.body.reason}; another revocation: ${other.body.reason}; revoker: ${role.body.reason}`;
    },
  },
  {
    title: 'A second person restores files-key: what was revoked is enabled, accounts move on, file shares serve again',
    async run(context) {
      const { revocation } = (await context.api<KeyStatus>('restorer', 'GET', PATH)).body;
      expectThat(revocation !== undefined, 'The status does not name the revocation.');

      const restore = { ...RESTORE, revocation: revocation.id };
      const { status, body } = await context.api<RestoreResponse>('restorer', 'POST', `${PATH}/restore`, restore);
      const { complete, reason, versions = [] } = body;
      expectThat(status === 200 && complete === true, `The restore was answered with ${status} ${reason}.`);

      await context.until('share1 of stfiles01 to serve again', 20, async () =>
        (await refusalOf(context)) === '' ? true : undefined,
      );

      const newest = (await context.keys('kv-files').getKey('files-key')).properties.version;
      await context.until('stfiles01 to move to the version made meanwhile', 20, async () => {
        const { encryption } = await context.storage().storageAccounts.getProperties('rg-files', 'stfiles01');
        return encryption?.keyVaultProperties?.keyVersion === newest ? true : undefined;
      });

      const again = await context.api<RestoreResponse>('restorer', 'POST', `${PATH}/restore`, restore);
      expectThat(again.status === 200, `Restoring twice was answered with ${again.status} ${again.body.reason}.`);
      const untouched = again.body.versions?.every(({ before, after }) => before === after);
      expectThat(untouched === true, 'Restoring twice did something.');

      return `${versions.length} versions enabled; share1 of stfiles01 serves; accounts on ${short(newest)}`;
    },
  },
];

async function listShare(context: TourContext): Promise<void> {
  const service = new ShareServiceClient(`https://stfiles01.file.core.windows.net`, context.credential, {
    fileRequestIntent: 'backup',
    retryOptions: { maxTries: 1 },
  });
  for await (const _ of service.getShareClient('share1').rootDirectoryClient.listFilesAndDirectories()) break;
}

/** Azure's code when the file share refuses; empty when it serves. */
async function refusalOf(context: TourContext): Promise<string> {
  try {
    await listShare(context);
    return '';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}
