// The shape of `publisher` in keyturn.yaml where the platform itself serves the issuer's documents.
import { z } from 'zod';

export const platformPublisher = z.strictObject({
  type: z.literal('platform'),
  jwksPath: z.string().default('openid/v1/jwks').describe('Below the issuer, where jwksUrl does not say otherwise'),
  discoveryPath: z.string().default('.well-known/openid-configuration').describe('Below the issuer'),
  jwksUrl: z
    .url({ protocol: /^https$/ })
    .optional()
    .describe('Where relying parties read the JWKS; default: jwksPath below the issuer'),
});
