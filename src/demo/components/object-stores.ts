// Servers that speak the protocols of S3 and of Google Cloud Storage, for tests of the publishers.
import { arch, platform } from 'node:os';
import type { Component } from './component.ts';
import { goBuild } from './go-build.ts';
import { officialDownload } from './official-download.ts';
import { goModuleSum, versions } from './versions.ts';

/** In the words of their release files, e.g. `Linux_x86_64`. */
const system = `${platform() === 'darwin' ? 'Darwin' : 'Linux'}_${arch() === 'x64' ? 'x86_64' : arch()}`;

/** Enforces signatures, users, bucket policies and preconditions, as S3 does. */
export const versitygw: Component = {
  name: 'versitygw',
  version: versions.versitygw,
  versionArguments: ['--version'],
  suits: (version) => version === versions.versitygw,
  sources: [
    officialDownload({
      url: `https://github.com/versity/versitygw/releases/download/v${versions.versitygw}/versitygw_v${versions.versitygw}_${system}.tar.gz`,
      checksumUrl: `https://github.com/versity/versitygw/releases/download/v${versions.versitygw}/checksums.txt`,
      programInArchive: 'versitygw',
    }),
    goBuild({
      module: 'github.com/versity/versitygw',
      version: `v${versions.versitygw}`,
      sum: goModuleSum['github.com/versity/versitygw'],
      package: 'github.com/versity/versitygw/cmd/versitygw',
      imports: ['github.com/versity/versitygw/cmd/versitygw'],
      linkerValues: [`main.Version=${versions.versitygw}`],
    }),
  ],
  remedy: `Install versitygw ${versions.versitygw} (https://github.com/versity/versitygw) or Go`,
};

/** Enforces generation preconditions on uploads. Not on deletes, and it knows no permissions. */
export const fakeGcsServer: Component = {
  name: 'fake-gcs-server',
  version: versions['fake-gcs-server'],
  versionArguments: undefined,
  usageArguments: ['-help'],
  // It does not tell its version, so a stray one on the PATH is not trusted. Nor do its releases hold a program with a checksum.
  suits: () => false,
  sources: [
    goBuild({
      module: 'github.com/fsouza/fake-gcs-server',
      version: `v${versions['fake-gcs-server']}`,
      sum: goModuleSum['github.com/fsouza/fake-gcs-server'],
      package: 'github.com/fsouza/fake-gcs-server',
      imports: ['github.com/fsouza/fake-gcs-server'],
    }),
  ],
  remedy: 'Install Go',
};
