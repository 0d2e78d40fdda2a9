/** A schedule of six fields: `{second} {minute} {hour} {day} {month} {day of week}`, in UTC. */
export interface Schedule {
  /** The first occurrence after `time`; undefined if there is none (30 February). */
  next(time: Date): Date | undefined;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const FIELDS = [
  { name: 'second', least: 0, most: 59, names: [] },
  { name: 'minute', least: 0, most: 59, names: [] },
  { name: 'hour', least: 0, most: 23, names: [] },
  { name: 'day', least: 1, most: 31, names: [] },
  { name: 'month', least: 1, most: 12, names: MONTHS },
  { name: 'day of week', least: 0, most: 6, names: DAYS },
] as const;

/** 29 February on a given day of the week recurs within 40 years (around a year like 2100). */
const SEARCH_DAYS = 366 * 41;

/**
 * Parses NCRONTAB. Every field has to match: unlike in Unix cron, both the day and the day of the week count. With five
 * fields the second is 0.
 *
 * @throws with the name of the wrong field
 */
export function parseNcrontab(expression: string): Schedule {
  const texts = expression.trim().split(/\s+/);
  if (texts.length === 5) texts.unshift('0');

  if (texts.length !== 6) {
    throw new Error(
      `Schedule "${expression}" must have six fields: {second} {minute} {hour} {day} {month} {day of week}.`,
    );
  }

  const sets = FIELDS.map((field, index) => {
    try {
      return parseField(texts[index] ?? '', field.least, field.most, field.names);
    } catch (cause) {
      throw new Error(`Schedule "${expression}": ${field.name} ${(cause as Error).message}`, { cause });
    }
  });

  const [seconds = [], minutes = [], hours = [], days = [], months = [], weekdays = []] = sets;

  return {
    next(time) {
      const start = new Date(Math.floor(time.getTime() / 1000) * 1000 + 1000);
      for (let offset = 0; offset < SEARCH_DAYS; offset++) {
        const day = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate() + offset));
        if (
          !months.includes(day.getUTCMonth() + 1) ||
          !days.includes(day.getUTCDate()) ||
          !weekdays.includes(day.getUTCDay())
        ) {
          continue;
        }

        for (const hour of hours) {
          for (const minute of minutes) {
            for (const second of seconds) {
              const at = new Date(day.getTime() + ((hour * 60 + minute) * 60 + second) * 1000);
              if (at >= start) return at;
            }
          }
        }
      }

      return undefined;
    },
  };
}

/** The values of one field, ascending. */
function parseField(text: string, least: number, most: number, names: readonly string[]): number[] {
  const values = new Set<number>();

  for (const part of text.split(',')) {
    const match = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part);
    if (!match) throw new Error(`"${part}" is not understood.`);

    const [, star, first, last, stepText] = match;
    const from = star ? least : number(first ?? '', least, most, names);

    // `5/15` means from 5 to the end in steps of 15.
    const to =
      star || (last === undefined && stepText !== undefined) ? most : number(last ?? first ?? '', least, most, names);
    const step = stepText === undefined ? 1 : Number(stepText);
    if (step < 1) throw new Error(`"${part}" has a step of 0.`);
    if (from > to) throw new Error(`"${part}" runs backwards.`);

    for (let value = from; value <= to; value += step) values.add(value);
  }

  return [...values].sort((a, b) => a - b);
}

function number(text: string, least: number, most: number, names: readonly string[]): number {
  const named = names.indexOf(text.toLowerCase());
  const numbered = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  const value = named >= 0 ? named + least : numbered;
  if (!(value >= least && value <= most)) throw new Error(`"${text}" is not from ${least} to ${most}.`);
  return value;
}
