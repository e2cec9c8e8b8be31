// Chooses how a rotation changes the nodes: as configured, or in place where kubeadm looks after the manifests.
import { KeyturnError } from '../../errors.ts';
import type { ChosenKeyLayout, KeyLayout } from '../../rotation/key-layout.ts';
import type { NodeLayout, Problem } from '../../rotation/observation.ts';
import { findKeyFiles } from './key-files.ts';
import { noFileOfItsOwn, trustedFileOf } from './in-place/pairs.ts';
import { RESTART_ANNOTATION } from './in-place/restart.ts';
import { setAnnotation } from './manifest-annotation.ts';
import { readManifest } from './node-manifests.ts';
import type { ControlPlaneNode } from './node-manifests.ts';

const KUBEADM_CONFIG = 'the ConfigMap kube-system/kubeadm-config';

/**
 * Never throws for what cannot be read: that is a problem, since a wrong guess would show only when kubeadm writes manifests anew.
 * @param kubeadmConfigExists asked only where nothing is configured
 */
export async function chooseKeyLayout(
  configured: KeyLayout | undefined,
  kubeadmConfigExists: () => Promise<boolean>,
): Promise<{ readonly keyLayout: ChosenKeyLayout; readonly problems: readonly Problem[] }> {
  if (configured !== undefined) {
    return { keyLayout: { layout: configured, because: 'platform.keyLayout says so' }, problems: [] };
  }
  try {
    const keyLayout: ChosenKeyLayout = (await kubeadmConfigExists())
      ? { layout: 'in-place', because: `${KUBEADM_CONFIG} exists` }
      : { layout: 'flags', because: `${KUBEADM_CONFIG} does not exist` };
    return { keyLayout, problems: [] };
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    const message = `Whether kubeadm looks after this cluster cannot be seen (${error.message}). Apply deploy/rbac.yaml, which lets Keyturn get ${KUBEADM_CONFIG}, or say which it is with platform.keyLayout: in-place with kubeadm, flags without.`;
    const problem = { code: error.code, subject: 'platform.keyLayout', message };
    return { keyLayout: { layout: 'flags', because: `${KUBEADM_CONFIG} cannot be read` }, problems: [problem] };
  }
}

/** What would stop a rotation in place half way. @throws nothing but defects: problems are returned */
export async function findInPlaceProblems(node: ControlPlaneNode, layout: NodeLayout): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const looks = [
    async () => {
      const files = await findKeyFiles(node, layout);
      if (trustedFileOf(files) === undefined) throw noFileOfItsOwn(node, files);
    },
    async () => tryAnnotation(node, 'kube-apiserver'),
    async () => tryAnnotation(node, 'kube-controller-manager'),
  ];
  for (const look of looks) {
    try {
      await look();
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      problems.push({ code: error.code, subject: error.subject, message: error.message });
    }
  }
  return problems;
}

/** Nothing is written. */
async function tryAnnotation(
  node: ControlPlaneNode,
  component: 'kube-apiserver' | 'kube-controller-manager',
): Promise<void> {
  setAnnotation(await readManifest(node, component), RESTART_ANNOTATION, 'try');
}
