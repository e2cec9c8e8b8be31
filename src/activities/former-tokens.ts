// Tokens of the former key, kept in the worker's memory so that Verifying can show that they are still accepted. They are secrets.
import type { MintedToken } from '../api-servers/port.ts';

export class FormerTokens {
  private readonly byNode = new Map<string, MintedToken>();

  keep(node: string, token: MintedToken): void {
    this.byNode.set(node, token);
  }

  /**
   * Those that have not expired; empty where another worker kept them.
   * @param isOfFormer of a rotation that another worker has ended since, tokens may still be here
   */
  valid(
    nowMs: number,
    isOfFormer: (token: MintedToken) => boolean,
  ): readonly { readonly node: string; readonly token: MintedToken }[] {
    return [...this.byNode]
      .filter(([, token]) => token.expiresAt > nowMs && isOfFormer(token))
      .map(([node, token]) => ({ node, token }));
  }

  clear(): void {
    this.byNode.clear();
  }
}
