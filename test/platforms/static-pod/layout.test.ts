// Which files the manifests name, and for how long tokens may live.
import { describe, expect, test } from 'vitest';
import { parseGoDuration } from '../../../src/platforms/go-duration.ts';
import {
  besideOf,
  longestLifetimes,
  readLayout,
  readTokenLifetimes,
} from '../../../src/platforms/static-pod/layout.ts';
import type { Component, Manifest } from '../../../src/platforms/static-pod/manifest.ts';

const KID = 'Jm3_0000000000000000000000000000000000000-A';

const manifest = (component: Component, ...flags: string[]): Manifest => ({
  source: JSON.stringify({ kind: 'Pod', spec: { containers: [{ command: [component, ...flags] }] } }),
  component,
  subject: `node-1:/m/${component}.yaml`,
});
const apiServer = (...flags: string[]): Manifest => manifest('kube-apiserver', ...flags);

describe('readLayout', () => {
  test('reads kubeadm’s', () => {
    const layout = readLayout(
      'node-1',
      apiServer(
        '--service-account-key-file=/p/sa.pub',
        '--service-account-key-file',
        '/p/more.pub',
        '--service-account-signing-key-file=/p/sa.key',
      ),
      manifest('kube-controller-manager', '--service-account-private-key-file=/q/sa.key'),
    );
    expect(layout).toEqual({
      node: 'node-1',
      signingKeyFile: '/p/sa.key',
      trustedKeyFiles: ['/p/sa.pub', '/p/more.pub'],
      controllerManagerKeyFile: '/q/sa.key',
    });
  });

  test('a controller manager without a key signs nothing', () => {
    const flags = ['--service-account-key-file=/p/sa.pub', '--service-account-signing-key-file=/p/sa.key'];
    const layout = readLayout('node-1', apiServer(...flags), manifest('kube-controller-manager'));
    expect(layout.controllerManagerKeyFile).toBeNull();
  });

  test.for([
    ['an external signer', ['--service-account-signing-endpoint=/run/signer.sock'], 'external signer'],
    ['no signing key', ['--service-account-key-file=/p/sa.pub'], 'has no --service-account-signing-key-file'],
    [
      'no verification key: the TLS key is trusted then',
      ['--service-account-signing-key-file=/p/sa.key'],
      'trusts its TLS key',
    ],
    [
      'two signing keys',
      [
        '--service-account-key-file=/p',
        '--service-account-signing-key-file=/a',
        '--service-account-signing-key-file=/b',
      ],
      'more than once',
    ],
  ] as const)('refuses %s', ([, flags, message]) => {
    expect(() => readLayout('node-1', apiServer(...flags), manifest('kube-controller-manager'))).toThrow(
      expect.objectContaining({ code: 'MANIFEST_UNSUPPORTED', message: expect.stringContaining(message) }),
    );
  });
});

test('key files are named by kid, beside the former', () => {
  expect(besideOf('/etc/kubernetes/pki/sa.key', KID, 'pub')).toBe(`/etc/kubernetes/pki/sa-${KID}.pub`);
  expect(() => besideOf('/etc/kubernetes/pki/sa.key', '../../etc/shadow', 'key')).toThrow(
    expect.objectContaining({ code: 'KEY_MALFORMED' }),
  );
});

test.for([
  ['24h', 86_400_000],
  ['1h30m', 5_400_000],
  ['2160h0m0s', 7_776_000_000],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['100ms', 100],
  ['5us', 0.005],
  ['5µs', 0.005],
  ['0', 0],
  ['', undefined],
  ['24', undefined],
  ['1d', undefined],
  ['1h x', undefined],
  ['-1h', undefined],
  // 2^63 ns are 2562047 h and 47 min.
  ['2562047h', 9_223_369_200_000],
  ['2562048h', undefined],
] as const)('Go reads %s as %s ms', ([text, ms]) => {
  expect(parseGoDuration(text)).toBe(ms);
});

describe('token lifetimes', () => {
  test.for([
    ['neither flag', [], null, true],
    ['a maximum', ['--service-account-max-token-expiration=24h'], 86_400_000, true],
    ['a maximum as two items', ['--service-account-max-token-expiration', '48h0m0s'], 172_800_000, true],
    ['zero, which means none', ['--service-account-max-token-expiration=0s'], null, true],
    [
      'the last of two',
      ['--service-account-max-token-expiration=1h', '--service-account-max-token-expiration=2h'],
      7_200_000,
      true,
    ],
    ['extension off', ['--service-account-extend-token-expiration=false'], null, false],
    ['extension off as Go writes it too', ['--service-account-extend-token-expiration=F'], null, false],
    ['a bare switch is on', ['--service-account-extend-token-expiration', '--v=2'], null, true],
  ] as const)('with %s', ([, flags, maxTokenExpirationMs, extendTokenExpiration]) => {
    expect(readTokenLifetimes(apiServer(...flags))).toEqual({ maxTokenExpirationMs, extendTokenExpiration });
  });

  test.for([['--service-account-max-token-expiration=1d'], ['--service-account-max-token-expiration']] as const)(
    'refuses %s',
    ([flag]) => {
      expect(() => readTokenLifetimes(apiServer(flag))).toThrow(
        expect.objectContaining({ code: 'MANIFEST_UNSUPPORTED' }),
      );
    },
  );

  test('of a control plane: the longest, none where any has none, extended where any extends', () => {
    const of = (maxTokenExpirationMs: number | null, extendTokenExpiration: boolean) => ({
      maxTokenExpirationMs,
      extendTokenExpiration,
    });
    expect(longestLifetimes([of(1, false), of(3, false), of(2, false)])).toEqual(of(3, false));
    expect(longestLifetimes([of(1, false), of(null, true)])).toEqual(of(null, true));
    expect(longestLifetimes([])).toEqual(of(null, true));
  });
});
