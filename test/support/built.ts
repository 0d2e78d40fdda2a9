import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleHost } from '../../local/run/host-bundle.ts';
import { bundle } from '../../scripts/bundle.ts';
import { eventually } from './eventually.ts';
import { stateDir } from './local-azure.ts';

/** The app and its host, bundled once for all test files of a run: by the first that asks, while the others wait. */
export async function built(): Promise<{ readonly app: string; readonly host: string }> {
  const folder = join(stateDir(), 'built');
  const paths = { app: join(folder, 'app'), host: join(folder, 'host.cjs') };
  const done = join(folder, 'done');
  const isFirst = await mkdir(folder).then(
    () => true,
    () => false,
  );

  if (isFirst) {
    await Promise.all([bundle({ outDir: paths.app, zip: false }), bundleHost(paths.host)]);
    await writeFile(done, '');
  }

  await eventually('another test file has bundled the app', () =>
    access(done).then(
      () => true,
      () => false,
    ),
  );

  return paths;
}
