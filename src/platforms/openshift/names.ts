// How OpenShift calls the objects that hold signing keys.

export const OPERATOR_NAMESPACE = 'openshift-kube-apiserver-operator';
export const OPERAND_NAMESPACE = 'openshift-kube-apiserver';
/** What the operator promotes next. The one Secret of its that Keyturn writes. */
export const NEXT_SECRET = 'next-bound-service-account-signing-key';
/** Ours, beside it: the former pair, for the way back. One name, so that RBAC can be narrowed to it. */
export const KEPT_SECRET = 'keyturn-former-signing-key';
/** What API servers sign with. Written by the operator alone. */
export const OPERAND_SECRET = 'bound-service-account-signing-key';
export const CERTS = 'bound-sa-token-signing-certs';
export const PRIVATE_KEY = 'service-account.key';
export const PUBLIC_KEY = 'service-account.pub';
