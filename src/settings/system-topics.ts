import { z } from 'zod';
import { parseResourceId } from '../azure/resource-id.ts';
import { json } from './json.ts';

const TOPIC = z
  .string()
  .refine(
    (id) => parseResourceId(id)?.type.toLowerCase() === 'microsoft.eventgrid/systemtopics',
    'has something else than the ARM id of a system topic',
  );

/** `{"<ARM id of a vault>": "<ARM id of its system topic>"}` */
export const SYSTEM_TOPICS = json.pipe(z.record(z.string(), TOPIC, 'is not a JSON object'));
