// Everything that the worker bundles as workflow code.
export { rotateSigningKey } from './rotate-signing-key.ts';
