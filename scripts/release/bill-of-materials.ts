import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
}

/** A CycloneDX document, as far as it is looked at here. */
export interface BillOfMaterials {
  readonly bomFormat: 'CycloneDX';
  readonly serialNumber: string;
  readonly metadata: { readonly timestamp: string; readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

/**
 * What the app and the command line are made of: npm's own bill, without what only development needs (npm's own `--omit dev`
 * leaves out too what development needs as well), without the
 * workspaces, which are not shipped. Named after the package, where npm takes the name of the folder; the same for the same
 * lock file and time.
 *
 * @param on its time, in place of npm's, which is now
 */
export function billOfMaterials(project: string, on: Date): BillOfMaterials {
  const said = execFileSync('npm', ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx'], {
    cwd: project,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });

  const { name, dependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
    name: string;
    dependencies: Record<string, string>;
  };
  const shipped = Object.entries(dependencies).map(([one, version]) => `${one}@${version}`);
  const lock = readFileSync(join(project, 'package-lock.json'));
  const digest = createHash('sha256').update(lock).digest('hex');

  return ofPackage(JSON.parse(said) as BillOfMaterials, { name, shipped, digest, on });
}

export function ofPackage(
  bill: BillOfMaterials,
  {
    name,
    shipped,
    digest,
    on,
  }: { readonly name: string; readonly shipped: readonly string[]; readonly digest: string; readonly on: Date },
): BillOfMaterials {
  const root = bill.metadata.component['bom-ref'];
  const below = new Map(bill.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn ?? []]));
  const workspaces = new Set(
    bill.components.filter((one) => !(one as { purl?: string }).purl || isWorkspace(one)).map((one) => one['bom-ref']),
  );
  const reached = new Set<string>();
  const visit = (ref: string): void => {
    if (reached.has(ref) || workspaces.has(ref)) return;
    reached.add(ref);
    for (const next of ref === root ? shipped : (below.get(ref) ?? [])) visit(next);
  };

  visit(root);

  return {
    ...bill,
    serialNumber: `urn:uuid:${digest.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-5$3-8$4-$5')}`,
    metadata: { ...bill.metadata, timestamp: on.toISOString(), component: { ...bill.metadata.component, name } },
    components: bill.components.filter((one) => reached.has(one['bom-ref'])),
    dependencies: bill.dependencies
      .filter(({ ref }) => reached.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: (dependsOn ?? []).filter((one) => reached.has(one)) })),
  };
}

/** npm says of a package of this repository that it is private. */
function isWorkspace(component: Component): boolean {
  const { properties = [] } = component as {
    properties?: readonly { readonly name: string; readonly value: string }[];
  };
  return properties.some((one) => one.name === 'cdx:npm:package:private' && one.value === 'true');
}
