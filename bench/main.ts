import { parseArgs } from 'node:util';
import { isBeside, isKept, show } from './print.ts';
import { QUICK, type Result, SHAPES } from './shapes.ts';

const USAGE = `npm run bench -- [--only <shape,…>] [--quick]

Measures the app on the local Azure, with its budgets on, and prints what it takes beside what Azure's documented budgets
need. Where the app only waits for a time to come, the clock is moved there; how much was skipped is printed. Ends with 1
when a promise is not kept.

  --only <shape>  one of, or several with commas: ${SHAPES.map(({ name }) => name).join(', ')}
  --quick         small shapes, in about a minute: judges memory, and no times

Everything takes about half an hour.`;

async function main(args: string[]): Promise<number> {
  let values: { only?: string | undefined; quick?: boolean; help?: boolean };
  try {
    const options = {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false, short: 'h' },
    } as const;

    ({ values } = parseArgs({ args, options }));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }

  const shapes = values.quick ? QUICK : SHAPES;
  const named = values.only?.split(',') ?? shapes.map(({ name }) => name);
  const chosen = shapes.filter(({ name }) => named.includes(name));
  if (values.help || chosen.length < named.length) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }

  let kept = true;
  const measured = new Map<string, Result>();

  for (const { name, title, run, promises } of chosen) {
    console.log(`\n${title} (${name})`);

    const result = await run();

    show(result);
    kept = isKept(result, promises) && kept;

    const { beside } = promises;
    if (beside) kept = isBeside(result, measured.get(beside.shape), beside) && kept;

    measured.set(name, result);
  }

  return kept ? 0 : 1;
}

// The local Azure runs in this process, and may still hold the event loop.
process.exit(await main(process.argv.slice(2)));
