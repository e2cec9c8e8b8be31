// Compares what the files of deploy/ grant with what API servers have seen asked, by their audit logs.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { ControlPlane } from '../../../src/demo/control-plane/control-plane.ts';
import type { RbacObject, RbacRule } from '../../fixtures/rbac-objects.ts';

/** One verb on one thing: `get leases.coordination.k8s.io in keyturn`, `get /readyz`. */
export interface Grant {
  readonly text: string;
  covers(request: AuditedRequest): boolean;
}

export interface AuditedRequest {
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number; readonly message?: string };
}

export async function readGrants(file: string): Promise<readonly Grant[]> {
  const objects = parseAllDocuments(await readFile(file, 'utf8')).map((document) => document.toJS() as RbacObject);
  return objects.flatMap(({ kind, metadata, rules = [] }) =>
    rules.flatMap((rule) => grantsOf(rule, kind === 'Role' ? metadata.namespace : undefined)),
  );
}

function grantsOf(rule: RbacRule, namespace: string | undefined): readonly Grant[] {
  const { apiGroups = [], resources = [], resourceNames, nonResourceURLs = [], verbs } = rule;
  const paths = nonResourceURLs.flatMap((url) =>
    verbs.map((verb) => ({
      text: `${verb} ${url}`,
      covers: (request: AuditedRequest) =>
        request.objectRef === undefined && request.verb === verb && pathOf(request) === url,
    })),
  );
  const onResources = apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      verbs.map((verb) => ({
        text: [verb, [resource, group].filter(Boolean).join('.'), namespace && `in ${namespace}`]
          .filter(Boolean)
          .join(' '),
        covers: ({ verb: asked, objectRef = {} }: AuditedRequest) =>
          asked === verb &&
          (objectRef.apiGroup ?? '') === group &&
          [objectRef.resource, objectRef.subresource].filter(Boolean).join('/') === resource &&
          (namespace === undefined || objectRef.namespace === namespace) &&
          (resourceNames === undefined || resourceNames.includes(objectRef.name ?? '')),
      })),
    ),
  );
  return [...paths, ...onResources];
}

function pathOf({ requestURI }: AuditedRequest): string {
  return new URL(requestURI, 'https://api-server').pathname;
}

/** Requests of a user at every API server, by the audit events in their logs. */
export async function readAuditedRequests({ nodes }: ControlPlane, user: string): Promise<readonly AuditedRequest[]> {
  const requests: AuditedRequest[] = [];
  for (const { directory } of nodes) {
    const logs = path.join(directory, 'logs');
    for (const name of await readdir(logs)) {
      for (const line of (await readFile(path.join(logs, name), 'utf8')).split('\n')) {
        if (!line.startsWith('{"kind":"Event"')) continue;
        const request = parse(line);
        if (request?.user.username === user) requests.push(request);
      }
    }
  }
  return requests;
}

/** Undefined where another process has written into the line, or it was cut off by a kill. */
function parse(line: string): AuditedRequest | undefined {
  try {
    return JSON.parse(line) as AuditedRequest;
  } catch {
    return undefined;
  }
}
