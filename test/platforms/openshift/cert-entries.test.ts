import { describe, expect, it } from 'vitest';
import { kidsIn, withoutKey } from '../../../src/platforms/openshift/cert-entries.ts';
import { rsaKeyPair } from './key-pairs.ts';

const first = rsaKeyPair();
const second = rsaKeyPair();
/** As OpenShift's installer writes it: SPKI under a label that promises PKCS#1. */
const labelledOtherwise = first.publicPem.replaceAll('PUBLIC KEY', 'RSA PUBLIC KEY');
/** The same key in lines of another length, as a person's editor leaves it. */
const rewrapped = `
${first.publicPem.replaceAll(/(.{32})(?=.)/g, (line) =>
  line.startsWith('-')
    ? line
    : `${line}
`,
)}
`;

describe('the ConfigMap of trusted keys', () => {
  it('names a key once, in whatever formatting it stands there', () => {
    const entries = {
      'service-account-001.pub': labelledOtherwise,
      'service-account-002.pub': rewrapped,
      'service-account-003.pub': second.publicPem,
    };
    expect(kidsIn(entries, 'certs')).toEqual([first.kid, second.kid]);
  });

  it('loses every entry of a key that is forgotten, and nothing else', () => {
    const entries = {
      'service-account-001.pub': labelledOtherwise,
      'service-account-002.pub': rewrapped,
      'service-account-003.pub': second.publicPem,
    };
    expect(withoutKey(entries, first.kid, 'certs')).toEqual({
      'service-account-001.pub': null,
      'service-account-002.pub': null,
    });
    expect(withoutKey(entries, 'of-another', 'certs')).toEqual({});
  });

  it('keeps the other key of an entry that holds two, as it is written', () => {
    const entries = { 'service-account-001.pub': `${second.publicPem}${labelledOtherwise}` };
    expect(withoutKey(entries, first.kid, 'certs')).toEqual({ 'service-account-001.pub': second.publicPem });
    expect(withoutKey(entries, second.kid, 'certs')).toEqual({ 'service-account-001.pub': labelledOtherwise });
  });

  it.each([undefined, null, {}])('may be empty', (entries) => {
    expect(kidsIn(entries, 'certs')).toEqual([]);
    expect(withoutKey(entries, first.kid, 'certs')).toEqual({});
  });

  it('is not guessed at where an entry cannot be read', () => {
    expect(() => kidsIn({ 'service-account-001.pub': 'not PEM' }, 'certs')).toThrow('certs: service-account-001.pub');
  });
});
