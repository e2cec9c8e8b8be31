// Everything that the worker bundles as workflow code.
export { migrateIssuer } from './migrate-issuer.ts';
export { notifyOperators } from './notify-operators.ts';
export { rotateSigningKey } from './rotate-signing-key.ts';
