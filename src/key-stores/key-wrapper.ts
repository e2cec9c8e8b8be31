// What encrypts data keys: a key that stays the same for many of them, in our hands or in those of a key management service.

/** A data key as it rests beside what it encrypts. */
export interface WrappedKey {
  /** Tells which wrapping key, and which version of it, is needed. Not secret. */
  readonly wrappingKeyId: string;
  /** Text that only the wrapping key opens. */
  readonly wrapped: string;
}

export interface KeyWrapper {
  /** For people: `a supplied key`, `transit/keyturn at https://bao.example:8200`. */
  readonly description: string;

  /** True where the id names a key, or a version of a key, with which this wrapper unwraps. @throws as `wrap` */
  owns(wrappingKeyId: string): Promise<boolean>;

  /**
   * @param dataKey 32 bytes
   * @throws KEY_STORE_LOCKED where the wrapping key is not there or is refused, KEY_STORE_UNREACHABLE (retryable), FILE_UNREADABLE, FILE_TOO_OPEN
   */
  wrap(dataKey: Uint8Array): Promise<WrappedKey>;

  /**
   * @param subject what holds the data key, for errors
   * @throws KEY_STORE_LOCKED with both ids where it was wrapped by another key; KEY_MALFORMED where it is damaged; as `wrap`
   */
  unwrap(key: WrappedKey, subject: string): Promise<Uint8Array>;

  /** The same data key under the newest version of the wrapping key. @throws as `unwrap` */
  rewrap(key: WrappedKey, subject: string): Promise<WrappedKey>;
}
