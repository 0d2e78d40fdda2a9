/** A release, by which addresses are made. */
export interface Released {
  /** On GitHub: `<owner>/<name>` */
  readonly repository: string;
  /** Of the package, as in package.json. */
  readonly name: string;
  readonly version: string;
}

/** Name of the app's package among the files of a release. */
export const packageName = ({ name, version }: Omit<Released, 'repository'>): string => `${name}-app-${version}.zip`;

/** Where the app's package will be once the release is published. */
export const packageAddress = (released: Released): string =>
  `https://github.com/${released.repository}/releases/download/v${released.version}/${packageName(released)}`;

/**
 * A template, or the form of one, that fetches a package where it is told of no other.
 *
 * @param text azuredeploy.json or createUiDefinition.json
 */
export function fetching(packageUri: string, text: string): string {
  const template = JSON.parse(text) as {
    parameters: { packageUri?: { defaultValue: string }; basics?: { name: string; defaultValue?: string }[] };
  };
  const { packageUri: parameter, basics = [] } = template.parameters;
  for (const one of [parameter, ...basics.filter(({ name }) => name === 'packageUri')]) {
    if (one) one.defaultValue = packageUri;
  }
  return `${JSON.stringify(template, null, 2)}\n`;
}

/**
 * What the notes of a release say of deploying it: the deploy button, in Markdown. The portal reads both files from the tag:
 * it takes them only from where other pages may read, and the files of a release are not such a place.
 */
export function deployNote(released: Released): string {
  const at = (file: string): string =>
    encodeURIComponent(
      `https://raw.githubusercontent.com/${released.repository}/v${released.version}/infra/${file}.json`,
    );
  const form = `https://portal.azure.com/#create/Microsoft.Template/uri/${at('azuredeploy')}/createUIDefinitionUri/${at('createUiDefinition')}`;
  const update = `https://portal.azure.com/#create/Microsoft.Template/uri/${at('compiled/update')}`;

  return `### Deploy

[By the portal](${form}), with the package \`${packageAddress(released)}\`; or by one of the [other ways](https://github.com/${released.repository}/blob/v${released.version}/docs/how-to/deploy-azd.md). An app that runs: [update its package alone](${update}), with its ARM id, if the changes below ask for no other step.
`;
}
