import type { Released } from './deploy-note.ts';

const DESCRIPTION = 'Customer-managed keys of Azure storage accounts, from the command line';

/** A file among those of a release. */
interface ReleasedFile {
  readonly name: string;
  readonly sha256: string;
}

/** The formula by which Homebrew installs the package of the command line (https://docs.brew.sh/Formula-Cookbook): for a tap. */
export function homebrewFormula(released: Released, { name, sha256 }: ReleasedFile): string {
  return `class Cmk < Formula
  desc "${DESCRIPTION}"
  homepage "https://github.com/${released.repository}"
  url "${addressOf(released, name)}"
  sha256 "${sha256}"
  license "MIT"

  depends_on "node"

  def install
    libexec.install "cmk.cjs", "cmk.mjs"
    (bin/"cmk").write <<~SH
      #!/bin/sh
      exec "#{Formula["node"].opt_bin}/node" "#{libexec}/cmk.cjs" "$@"
    SH
    chmod 0755, bin/"cmk"
    man1.install Dir["man/*.1"]
    generate_completions_from_executable(bin/"cmk", "completion", shells: [:bash, :zsh, :fish])
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/cmk --version")
  end
end
`;
}

/** What Windows starts: the folder of the zip is on the PATH, as a link to a script would be taken for a program. */
export const WINDOWS_COMMAND = '@node "%~dp0cmk.cjs" %*\r\n';

/**
 * The manifests by which winget installs the zip of the command line, by their names
 * (https://learn.microsoft.com/windows/package-manager/package/manifest).
 */
export function wingetManifests(released: Released, { name, sha256 }: ReleasedFile): ReadonlyMap<string, string> {
  const { repository, version } = released;
  const owner = repository.split('/')[0] ?? '';
  const id = `${owner}.cmk`;
  const head = `PackageIdentifier: ${id}\nPackageVersion: ${version}\n`;
  const tail = (type: string): string => `ManifestType: ${type}\nManifestVersion: 1.9.0\n`;

  return new Map([
    [`${id}.yaml`, `${head}DefaultLocale: en-US\n${tail('version')}`],
    [
      `${id}.installer.yaml`,
      `${head}InstallerType: zip
NestedInstallerType: portable
NestedInstallerFiles:
- RelativeFilePath: cmk.cmd
ArchiveBinariesDependOnPath: true
Commands:
- cmk
Dependencies:
  PackageDependencies:
  - PackageIdentifier: OpenJS.NodeJS.LTS
    MinimumVersion: 22.18.0
Installers:
- Architecture: neutral
  InstallerUrl: ${addressOf(released, name)}
  InstallerSha256: ${sha256.toUpperCase()}
${tail('installer')}`,
    ],
    [
      `${id}.locale.en-US.yaml`,
      `${head}PackageLocale: en-US
Publisher: ${owner}
PackageName: cmk
PackageUrl: https://github.com/${repository}
License: MIT
ShortDescription: ${DESCRIPTION}
${tail('defaultLocale')}`,
    ],
  ]);
}

function addressOf({ repository, version }: Released, file: string): string {
  return `https://github.com/${repository}/releases/download/v${version}/${file}`;
}
