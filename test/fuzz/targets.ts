// Every parser that reads what others have written.
import type { FuzzTarget } from './run-target.ts';
import { keyturnYaml, kubeConfigs } from './targets/configuration.ts';
import { certEntries, goDurations, leases, shoots, stagedSecrets } from './targets/cluster-objects.ts';
import { discovery, jwks } from './targets/documents.ts';
import { kubernetesKeyFiles, privateKeys, publicKeys } from './targets/keys.ts';
import { manifests } from './targets/manifests.ts';
import { auditLogs, gkectlConfig, gkectlOutput, nodeAnswers, payloads } from './targets/programs.ts';

export const targets: readonly FuzzTarget[] = [
  publicKeys,
  privateKeys,
  kubernetesKeyFiles,
  jwks,
  discovery,
  manifests,
  kubeConfigs,
  keyturnYaml,
  gkectlOutput,
  gkectlConfig,
  auditLogs,
  nodeAnswers,
  payloads,
  certEntries,
  leases,
  shoots,
  stagedSecrets,
  goDurations,
];
