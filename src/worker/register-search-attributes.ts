// Makes Temporal know Keyturn's search attributes; where that is not allowed, says which command does it.
import { isGrpcServiceError, type Client } from '@temporalio/client';
import type { Logger } from '@temporalio/common';
import { SEARCH_ATTRIBUTES } from '../workflows/search-attributes.ts';

const NAMES = Object.values(SEARCH_ATTRIBUTES).map(({ name }) => name);
/** `temporal.api.enums.v1.IndexedValueType` */
const KEYWORD = 2;
/** `google.rpc.Code` */
const INVALID_ARGUMENT = 3;
const REQUEST_TIMEOUT_MS = 10_000;
/** Frontends read what was registered from a cache. */
const SETTLE_MS = 15_000;
const POLL_MS = 500;

export interface SearchAttributesOptions {
  readonly client: Client;
  readonly logger: Logger;
  readonly sleep: (ms: number) => Promise<unknown>;
}

/**
 * True where rotations may set them. Asked of visibility, which every Temporal service lets its users do; operator rights, and a service
 * other than Temporal Cloud, are needed only for what is missing.
 */
export async function registerSearchAttributes(options: SearchAttributesOptions): Promise<boolean> {
  const { client, logger, sleep } = options;
  try {
    if (await areKnown(client)) return true;
    await register(client);
    for (let waitedMs = 0; waitedMs <= SETTLE_MS; waitedMs += POLL_MS) {
      if (await areKnown(client)) return true;
      await sleep(POLL_MS);
    }
    logger.warn(`Temporal does not know the search attributes ${NAMES.join(', ')} yet`, { remedy: remedyIn(client) });
  } catch (error) {
    const why = isGrpcServiceError(error) ? error.details : String(error);
    logger.warn(`The search attributes could not be registered (${why}); rotations run all the same`, {
      remedy: remedyIn(client),
    });
  }
  return false;
}

/** Whether a question may name all of them. */
export async function areKnown({ connection, options: { namespace } }: Client): Promise<boolean> {
  const query = NAMES.map((name) => `${name} = 'x'`).join(' AND ');
  try {
    await connection.withDeadline(Date.now() + REQUEST_TIMEOUT_MS, () =>
      connection.workflowService.countWorkflowExecutions({ namespace, query }),
    );
    return true;
  } catch (error) {
    const code: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
    if (code === INVALID_ARGUMENT) return false;
    throw error;
  }
}

async function register({ connection, options: { namespace } }: Client): Promise<void> {
  await connection.withDeadline(Date.now() + REQUEST_TIMEOUT_MS, async () => {
    const known = await connection.operatorService.listSearchAttributes({ namespace });
    const missing = NAMES.filter((name) => !(name in known.customAttributes));
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
    });
  });
}

/** The command that registers them, for someone who may. */
export function remedyIn({ options: { namespace } }: Client): string {
  const attributes = NAMES.map((name) => `--name ${name} --type Keyword`).join(' ');
  return `temporal operator search-attribute create --namespace ${namespace} ${attributes}`;
}
