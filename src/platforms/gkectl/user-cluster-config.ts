// What the configuration file of a user cluster says about whether its signing key can be rotated.
import { parse } from 'yaml';
import { z } from 'zod';
import type { Problem } from '../../rotation/observation.ts';
import { findYamlExcess, shortFault } from '../../yaml-bounds.ts';

/** From this minor version on a cluster is an advanced one unless its file says otherwise (documentation of Google Distributed Cloud). */
const ADVANCED_BY_DEFAULT_FROM = 33;

/** Of what is repeated of the file, in characters: it may be any file. */
const MAX_WORD = 100;

const shape = z.object({
  kind: z.string().optional(),
  gkeOnPremVersion: z.string().optional(),
  enableAdvancedCluster: z.boolean().optional(),
});

/** Why the signing key of this cluster cannot be rotated by gkectl; empty where nothing speaks against it. */
export function findConfigProblems(file: string, text: string): readonly Problem[] {
  const problem = (message: string): readonly Problem[] => [{ code: 'PREFLIGHT_REFUSED', subject: file, message }];
  const excess = findYamlExcess(text);
  if (excess !== undefined) return problem(`${file} ${excess}. Give the user cluster's configuration file.`);
  let content: unknown;
  try {
    content = parse(text, { logLevel: 'error' });
  } catch (error) {
    const fault = shortFault(error instanceof Error ? error.message : String(error));
    return problem(`${file} is no YAML: ${fault}. Give the user cluster's configuration file.`);
  }
  const config = shape.safeParse(content);
  if (!config.success) {
    const fault = shortFault(z.prettifyError(config.error));
    return problem(`${file} is not the configuration file of a user cluster: ${fault}. Give that file.`);
  }
  const { kind, gkeOnPremVersion, enableAdvancedCluster } = config.data;
  if (kind !== undefined && kind !== 'UserCluster') {
    return problem(`${file} describes a ${kind.slice(0, MAX_WORD)}. Give the configuration file of the user cluster.`);
  }
  if (enableAdvancedCluster === false) return [];
  if (enableAdvancedCluster === true) {
    return problem(
      `${file} describes an advanced cluster (enableAdvancedCluster: true), whose signing key gkectl does not rotate. Its key has to stay until Google Distributed Cloud supports that.`,
    );
  }
  const minor = /^1\.(\d+)\./.exec(gkeOnPremVersion ?? '')?.[1];
  if (minor === undefined) {
    return problem(
      `${file} does not tell whether this is an advanced cluster, whose signing key gkectl does not rotate: neither enableAdvancedCluster nor a gkeOnPremVersion such as 1.32.100-gke.1 is there. State enableAdvancedCluster.`,
    );
  }
  if (Number(minor) < ADVANCED_BY_DEFAULT_FROM) return [];
  return problem(
    `${file} has version ${gkeOnPremVersion?.slice(0, MAX_WORD)} and no enableAdvancedCluster: from 1.${ADVANCED_BY_DEFAULT_FROM} that is an advanced cluster, whose signing key gkectl does not rotate. State enableAdvancedCluster: false where it is none.`,
  );
}
