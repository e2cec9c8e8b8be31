// The part of keyturn.yaml that says where the issuer's documents are published.
import { z } from 'zod';
import { secretSource } from './fields.ts';

const cacheControl = z
  .string()
  .default('public, max-age=300')
  .describe(
    'Cache-Control of the published documents; relying parties must not see them for longer than relyingPartyCache',
  );
const discoveryPath = z
  .string()
  .default('.well-known/openid-configuration')
  .describe("Path of the discovery document below the issuer's URL");

/** @param byDefault as the tools of that platform write it */
const jwksPath = (byDefault: string) =>
  z.string().default(byDefault).describe("Path of the JWKS below the issuer's URL");

const prefix = z
  .string()
  .regex(/^[^/].*[^/]$|^[^/]$/, 'must neither begin nor end with a slash')
  .optional()
  .describe("Where in the bucket the issuer's URL leads to; default: its root");

const endpoint = z.url({ protocol: /^https?$/ }).optional();

const azureBlob = z.strictObject({
  type: z.literal('azure-blob'),
  container: z.url().describe('URL of the Blob container, e.g. https://ACCOUNT.blob.core.windows.net/oidc'),
  credentials: z
    .union([
      z.strictObject({ connectionString: secretSource }),
      z.strictObject({ sas: secretSource }),
      z.strictObject({ identity: z.literal('default').describe('DefaultAzureCredential of @azure/identity') }),
    ])
    .default({ identity: 'default' }),
  jwksPath: jwksPath('openid/v1/jwks'),
  discoveryPath,
  cacheControl,
});

const s3 = z.strictObject({
  type: z.literal('s3'),
  bucket: z.string().min(1).describe("Its credentials come from the AWS SDK's default chain"),
  region: z.string().min(1).describe('E.g. eu-central-1; servers of others often want us-east-1'),
  endpoint: endpoint.describe('Of an S3-compatible server; default: AWS'),
  prefix,
  jwksPath: jwksPath('keys.json'),
  discoveryPath,
  cacheControl,
});

const gcs = z.strictObject({
  type: z.literal('gcs'),
  bucket: z.string().min(1).describe('Its credentials are the Application Default Credentials'),
  endpoint: endpoint.describe('Of an emulator, which is asked without credentials; default: Google'),
  prefix,
  jwksPath: jwksPath('keys.json'),
  discoveryPath,
  cacheControl,
});

const file = z.strictObject({
  type: z.literal('file'),
  directory: z.string().min(1).describe("Folder that is served at the issuer's URL; must be there"),
  jwksPath: jwksPath('openid/v1/jwks'),
  discoveryPath,
});

const apiServer = z.strictObject({
  type: z.literal('api-server'),
  jwksUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('As in the discovery document (--service-account-jwks-uri); default: openid/v1/jwks below the issuer'),
  allowShorterCache: z
    .string()
    .min(1)
    .optional()
    .describe('Why a relyingPartyCache is accepted that is shorter than the JWKS may be cached; recorded'),
});

/** Where the platform itself serves the issuer's documents. */
const platform = z.strictObject({
  type: z.literal('platform'),
  jwksPath: jwksPath('openid/v1/jwks'),
  discoveryPath,
  jwksUrl: z
    .url({ protocol: /^https$/ })
    .optional()
    .describe('Where relying parties read the JWKS; default: jwksPath below the issuer'),
});

export const publisher = z.discriminatedUnion('type', [azureBlob, s3, gcs, file, apiServer, platform]);

const url = z.url({ protocol: /^https?$/ }).describe('Where the public reads this mirror: its documents lie below it');

const mirror = z.discriminatedUnion('type', [
  azureBlob.extend({ url }),
  s3.extend({ url }),
  gcs.extend({ url }),
  file.extend({ url }),
]);

export const mirrors = z
  .array(mirror)
  .max(8)
  .default([])
  .describe("Further places with the issuer's documents; a rotation goes on only once all of them agree");

export type PublisherConfig = z.output<typeof publisher>;

/** A publisher that writes documents. */
export type WrittenPublisherConfig = Exclude<PublisherConfig, { readonly type: 'api-server' | 'platform' }>;
