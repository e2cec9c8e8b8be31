// A certificate authority for the demo and the tests, and the certificates that it issues.
import 'reflect-metadata'; // @peculiar/x509 wants it first
import type { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** A certificate and its private key, both PEM. */
export interface CertificatePair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface LeafRequest {
  readonly commonName: string;
  /** Group of the user in Kubernetes, e.g. `system:masters`. */
  readonly organization?: string;
  /** DNS names and IP addresses for a server; absent for a client. */
  readonly serverNames?: readonly string[];
}

export interface CertificateAuthority extends CertificatePair {
  issue(request: LeafRequest): Promise<CertificatePair>;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const;
const dayMs = 24 * 60 * 60 * 1000;
/** The demo ends the same day; a month leaves room for `--keep`. */
const validityMs = 30 * dayMs;

export async function createCertificateAuthority(commonName: string): Promise<CertificateAuthority> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(),
    name: [{ CN: [commonName] }],
    keys,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    ...(await pair(certificate, keys.privateKey)),
    issue: (request) => issue(request, certificate, keys.privateKey),
  };
}

async function issue(
  request: LeafRequest,
  issuer: x509.X509Certificate,
  issuerKey: webcrypto.CryptoKey,
): Promise<CertificatePair> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const isServer = request.serverNames !== undefined;
  const names = (request.serverNames ?? []).map(
    (value) => ({ type: isIpAddress(value) ? 'ip' : 'dns', value }) as const,
  );
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(),
    subject: [
      ...(request.organization === undefined ? [] : [{ O: [request.organization] }]),
      { CN: [request.commonName] },
    ],
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey: issuerKey,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[isServer ? 'serverAuth' : 'clientAuth']]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(isServer ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return pair(certificate, keys.privateKey);
}

function validity(): { readonly notBefore: Date; readonly notAfter: Date } {
  const now = Date.now();
  // An hour back, for clocks that differ.
  return { notBefore: new Date(now - dayMs / 24), notAfter: new Date(now + validityMs) };
}

async function pair(certificate: x509.X509Certificate, privateKey: webcrypto.CryptoKey): Promise<CertificatePair> {
  const der = await crypto.subtle.exportKey('pkcs8', privateKey);
  return {
    certificatePem: `${certificate.toString('pem')}\n`,
    privateKeyPem: `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`,
  };
}

function isIpAddress(name: string): boolean {
  return /^[\d.]+$|:/.test(name);
}
