// The issuer's discovery document (OpenID Connect Discovery 1.0 section 3). Pure: usable in workflow code.
import { KeyturnError } from '../errors.ts';
import type { KeyAlgorithm } from '../rotation/key.ts';
import { MAX_JWKS_LENGTH, ownMember } from './jwks.ts';

export interface Discovery {
  readonly issuer: string;
  readonly jwksUri: string;
  /** `id_token_signing_alg_values_supported`; empty where the document does not say. */
  readonly algs: readonly string[];
}

/**
 * The document with the members of kube-apiserver in its order, laid out as in the quick start of Azure workload identity: two
 * spaces, no final newline.
 *
 * @param algs algorithms of the keys in the JWKS; sorted, each once, as kube-apiserver does it; default RS256
 */
export function discoveryDocument(issuer: string, jwksUri: string, algs: readonly KeyAlgorithm[] = ['RS256']): string {
  const document = {
    issuer,
    jwks_uri: jwksUri,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...new Set(algs)].toSorted(),
  };
  return JSON.stringify(document, null, 2);
}

/**
 * @param subject where the document comes from, for errors
 * @throws JWKS_MALFORMED where it is not a JSON object with the strings `issuer` and `jwks_uri`, or exceeds 1 MiB
 */
export function parseDiscovery(body: string, subject = 'the discovery document'): Discovery {
  if (body.length > MAX_JWKS_LENGTH) throw malformed(`is larger than ${MAX_JWKS_LENGTH} characters`, subject);
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    throw malformed('is not JSON', subject);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw malformed('is not a JSON object', subject);
  }
  const members: Readonly<Record<string, unknown>> = { ...document };
  const issuer = ownMember(members, 'issuer');
  const jwksUri = ownMember(members, 'jwks_uri');
  const algs = ownMember(members, 'id_token_signing_alg_values_supported') ?? [];
  if (typeof issuer !== 'string' || issuer === '') throw malformed('has no string "issuer"', subject);
  if (typeof jwksUri !== 'string' || jwksUri === '') throw malformed('has no string "jwks_uri"', subject);
  if (!Array.isArray(algs)) {
    throw malformed('has an "id_token_signing_alg_values_supported" that is not a list', subject);
  }
  return { issuer, jwksUri, algs: algs.filter((alg) => typeof alg === 'string') };
}

function malformed(what: string, subject: string): KeyturnError {
  return new KeyturnError('JWKS_MALFORMED', `${subject} ${what}`, {
    subject,
    remedy: 'Correct it as OpenID Connect Discovery 1.0 section 3 says, or remove it so that it is written anew',
  });
}
