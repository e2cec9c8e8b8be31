// An issuer in an S3 bucket with mirrors in a Google Cloud Storage bucket and in a folder of a web server, each with a foreign key of its own.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { discoveryDocument } from '../../../src/jwks/discovery.ts';
import { mergeKeys } from '../../../src/jwks/edit-jwks.ts';
import { generateKeyPair } from '../../../src/keys/generate.ts';
import { toJwk } from '../../../src/keys/jwk.ts';
import { FilePublisher } from '../../../src/publishers/file.ts';
import { GcsPublisher } from '../../../src/publishers/gcs.ts';
import type { JwksPublisher } from '../../../src/publishers/port.ts';
import { S3Publisher } from '../../../src/publishers/s3.ts';
import { createTrustingFetch } from '../../../src/publishers/trusting-fetch.ts';
import { startGcsServer } from '../../fixtures/gcs-server.ts';
import { startS3Server } from '../../fixtures/s3-server.ts';
import { serveFolder, type WebServer } from '../../fixtures/web-server.ts';

const BUCKET = 'oidc';

interface Place {
  readonly publisher: JwksPublisher;
  readonly jwksUrl: string;
}

export interface MirroredIssuer {
  /** The S3 bucket. */
  readonly issuer: string;
  readonly webServer: WebServer;
  readonly webServerJwksUrl: string;
  /** For the cluster in keyturn.yaml. */
  readonly clusterFields: Readonly<Record<string, unknown>>;
  /** For the worker: credentials whose rights are those of deploy/s3-policy.json. */
  readonly environment: Readonly<Record<string, string>>;
  /** What the owner of the cluster published. @returns kids of the foreign keys, in the order of `readAll` */
  publish(jwks: string): Promise<readonly string[]>;
  /** kids at each public address: S3, Google Cloud Storage, web server. */
  readAll(): Promise<readonly (readonly string[])[]>;
  close(): Promise<void>;
}

export async function startMirroredIssuer(): Promise<MirroredIssuer> {
  const directory = await mkdtemp(path.join(tmpdir(), 'keyturn-mirrors-'));
  const [s3, gcs, web] = await Promise.all([startS3Server(), startGcsServer(), serveFolder(directory)]);
  const user = await s3.createUser('keyturn');
  await s3.createBucket(BUCKET, user);
  await gcs.createBucket(BUCKET);
  const caFile = path.join(directory, 'ca.crt');
  await writeFile(caFile, s3.ca);

  const issuer = `${s3.endpoint}/${BUCKET}`;
  const s3Fields = { bucket: BUCKET, region: 'us-east-1', endpoint: s3.endpoint };
  const gcsFields = { bucket: BUCKET, endpoint: gcs.endpoint };
  const places: readonly Place[] = [
    { publisher: new S3Publisher({ ...s3Fields, ca: s3.ca, credentials: user }), jwksUrl: `${issuer}/keys.json` },
    {
      publisher: new GcsPublisher({ ...gcsFields, credentials: 'anonymous' }),
      jwksUrl: `${gcs.endpoint}/${BUCKET}/keys.json`,
    },
    { publisher: new FilePublisher({ directory }), jwksUrl: `${web.url}/openid/v1/jwks` },
  ];
  const fetch = createTrustingFetch(s3.ca);
  return {
    issuer,
    webServer: web,
    webServerJwksUrl: `${web.url}/openid/v1/jwks`,
    clusterFields: {
      issuerCaFile: caFile,
      publisher: { type: 's3', ...s3Fields },
      mirrors: [
        { type: 'gcs', ...gcsFields, url: `${gcs.endpoint}/${BUCKET}` },
        { type: 'file', directory, url: web.url },
      ],
    },
    environment: { AWS_ACCESS_KEY_ID: user.accessKeyId, AWS_SECRET_ACCESS_KEY: user.secretAccessKey },
    publish: (jwks) =>
      Promise.all(
        places.map(async ({ publisher }) => {
          const foreign = await generateKeyPair('rsa-2048');
          await publisher.write('discovery', discoveryDocument(issuer, `${issuer}/keys.json`), 'absent');
          await publisher.write('jwks', mergeKeys(jwks, [toJwk(foreign)]), 'absent');
          return foreign.kid;
        }),
      ),
    readAll: () =>
      Promise.all(
        places.map(async ({ jwksUrl }) => {
          const { keys } = (await (await fetch(jwksUrl)).json()) as { readonly keys: readonly { kid: string }[] };
          return keys.map(({ kid }) => kid);
        }),
      ),
    async close() {
      await Promise.all([s3.remove(), gcs.remove(), web.stop()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
