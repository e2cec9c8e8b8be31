// Everything that the worker bundles as workflow code.
export { notifyOperators } from './notify-operators.ts';
export { rotateSigningKey } from './rotate-signing-key.ts';
