import { Option } from 'commander';
import { NOT_KNOWN } from '../../retirement/retirement.ts';
import type { WantedKey } from '../procedures/key/key-ensure.ts';
import type { KeyRetireOptions } from '../procedures/key/key-retire.ts';
import type { CmkCommand } from '../terminal/command.ts';
import { confirmName } from '../terminal/confirm.ts';
import {
  checkDuration,
  parseNumber,
  parseSeconds,
  readGiven,
  readGivenText,
  toOptionParser,
} from '../terminal/options.ts';
import { addBreakGlassCommands } from './break-glass.ts';
import { addKeyHistory } from './key-history.ts';
import { addKeyList } from './key-lists.ts';
import { addKeyShow } from './key-show.ts';

export function addKeyCommands(program: CmkCommand): void {
  const key = program
    .command('key')
    .description('keys and their versions')
    .summary('keys: list, show, history, ensure, rotate, revoke, restore, …');

  addKeyList(key);

  const named = (name: string): CmkCommand =>
    key
      .command(name)
      .argument('<key>', 'name, <vault>/<name>, or identifier https://<vault>.vault.azure.net/keys/<key>');
  const inOne = (name: string): CmkCommand => named(name).inVault('its vault');

  addEnsure(inOne('ensure'));
  addImport(named('import'));
  addRotate(inOne('rotate'));
  addKeyShow(inOne('show').watching());
  addKeyHistory(inOne('history'));
  addBreakGlassCommands(named, program.cli);
  addRetire(inOne('retire'));
  addUnretire(inOne('unretire'));
}

function addEnsure(command: CmkCommand): void {
  type Options = Omit<WantedKey, 'policy' | 'expiresOn'> & {
    expires?: WantedKey['expiresOn'];
    rotationPolicy: boolean;
    versionLifetime?: string;
    rotateAfter?: string;
    rotateBeforeExpiry?: string;
  };

  const beforeExpiry = new Option(
    '--rotate-before-expiry <duration>',
    'rotation policy: time before expiry at which it is rotated (P30D)',
  );
  command
    .changing()
    .expiring()
    .description('create an RSA key that Storage can use, or check an existing key')
    .addOption(new Option('--kty <type>', 'kind of a new key').choices(['RSA', 'RSA-HSM']))
    .addOption(
      new Option('--size <bits>', 'size of a new key: 2048, 3072 or 4096 (default: 2048)').argParser(parseNumber),
    )
    .option('--no-rotation-policy', 'create a new key without a rotation policy')
    .option(
      '--version-lifetime <duration>',
      'rotation policy: lifetime of new versions (P2Y)',
      toOptionParser(checkDuration),
    )
    .option(
      '--rotate-after <duration>',
      'rotation policy: age at which a version is rotated (P18M)',
      toOptionParser(checkDuration),
    )
    .addOption(beforeExpiry.argParser(toOptionParser(checkDuration)).conflicts('rotateAfter'))
    .changes(async (operation, { kty, size, expires: expiresOn, rotationPolicy, ...wanted }: Options, name) => {
      const { ensureKey } = await import('../procedures/key/key-ensure.ts');
      const { versionLifetime: expiresIn, rotateAfter, rotateBeforeExpiry } = wanted;
      const isGiven = expiresIn || rotateAfter || rotateBeforeExpiry;
      const none = rotationPolicy ? undefined : ('none' as const);
      const policy = isGiven ? { expiresIn, rotateAfter, rotateBeforeExpiry } : none;
      return ensureKey(await command.cli.key(name), { kty, size, expiresOn, policy }, operation);
    });
}

function addImport(command: CmkCommand): void {
  type Options = { file: string; passwordFile?: string; hsm?: boolean; expires?: WantedKey['expiresOn'] };

  command
    .option('--vault <vault>', 'name, ARM id or URI of its vault or Managed HSM')
    .changing()
    .expiring()
    .description('import your own key material from PEM or PFX; a second file creates a new version')
    .requiredOption('--file <path>', 'PEM or PFX file with one RSA private key')
    .option('--password-file <path>', 'file with its password (or set CMK_KEY_PASSWORD)')
    .option('--hsm', 'import into hardware, in a premium vault')
    .changes(async (operation, { file, passwordFile, hsm: hardware = false, expires }: Options, name) => {
      const { importKey, readPrivateKey } = await import('../procedures/key/key-import.ts');
      const expiresOn = expires === 'never' ? undefined : expires;
      const password = passwordFile
        ? (await readGivenText(passwordFile)).replace(/\r?\n$/, '')
        : command.cli.environment.CMK_KEY_PASSWORD;
      const material = readPrivateKey(await readGiven(file), password);
      return importKey(await command.cli.key(name), material, { hardware, expiresOn }, operation);
    });
}

function addRotate(command: CmkCommand): void {
  const { cli } = command;
  const age = new Option(
    '--if-older-than <duration>',
    'a newest version that is younger, and has not expired, counts as rotated; PT0S: rotate anyway',
  );
  const wait = new Option('--wait [duration]', 'wait until every known account uses it, at most this long');
  command
    .changing()
    .description('create a new version; the app moves the accounts if it manages the vault')
    .addOption(age.argParser(toOptionParser(parseSeconds)).default(3_600, 'PT1H'))
    .addOption(wait.argParser(toOptionParser(parseSeconds)).preset('PT30M'))
    .changes(
      async (operation, { ifOlderThan, wait: waitSeconds }: { ifOlderThan: number; wait?: number }, name) => {
        const { rotateKey } = await import('../../rotation/rotate-key.ts');
        const { awaitMoves } = await import('../procedures/key/await-moves.ts');
        const key = await cli.key(name);
        const rotated = await rotateKey(key, ifOlderThan, operation);
        if (operation.journal.dryRun) {
          const { findDeniedMoves } = await import('../procedures/key/denied-moves-of.ts');
          return { ...rotated, moves: undefined, deniedMoves: await findDeniedMoves(key, cli.environment, operation) };
        }
        if (waitSeconds === undefined || rotated.to === undefined) return { ...rotated, moves: undefined };
        return { ...rotated, moves: await awaitMoves(key, rotated.to, waitSeconds, cli.environment, operation) };
      },
      ({ moves }, output) => output.incompleteIf(moves !== undefined && (!moves.complete || moves.waiting.length > 0)),
    );
}

type RetireOptions = Pick<KeyRetireOptions, 'ticket'> & { reason?: string };

function addRetire(command: CmkCommand): void {
  const { cli } = command;
  const { environment } = cli;
  const workspace = new Option('--usage-workspace <id>', "id of the Log Analytics workspace with the vault's log");

  type Options = RetireOptions & {
    version?: string;
    withoutEvidence?: boolean;
    usageWorkspace?: string;
    dryRun?: boolean;
    yes?: boolean;
  };

  command
    .changing()
    .confirmed()
    .description('disable versions without a known use; without --without-evidence it is a dry run')
    .option('--version <version>', 'this version only (default: every version that can be retired)')
    .option('--without-evidence', 'disable them, and accept responsibility for unknown uses')
    .addOption(workspace.default(environment.CMK_USAGE_WORKSPACE, 'CMK_USAGE_WORKSPACE'))
    .hook('preAction', () => {
      if (!command.opts().withoutEvidence) command.setOptionValue('dryRun', true);
    })
    .changes(async (operation, options: Options, name) => {
      const { version, withoutEvidence, usageWorkspace, reason: why, ticket } = options;
      const { retireVersions } = await import('../procedures/key/key-retire.ts');
      const key = await cli.key(name);
      const what = `disable ${version ?? 'every version without a known use'} of`;
      const mind = withoutEvidence ? NOT_KNOWN : '';
      const isSure = options.yes || options.dryRun || false;

      await confirmName(what, `${key.vault.name}/${key.name}`, isSure, cli.context.ask, () => mind);

      const proof = withoutEvidence ? 'person' : 'log';
      const app = await cli.appRecord();
      const asked = { version, proof, why, ticket, workspace: usageWorkspace, environment, app } as const;

      return retireVersions(key, asked, operation);
    });
}

function addUnretire(command: CmkCommand): void {
  const { cli } = command;
  command
    .changing()
    .description('enable a retired version again, and exclude it from retirement')
    .requiredOption('--version <version>', 'the version')
    .changes(async (operation, { version, reason: why, ticket }: RetireOptions & { version: string }, name) => {
      const { unretireVersion } = await import('../procedures/key/key-retire.ts');
      return unretireVersion(await cli.key(name), { version, why, ticket, app: await cli.appRecord() }, operation);
    });
}
