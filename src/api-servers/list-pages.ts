// Lists all objects of a kind, a page at a time, from one snapshot.
import { z } from 'zod';
import { KeyturnError } from '../errors.ts';
import { jsonOf } from './answer-json.ts';
import type { ApiCall } from './api-call.ts';
import type { KubeClient } from './kube-client.ts';

/** A page of many large objects takes its time. */
const PAGE_TIMEOUT_MS = 30_000;

export interface ListOptions {
  /** Objects per request. Default 200. */
  readonly pageSize?: number;
  readonly fieldSelector?: string;
}

/**
 * @param path of the collection, e.g. `/api/v1/secrets`
 * @param resource as RBAC names it, e.g. `secrets`
 * @param item what is relied on of each object
 * @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN, API_SERVER_UNEXPECTED
 */
export async function listAll<T>(
  client: KubeClient,
  path: string,
  resource: string,
  item: z.ZodType<T>,
  { pageSize = 200, fieldSelector }: ListOptions = {},
): Promise<readonly T[]> {
  const page = z.object({
    metadata: z.object({ continue: z.string().optional() }),
    items: z.array(item).nullable(),
  });
  const call: ApiCall = { verb: 'list', path, resource, timeoutMs: PAGE_TIMEOUT_MS };
  const query = { ...(fieldSelector === undefined ? {} : { fieldSelector }), limit: String(pageSize) };
  for (let attempt = 0; attempt < 3; attempt++) {
    const items = await listOnce(client, { ...call, query }, page);
    if (items !== undefined) return items;
  }
  throw new KeyturnError(
    'API_SERVER_UNREACHABLE',
    `${client.url} could not list all ${resource}: pages expired three times`,
    {
      subject: client.url,
      remedy: 'Try again when the API server has less to do',
      retryable: true,
    },
  );
}

/** Undefined where the snapshot that the pages are taken from was compacted away meanwhile (HTTP 410). */
async function listOnce<T>(
  client: KubeClient,
  call: ApiCall,
  page: z.ZodType<{ metadata: { continue?: string | undefined }; items: T[] | null }>,
): Promise<readonly T[] | undefined> {
  const items: T[] = [];
  let next = '';
  do {
    const query = next === '' ? { ...call.query } : { ...call.query, continue: next };
    const answer = await client.call({ ...call, query }, [410]);
    if (answer.status === 410) return undefined;
    const list = jsonOf(page, answer.body, `list ${call.resource}`);
    items.push(...(list.items ?? []));
    next = list.metadata.continue ?? '';
  } while (next !== '');
  return items;
}
