// YAML that is small and means to be huge, or deep: what no parser may follow to its end.

const wide = (levels: number, times: number) =>
  Array.from(
    { length: levels },
    (_, i) =>
      `${name(i)}: &${name(i)} [${Array(times)
        .fill(i === 0 ? 'lol' : `*${name(i - 1)}`)
        .join()}]`,
  ).join('\n');
const name = (i: number) => `k${i}`;

export const bombs: readonly string[] = [
  wide(9, 9),
  `${wide(9, 9)}\nkind: Pod\nspec: {containers: [*k8]}\n`,
  `${wide(9, 9)}\nclusters: *k8\ncontexts: *k8\nusers: *k8\n`,
  // Merge keys, each with the one before twice.
  Array.from({ length: 30 }, (_, i) =>
    i === 0 ? 'm0: &m0 {a: b}' : `m${i}: &m${i} {<<: [*m${i - 1}, *m${i - 1}]}`,
  ).join('\n'),
  '&a [*a, *a]',
  'kind: Pod\nspec: &a\n  containers: *a\n',
  // One word, which a parser repeats.
  `| ${'x'.repeat(30_000)}\n`,
  '['.repeat(20_000),
  '{a: '.repeat(20_000),
  '- '.repeat(20_000),
  `${'- '.repeat(5000)}a`,
  Array.from({ length: 3000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
  '? '.repeat(10_000),
  '!!binary '.repeat(5000),
  `a: "${'\\'.repeat(100_001)}`,
  `a: ${'"'.repeat(50_001)}`,
  '---\n'.repeat(50_000),
  `kind: Pod\n${'# '.repeat(100_000)}`,
  `a: |\n${'  line\n'.repeat(30_000)}`,
  `{${Array.from({ length: 20_000 }, (_, i) => `k${i}: ${i}`).join()}}`,
  '__proto__: {polluted: true}\nconstructor: {prototype: {polluted: true}}\n',
  'kind: Pod\n__proto__: {polluted: true, spec: {containers: []}}\n',
];
