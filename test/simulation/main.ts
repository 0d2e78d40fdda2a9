import { parseArgs } from 'node:util';
import { randomly } from './choose.ts';
import { BrokenHistory, exploreAll, runHistory, seeded, shrink, type World } from './explore.ts';
import { KeyWorld } from './key-world.ts';
import { randomControllerWorld } from './random-controller.ts';
import { randomForgeryWorld } from './random-forgery.ts';
import { randomGrantsWorld } from './random-grants.ts';
import {
  randomByHandWorld,
  randomForgedMessageWorld,
  randomKeyWorld,
  randomLateWorld,
  randomOverlapWorld,
  randomRewriteWorld,
} from './random-key.ts';
import { randomShapeWorld } from './random-shapes.ts';
import { SCENARIOS } from './scenarios.ts';

const USAGE = `npm run simulate -- [--seed N] [--histories N] [--stop-at-first] [--as-found] [--worlds all|controller|shapes|forgery|grants|others]
                    [--every-history [--only TEXT]]

Runs the app's own use-cases over random histories: several instances, people, faults, kills, clocks apart. Each history
has a seed of its own, counted up from the one given; one that is broken is told as short as it can be made, or as it was found.
With --every-history: every history of the small scenarios, the large ones too; with --only, of those whose name has the text.`;

/** The worlds in turn: each seed is a history of one of them. */
const WORLDS: readonly ((random: () => number) => () => World)[] = [
  randomKeyWorld,
  randomOverlapWorld,
  randomByHandWorld,
  randomLateWorld,
  randomForgedMessageWorld,
  randomRewriteWorld,
];

/** A writer of the queues, tables and leases beside either. */
const FORGERIES = [randomForgeryWorld, randomForgedMessageWorld];

/** The controller, and revocation and restore: each has seeds of its own. */
const KINDS = ['all', 'controller', 'shapes', 'forgery', 'grants', 'others'] as const;

function worldOf(seed: number, kind: (typeof KINDS)[number]): (typeof WORLDS)[number] {
  if (kind === 'shapes') return randomShapeWorld;
  if (kind === 'forgery') return FORGERIES[seed % FORGERIES.length] as (typeof WORLDS)[number];
  if (kind === 'grants' || (kind === 'all' && seed % 10 === 5)) return randomGrantsWorld;
  if (kind === 'all' && seed % 10 === 0) return randomForgeryWorld;
  const isController = kind === 'controller' || (kind === 'all' && seed % 2 === 0);
  return isController ? randomControllerWorld : (WORLDS[seed % WORLDS.length] as (typeof WORLDS)[number]);
}

/** Runs the history of a seed; undefined when everything held. */
async function simulate(
  seed: number,
  kind: (typeof KINDS)[number],
  asFound = false,
): Promise<BrokenHistory | undefined> {
  const random = seeded(seed);
  const make = worldOf(seed, kind)(random);

  try {
    await runHistory(make(), randomly(random));
    return undefined;
  } catch (error) {
    if (!(error instanceof BrokenHistory)) throw error;
    return asFound ? error : shrink(make, error);
  }
}

const OPTIONS = {
  seed: { type: 'string', default: '1' },
  histories: { type: 'string', default: '1000' },
  'stop-at-first': { type: 'boolean', default: false },
  worlds: { type: 'string', default: 'all' },
  'as-found': { type: 'boolean', default: false },
  'every-history': { type: 'boolean', default: false },
  only: { type: 'string', default: '' },
  help: { type: 'boolean', default: false, short: 'h' },
} as const;

function read(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS }).values;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Follows every history of the scenarios; throws at the first that is broken. */
async function everyHistory(only: string): Promise<void> {
  for (const { name, switches, scenario } of SCENARIOS.filter((one) => one.name.includes(only))) {
    const start = process.cpuUsage().user;
    const { states, ends } = await exploreAll(() => new KeyWorld(scenario), switches === undefined ? {} : { switches });
    const seconds = Math.round((process.cpuUsage().user - start) / 1e6);
    console.log(`${states} states, ${ends} ends, ${seconds} s: ${name}`);
  }
}

async function main(args: string[]): Promise<number> {
  const values = read(args);
  if (typeof values === 'string') {
    console.error(`${values}\n\n${USAGE}`);
    return 2;
  }

  const first = Number(values.seed);
  const histories = Number(values.histories);
  const kind = KINDS.find((one) => one === values.worlds);
  if (values.help || !kind || !Number.isInteger(first) || !Number.isInteger(histories) || histories < 1) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }

  if (values['every-history']) {
    await everyHistory(values.only);
    return 0;
  }

  let broken = 0;
  let ran = 0;
  for (let seed = first; seed < first + histories; seed += 1) {
    const found = await simulate(seed, kind, values['as-found']);

    ran += 1;

    if (!found) continue;

    broken += 1;
    console.log(`seed ${seed}: ${found.message}\n`);

    if (values['stop-at-first'] || broken === 5) break;
  }

  console.log(`${ran} histories, ${broken} broken`);

  return broken === 0 ? 0 : 1;
}

if (process.argv[1] === import.meta.filename) process.exitCode = await main(process.argv.slice(2));
