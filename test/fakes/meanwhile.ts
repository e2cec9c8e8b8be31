// A race, made certain: something happens while a key store has read and not yet written.
import type { KeyWrapper } from '../../src/key-stores/key-wrapper.ts';

/** Wraps and unwraps as the other does; the first time that it is asked to open something, this happens before. */
export function meanwhile(wrapper: KeyWrapper, happens: () => Promise<unknown>): KeyWrapper {
  let pending: (() => Promise<unknown>) | undefined = happens;
  const once = async (): Promise<void> => {
    const now = pending;
    pending = undefined;
    await now?.();
  };
  return {
    description: wrapper.description,
    owns: (wrappingKeyId) => wrapper.owns(wrappingKeyId),
    wrap: (dataKey) => wrapper.wrap(dataKey),
    unwrap: async (key, subject) => {
      await once();
      return wrapper.unwrap(key, subject);
    },
    rewrap: async (key, subject) => {
      await once();
      return wrapper.rewrap(key, subject);
    },
  };
}
