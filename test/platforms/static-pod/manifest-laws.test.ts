// Laws of manifest edits, over manifests in many styles.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { addFlag, removeFlag, replaceFlagValue } from '../../../src/platforms/static-pod/manifest-edit.ts';
import { readFlags, readPaths } from '../../../src/platforms/static-pod/manifest-flags.ts';
import type { Manifest } from '../../../src/platforms/static-pod/manifest.ts';
import { generatedManifest } from './generated-manifest.ts';
import type { GeneratedManifest } from './generated-manifest.ts';

const KEY_FILE = 'service-account-key-file';
const SIGNING_KEY_FILE = 'service-account-signing-key-file';
const NEW = '/etc/kubernetes/pki/sa--Xy_0kid.pub';

const manifest = (source: string): Manifest => ({ source, component: 'kube-apiserver', subject: 'node-1:/m.yaml' });
const law = (check: (generated: GeneratedManifest) => void): void => {
  fc.assert(fc.property(generatedManifest, check), { numRuns: 400 });
};

/** All of a manifest, its command line apart. An independent reading: no code of the product. */
function read(source: string): { words: string[]; rest: unknown } {
  const pod = parse(source) as { spec: { containers: { name: string; command: string[]; args?: string[] }[] } };
  const container = pod.spec.containers.find(({ name }) => name === 'kube-apiserver')!;
  const words = [...container.command, ...(container.args ?? [])];
  return {
    words,
    rest: { ...pod, spec: { ...pod.spec, containers: pod.spec.containers.filter((c) => c !== container) } },
  };
}

/** What can be cut out of `long`, in one piece, to get `short`: several readings where the piece begins like what follows it. */
function cuts(long: string, short: string): readonly string[] {
  const length = long.length - short.length;
  return Array.from({ length: short.length + 1 }, (_, at) => at)
    .filter((at) => long.startsWith(short.slice(0, at)) && long.slice(at + length) === short.slice(at))
    .map((at) => long.slice(at, at + length));
}

describe('manifest edits', () => {
  test('the generator makes what it says', () => {
    law(({ source, words, keyFiles, signingKeyFile }) => {
      expect(read(source).words).toEqual(words);
      expect(readPaths(manifest(source), KEY_FILE)).toEqual(keyFiles);
      expect(readFlags(manifest(source)).get(SIGNING_KEY_FILE)).toEqual([signingKeyFile]);
    });
  });

  test('adding inserts one item and keeps every other byte', () => {
    law(({ source, lines }) => {
      const after = addFlag(manifest(source), KEY_FILE, NEW);
      const name = `["']?--service[-_]account[-_]key[-_]file`;
      const piece = lines
        ? new RegExp(`^(\\r?\\n)? *-  ${name}(["']?\\r?\\n *-  ["']?|=)${NEW}["']?(\\r?\\n)?$`)
        : new RegExp(`^, ${name}(["']?, ["']?|=)${NEW}["']?$`);
      const loneLineFeed = /(?<!\r)\n/;
      if (lines) expect(loneLineFeed.test(after)).toBe(loneLineFeed.test(source));
      expect(cuts(after, source)).toContainEqual(expect.stringMatching(piece));
    });
  });

  test('adding appends the value to the flag and changes nothing else that a parser sees', () => {
    law(({ source, keyFiles }) => {
      const after = addFlag(manifest(source), KEY_FILE, NEW);
      expect(readPaths(manifest(after), KEY_FILE)).toEqual([...keyFiles, NEW]);
      expect(read(after).rest).toEqual(read(source).rest);
      const added = read(after).words.filter((word) => word.includes(NEW));
      expect(added).toHaveLength(1);
      const without = read(removeFlag(manifest(after), KEY_FILE, NEW)).words;
      expect(without).toEqual(read(source).words);
    });
  });

  test('what was added and removed again is byte for byte what it was', () => {
    law(({ source }) => {
      expect(removeFlag(manifest(addFlag(manifest(source), KEY_FILE, NEW)), KEY_FILE, NEW)).toBe(source);
    });
  });

  test('adding twice is adding once; removing twice is removing once', () => {
    law(({ source }) => {
      const once = addFlag(manifest(source), KEY_FILE, NEW);
      expect(addFlag(manifest(once), KEY_FILE, NEW)).toBe(once);
      expect(removeFlag(manifest(source), KEY_FILE, NEW)).toBe(source);
    });
  });

  test('replacing changes the value only, and there and back is byte for byte what it was', () => {
    law(({ source, signingKeyFile, words }) => {
      fc.pre(signingKeyFile !== NEW);
      const after = replaceFlagValue(manifest(source), SIGNING_KEY_FILE, signingKeyFile, NEW);
      expect(read(after).rest).toEqual(read(source).rest);
      const changed = read(after).words.flatMap((word, i) => (word === words[i] ? [] : [[words[i], word]]));
      expect(changed).toHaveLength(1);
      const [[before = '', now = ''] = []] = changed;
      expect(now).toBe(before.replace(signingKeyFile, NEW));
      expect(after.split('\n')).toHaveLength(source.split('\n').length);
      expect(replaceFlagValue(manifest(after), SIGNING_KEY_FILE, signingKeyFile, NEW)).toBe(after);
      expect(replaceFlagValue(manifest(after), SIGNING_KEY_FILE, NEW, signingKeyFile)).toBe(source);
    });
  });

  test('removing takes out that value only, wherever it stands, and whole lines only', () => {
    law(({ source, keyFiles, words, lines }) => {
      fc.pre(words.length > keyFiles.length + 3);
      for (const keyFile of keyFiles) {
        let after: string;
        try {
          after = removeFlag(manifest(source), KEY_FILE, keyFile);
        } catch (error) {
          // The first item of `[a, b]` has no comma before it that could go with it; such a list is refused, not guessed at.
          expect(error).toMatchObject({ code: 'MANIFEST_UNSUPPORTED' });
          expect(lines).toBe(false);
          continue;
        }
        expect(readPaths(manifest(after), KEY_FILE)).toEqual(keyFiles.filter((file) => file !== keyFile));
        expect(read(after).rest).toEqual(read(source).rest);
        if (!lines) continue;
        const kept = after.split(/\r?\n/);
        const gone = source.split(/\r?\n/).filter((line) => !kept.includes(line));
        expect(gone.length).toBeLessThanOrEqual(2);
        for (const line of gone) expect(line).toMatch(/^ *- {2}["']?(--service[-_]account[-_]key[-_]file|\/)/);
      }
    });
  });
});
