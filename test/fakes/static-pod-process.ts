// What a component does with its manifest and key files when it starts. Written apart from the product: no code of it is used here.
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface FakeProcess {
  readonly startedAt: number;
  readonly publishedKids: readonly string[];
  readonly signingKid: string | null;
  readonly issuer: string;
}

interface Pod {
  readonly spec: {
    readonly containers: readonly {
      readonly command?: readonly string[];
      readonly args?: readonly string[];
      readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
    }[];
    readonly volumes?: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[];
  };
}

/** undefined where the component would end at once: a file that is missing or not a key. */
export function readProcess(manifest: string, component: string, startedAt: number): FakeProcess | undefined {
  try {
    const { spec } = parse(manifest) as Pod;
    const container = spec.containers.find(({ command, args }) =>
      [...(command ?? []), ...(args ?? [])].includes(component),
    )!;
    const words = [...(container.command ?? []), ...(container.args ?? [])];
    const toHost = (path: string): string => {
      const mount = container.volumeMounts!.find(({ mountPath }) => path.startsWith(`${mountPath}/`))!;
      const { hostPath } = spec.volumes!.find(({ name }) => name === mount.name)!;
      return path.replace(mount.mountPath, hostPath!.path);
    };
    const values = (flag: string): readonly string[] =>
      words.flatMap((word, i) =>
        word.startsWith(`--${flag}=`) ? [word.slice(flag.length + 3)] : word === `--${flag}` ? [words[i + 1]!] : [],
      );
    const signing = values(
      component === 'kube-apiserver' ? 'service-account-signing-key-file' : 'service-account-private-key-file',
    ).at(-1);
    return {
      startedAt,
      publishedKids: values('service-account-key-file').flatMap((path) => kidsOf(readFileSync(toHost(path), 'utf8'))),
      signingKid: signing === undefined ? null : privateKid(readFileSync(toHost(signing), 'utf8')),
      issuer: values('service-account-issuer')[0] ?? '',
    };
  } catch {
    return undefined;
  }
}

function kidsOf(pem: string): readonly string[] {
  const blocks = pem.match(/-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g);
  if (blocks === null) throw new Error('no key');
  return blocks.filter((block) => !block.includes('PARAMETERS')).map((block) => kidOf(block));
}

function privateKid(pem: string): string {
  createPrivateKey(pem); // fails for a file whose first key is public
  return kidOf(pem);
}

function kidOf(pem: string): string {
  return createHash('sha256')
    .update(createPublicKey(pem).export({ type: 'spki', format: 'der' }))
    .digest('base64url');
}
