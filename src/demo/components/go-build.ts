// Builds a program from Go modules, in a module of our own that only requires it.
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ComponentSource, OnProgress } from './component.ts';
import { durationText } from './duration-text.ts';
import { runCommand } from './run-command.ts';

export interface GoBuild {
  readonly module: string;
  readonly version: string;
  /** In the form of go.sum, e.g. `h1:...=`. */
  readonly sum: string;
  /** The package to build. */
  readonly package: string;
  /**
   * Packages whose dependencies the go.mod must hold. Naming all that are built from a module makes their go.mod the same,
   * so that the second build finds the first one's work in Go's cache.
   */
  readonly imports: readonly string[];
  /** Values set by the linker, e.g. `k8s.io/component-base/version.gitMajor=1`. */
  readonly linkerValues?: readonly string[];
  /** Version of the repositories that the module keeps in ./staging, e.g. `v0.37.2`. `go install` fails without it. */
  readonly stagingVersion?: string;
  /** Modules in folders of the module's own repository, which its go.mod takes from there: their published versions. */
  readonly nested?: readonly NestedModule[];
}

export interface NestedModule {
  readonly module: string;
  readonly version: string;
  /** In the form of go.sum. */
  readonly sum: string;
}

/** A source that runs the `go` command, so it follows the module proxy that the machine is set up for. */
export function goBuild(build: GoBuild): ComponentSource {
  return {
    description: `go build of ${build.package}@${build.version}`,
    fetch: async (file, workDirectory, onProgress) => {
      const startedAt = Date.now();
      const report: OnProgress = (what) =>
        onProgress(`${what} ${basename(file)} ${build.version} ... ${durationText(Date.now() - startedAt)}`);
      await writeFile(join(workDirectory, 'go.mod'), await goMod(build, workDirectory, report));
      const imports = build.imports.map((name) => `import _ "${name}"\n`).join('');
      await writeFile(join(workDirectory, 'tools.go'), `//go:build tools\n\npackage tools\n\n${imports}`);
      await runGo(['mod', 'tidy'], workDirectory, () => report('Fetching the sources of'));
      const values = (build.linkerValues ?? []).map((value) => ` -X ${value}`).join('');
      await runGo(['build', '-trimpath', '-ldflags', `-s -w${values}`, '-o', file, build.package], workDirectory, () =>
        report('Building'),
      );
    },
  };
}

/** A go.mod that requires the module, with what its own go.mod takes from ./staging replaced by the published modules. */
async function goMod(build: GoBuild, directory: string, report: OnProgress): Promise<string> {
  const onWait = () => report('Fetching the sources of');
  const text = await readFile(await downloadModule(build, directory, onWait), 'utf8');
  const goVersion = /^go (\S+)$/m.exec(text)?.[1] ?? '1.24';
  const lines = ['module keyturn.invalid/component', `go ${goVersion}`, `require ${build.module} ${build.version}`];
  if (build.stagingVersion !== undefined) {
    for (const [, path] of text.matchAll(/^\s*(?:replace )?(\S+) => \.\/staging\//gm)) {
      lines.push(`replace ${path} => ${path} ${build.stagingVersion}`);
    }
  }
  for (const nested of build.nested ?? []) {
    await downloadModule(nested, directory, onWait);
    lines.push(`replace ${nested.module} => ${nested.module} ${nested.version}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The path of its go.mod in Go's cache. */
async function downloadModule(wanted: NestedModule, directory: string, onWait: () => void): Promise<string> {
  const { module, version, sum } = wanted;
  const json = await runGo(['mod', 'download', '-json', `${module}@${version}`], directory, onWait);
  const downloaded = JSON.parse(json) as { readonly Sum: string; readonly GoMod: string };
  if (downloaded.Sum !== sum) {
    throw new Error(`checksum mismatch: ${module}@${version} has ${downloaded.Sum}, pinned is ${sum}`);
  }
  return downloaded.GoMod;
}

function runGo(goArguments: readonly string[], directory: string, onWait: () => void): Promise<string> {
  // Without CGO the program needs no C library; GOFLAGS and GOWORK of the user must not reach into the build.
  const environment = { CGO_ENABLED: '0', GOFLAGS: '-mod=mod', GOWORK: 'off' };
  return runCommand('go', goArguments, { directory, environment, onWait });
}
