// Static pod manifests in the many ways that people, kubeadm and other installers write them.
import fc from 'fast-check';

export interface GeneratedManifest {
  readonly source: string;
  /** Words of `command` and `args` in order. */
  readonly words: readonly string[];
  readonly keyFiles: readonly string[];
  readonly signingKeyFile: string;
  /** Where every item of the command line has a line of its own. */
  readonly lines: boolean;
}

interface Item {
  readonly text: string;
  readonly quote: '' | "'" | '"';
  readonly comment: string;
  readonly above: string;
}

const path = fc
  .array(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,7}$/), { minLength: 1, maxLength: 4 })
  .map((parts) => `/${parts.join('/')}`);

/** Flags whose text begins like the ones that are edited, or holds their values, are there on purpose. */
const otherFlag = fc.constantFrom(
  '--advertise-address=10.0.0.1',
  '--service-account-issuer=https://issuer.example/a#b',
  '--service-account-key-file-extra=/etc/kubernetes/pki/sa.pub',
  '--api-audiences=a,b: c',
  '--allow-privileged',
  '--feature-gates={"A": true}',
  '--etcd-servers=https://$(HOST_IP):2379',
  '-v=2',
);

const comment = fc.constantFrom('', '', '', ' # why: see #3', '   # - --service-account-key-file=/old.pub');
const above = fc.constantFrom('', '', '', '# - --service-account-key-file=/old.pub', '# it\'s "quoted"');
const quote = fc.constantFrom('', "'", '"') satisfies fc.Arbitrary<Item['quote']>;

function item(text: string): fc.Arbitrary<Item> {
  const needsQuote = /[:#{},[\]] |[ {[,]|"/.test(text);
  const quotes = needsQuote ? fc.constantFrom<Item['quote']>("'") : quote;
  return fc.record({ text: fc.constant(text), quote: quotes, comment, above });
}

function flagItems(flag: string, value: string): fc.Arbitrary<readonly Item[]> {
  const name = fc.constantFrom(`--${flag}`, `--${flag}`, `--${flag.replaceAll('-', '_')}`);
  return fc.tuple(name, fc.boolean()).chain(([dashed, joined]) => {
    const texts = joined ? [`${dashed}=${value}`] : [dashed, value];
    return fc.tuple(...texts.map((text) => item(text)));
  });
}

interface Style {
  readonly eol: '\n' | '\r\n';
  readonly list: 'block' | 'flow' | 'flow-lines' | 'json';
  readonly inArgs: boolean;
  readonly step: 2 | 4;
  readonly dashIndented: boolean;
  readonly sidecar: 'before' | 'after' | 'none';
  readonly commandLast: boolean;
  readonly finalNewline: boolean;
  readonly start: string;
  readonly program: string;
}

const style: fc.Arbitrary<Style> = fc.record({
  eol: fc.constantFrom('\n', '\r\n'),
  list: fc.constantFrom('block', 'block', 'flow', 'flow-lines', 'json'),
  inArgs: fc.boolean(),
  step: fc.constantFrom(2, 4),
  dashIndented: fc.boolean(),
  sidecar: fc.constantFrom('before', 'after', 'none'),
  commandLast: fc.boolean(),
  finalNewline: fc.boolean(),
  start: fc.constantFrom('', '---\n', '# Managed by hand\n---\n', '\uFEFF'),
  program: fc.constantFrom('kube-apiserver', '/usr/local/bin/kube-apiserver'),
});

export const generatedManifest: fc.Arbitrary<GeneratedManifest> = fc
  .record({
    style,
    keyFiles: fc.uniqueArray(path, { minLength: 1, maxLength: 3 }),
    signingKeyFile: path,
    others: fc.array(otherFlag.chain(item), { maxLength: 5 }),
    seed: fc.array(fc.nat(1000), { minLength: 10, maxLength: 10 }),
  })
  .chain(({ keyFiles, signingKeyFile, others, seed, style: chosen }) =>
    fc
      .tuple(
        item(chosen.program),
        flagItems('service-account-signing-key-file', signingKeyFile),
        ...keyFiles.map((file) => flagItems('service-account-key-file', file)),
      )
      .map(([program, ...flags]) => {
        const groups = [...others.map((other) => [other]), ...flags];
        const shuffled = groups
          .map((group, i) => ({ group, rank: seed[i % seed.length]! * 31 + i }))
          .toSorted((a, b) => a.rank - b.rank)
          // Key files keep their order among themselves, so that the model can say what is last.
          .map(({ group }) => group);
        const ordered = keepOrder(shuffled, flags.slice(1));
        const items = ordered.flat();
        return {
          source: write(chosen, program, items),
          words: [program.text, ...items.map(({ text }) => text)],
          keyFiles,
          signingKeyFile,
          lines: chosen.list === 'block',
        };
      }),
  );

function keepOrder(
  groups: readonly (readonly Item[])[],
  keyFiles: readonly (readonly Item[])[],
): readonly (readonly Item[])[] {
  let next = 0;
  return groups.map((group) => (keyFiles.includes(group) ? keyFiles[next++]! : group));
}

function write(chosen: Style, program: Item, items: readonly Item[]): string {
  const text = chosen.list === 'json' ? writeJson(chosen, program, items) : writeYaml(chosen, program, items);
  const ended = chosen.finalNewline ? text : text.replace(/\n$/, '');
  return ended.replaceAll('\n', chosen.eol);
}

const volumes = { name: 'k8s-certs', hostPath: { path: '/etc/kubernetes/pki', type: 'DirectoryOrCreate' } };
const sidecar = { name: 'audit', image: 'audit:1', command: ['audit', '--service-account-key-file=/not/ours'] };

function writeJson(chosen: Style, program: Item, items: readonly Item[]): string {
  const words = items.map(({ text }) => text);
  const lists = chosen.inArgs ? { command: [program.text], args: words } : { command: [program.text, ...words] };
  const container = { name: 'kube-apiserver', ...lists };
  const containers =
    chosen.sidecar === 'none' ? [container] : chosen.sidecar === 'before' ? [sidecar, container] : [container, sidecar];
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'Pod', spec: { volumes: [volumes], containers } }, null, chosen.step)}\n`;
}

function writeYaml(chosen: Style, program: Item, items: readonly Item[]): string {
  const { step } = chosen;
  const pad = (depth: number): string => ' '.repeat(depth);
  const dash = chosen.dashIndented ? step : 0;
  const containerDepth = step + dash;
  const fieldDepth = containerDepth + 2;
  const ours = [
    `${pad(containerDepth)}- name: kube-apiserver`,
    ...(chosen.inArgs
      ? [...list(chosen, 'command', [program], fieldDepth), ...list(chosen, 'args', items, fieldDepth)]
      : list(chosen, 'command', [program, ...items], fieldDepth)),
  ];
  const other = [
    `${pad(containerDepth)}- name: audit`,
    `${pad(fieldDepth)}command: ["audit", '--service-account-key-file=/not/ours']`,
  ];
  const containers = [
    `${pad(step)}containers:   # the one that counts`,
    ...(chosen.sidecar === 'before' ? other : []),
    ...ours,
    ...(chosen.sidecar === 'after' ? other : []),
  ];
  const rest = [
    `${pad(step)}volumes:`,
    `${pad(containerDepth)}- {name: k8s-certs, hostPath: {path: /etc/kubernetes/pki}}`,
  ];
  return `${chosen.start}${[
    'apiVersion: v1',
    'kind:  Pod',
    'metadata:',
    `${pad(step)}annotations: {"a.b/c":   'd'}`,
    'spec:',
    ...(chosen.commandLast ? [...rest, ...containers] : [...containers, ...rest]),
  ].join('\n')}\n`;
}

function list(chosen: Style, key: string, items: readonly Item[], depth: number): readonly string[] {
  const pad = ' '.repeat(depth);
  const quoted = items.map((each) => `${each.quote}${each.text}${each.quote}`);
  if (chosen.list === 'flow') return [`${pad}${key}: [ ${quoted.join(' ,')}]`];
  const inner = `${pad}${chosen.dashIndented ? '  ' : ''}`;
  if (chosen.list === 'flow-lines') {
    return [`${pad}${key}: [`, ...quoted.map((token) => `${inner} ${token},`), `${pad} ]`];
  }
  return [
    `${pad}${key}:`,
    ...items.flatMap((each, i) => [
      ...(each.above === '' ? [] : [`${inner}${each.above}`]),
      `${inner}-  ${quoted[i]}${each.comment}`,
    ]),
  ];
}
