// A change of wrapping keys: wraps with the present one, still opens what former ones wrapped.
import type { KeyWrapper, WrappedKey } from './key-wrapper.ts';

export class WithFormerWrappers implements KeyWrapper {
  readonly description: string;
  readonly #present: KeyWrapper;
  readonly #former: readonly KeyWrapper[];

  constructor(present: KeyWrapper, former: readonly KeyWrapper[]) {
    this.description = present.description;
    this.#present = present;
    this.#former = former;
  }

  async owns(wrappingKeyId: string): Promise<boolean> {
    return (await this.#ownerOf(wrappingKeyId)).owns(wrappingKeyId);
  }

  wrap(dataKey: Uint8Array): Promise<WrappedKey> {
    return this.#present.wrap(dataKey);
  }

  async unwrap(key: WrappedKey, subject: string): Promise<Uint8Array> {
    return (await this.#ownerOf(key.wrappingKeyId)).unwrap(key, subject);
  }

  async rewrap(key: WrappedKey, subject: string): Promise<WrappedKey> {
    const owner = await this.#ownerOf(key.wrappingKeyId);
    return owner === this.#present ? owner.rewrap(key, subject) : this.#present.wrap(await owner.unwrap(key, subject));
  }

  /** The present one where nobody owns it: its refusal names both ids. */
  async #ownerOf(wrappingKeyId: string): Promise<KeyWrapper> {
    for (const wrapper of [this.#present, ...this.#former]) {
      if (await wrapper.owns(wrappingKeyId)) return wrapper;
    }
    return this.#present;
  }
}
