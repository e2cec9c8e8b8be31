// Goes through a scene on the real control plane, with tokens that its API servers and controller managers have signed.
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { decodeProtectedHeader } from 'jose';
import { KeyturnError } from '../../../src/errors.ts';
import { toJwk } from '../../../src/keys/jwk.ts';
import { readKeysAsKubernetes } from '../../../src/keys/kubernetes-key-file.ts';
import { toPublicKey } from '../../../src/keys/public-key.ts';
import { RelyingParty } from '../../../src/relying-parties/relying-party.ts';
import { freely, steps } from '../../platforms/static-pod/steps.ts';
import { FORMER, NEXT, wordsFor, type Keys } from '../../simulation/keys.ts';
import { until, type RealControlPlane, type RealNode } from './real-control-plane.ts';
import { NODES, type Event, type Picture, type SimulatedScene } from './scenes.ts';

const OUTSIDE = 'outside';
const JWKS_URI = 'https://issuer.example/openid/v1/jwks';

/** One of each signer and key, kept for as long as the scene lasts. */
interface TokensOfKey {
  readonly inside: string;
  readonly outside: string;
}

/** @returns what is seen before the first event and after each */
export async function playReal(
  plane: RealControlPlane,
  scene: SimulatedScene,
  jwks: Keys,
): Promise<readonly Picture[]> {
  await plane.setUp();
  const playing = new RealScene(plane, jwks);
  const pictures = [await playing.look()];
  for (const event of scene.events) {
    await playing.happen(event);
    pictures.push(await playing.look());
  }
  return pictures;
}

class RealScene {
  private readonly plane: RealControlPlane;
  private readonly tokens = new Map<Keys, TokensOfKey>();
  private readonly inSecrets: string[] = [];
  private jwks: Keys;
  /** Each has read the JWKS once, and does not read it again. */
  private relyingParties: RelyingParty[] = [];

  constructor(plane: RealControlPlane, jwks: Keys) {
    this.plane = plane;
    this.jwks = jwks;
  }

  async happen(event: Event): Promise<void> {
    const { plane } = this;
    if ('publish' in event) return this.publish(event.publish);
    if ('cachesAge' in event) this.relyingParties = [];
    else if ('tokenSecret' in event) await this.makeTokenSecret();
    else if ('step' in event) await this.takeStep(event);
    else {
      const changes = event.on.map((on) => ('dies' in event ? plane.die(event.dies, on) : plane.edit(on, event.edit)));
      await Promise.all(changes);
    }
  }

  private async takeStep({ step, on }: Extract<Event, { step: unknown }>): Promise<void> {
    const { plane } = this;
    plane.node(on).isChanged = true;
    const stage = { world: plane, former: plane.key(FORMER), next: plane.key(NEXT) };
    await steps[step](stage, NODES.indexOf(on), freely());
  }

  /** Somebody has read the JWKS just before. */
  private async publish(keys: Keys): Promise<void> {
    const [token] = this.tokens.values();
    const relyingParty = this.newRelyingParty();
    if (token !== undefined) await relyingParty.verify(token.outside);
    this.relyingParties.push(relyingParty);
    this.jwks = keys;
  }

  private newRelyingParty(): RelyingParty {
    const { plane } = this;
    return new RelyingParty({
      jwksUri: JWKS_URI,
      issuer: plane.issuer,
      audience: OUTSIDE,
      cacheMs: Number.MAX_SAFE_INTEGER,
      fetch: async () => {
        const keys = [...plane.keys].filter(([key]) => (key & this.jwks) !== 0).map(([, key]) => toJwk(key));
        return Response.json({ keys });
      },
    });
  }

  private async makeTokenSecret(): Promise<void> {
    const { admin } = this.plane;
    const secrets = '/api/v1/namespaces/keyturn/secrets';
    const name = `scene-${randomUUID()}`;
    const metadata = { name, annotations: { 'kubernetes.io/service-account.name': 'keyturn-probe' } };
    const body = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/service-account-token' };
    // The load balancer may still have a connection to an API server that has died.
    await until('the Secret is there', () =>
      admin.call({ verb: 'create', path: secrets, resource: 'secrets', body }, [409]).then(isTrue, isFalseForNow),
    );
    let token: string | undefined;
    await until('a controller manager fills the Secret', async () => {
      const secret = JSON.parse(await admin.read(`${secrets}/${name}`)) as { data?: { token?: string } };
      token = secret.data?.token;
      return token !== undefined;
    });
    this.inSecrets.push(Buffer.from(token ?? '', 'base64').toString());
  }

  async look(): Promise<Picture> {
    const { nodes } = this.plane;
    const signs = await byNode(nodes, async (node) => (node.isUp ? wordsFor(await this.mint(node)) : null));
    return {
      signs,
      publishes: await byNode(nodes, async (node) => wordsFor(node.isUp ? await this.publishedBy(node) : 0)),
      files: await byNode(nodes, (node) => this.filesOf(node)),
      inSecrets: this.inSecrets.map((token) => wordsFor(this.keyOf(decodeProtectedHeader(token).kid))),
      wrong: [...new Set([...(await this.wrongInside()), ...(await this.wrongOutside())])].toSorted(),
    };
  }

  private async mint({ apiServer }: RealNode): Promise<Keys> {
    const inside = await apiServer.mintToken();
    const key = this.keyOf(inside.kid);
    if (!this.tokens.has(key)) {
      const outside = await apiServer.mintToken({ audiences: [OUTSIDE] });
      this.tokens.set(key, { inside: inside.token, outside: outside.token });
    }
    return key;
  }

  private async publishedBy({ apiServer }: RealNode): Promise<Keys> {
    return (await apiServer.publishedKeys()).reduce((keys, { kid }) => keys | this.keyOf(kid), 0);
  }

  private async filesOf(node: RealNode): Promise<readonly string[]> {
    const { pub, key, namedPub, namedKey } = this.plane.pathsOf(node);
    return Promise.all(
      [pub, key, namedPub, namedKey].map(async (file) => {
        const keys = readKeysAsKubernetes(await readFile(file, 'utf8').catch(() => ''));
        return wordsFor(keys.reduce((all, each) => all | this.keyOf(toPublicKey(each, file).kid), 0));
      }),
    );
  }

  private async wrongInside(): Promise<readonly string[]> {
    const wrong: string[] = [];
    const held = [...[...this.tokens.values()].map(({ inside }) => inside), ...this.inSecrets];
    for (const { name, isUp, apiServer } of this.plane.nodes) {
      if (!isUp) wrong.push(`invariant 8: ${name} would not come up again: a manifest names a file that is not there`);
      for (const token of isUp ? held : []) {
        const verdict = await apiServer.useToken(token);
        if (verdict.outcome === 'unreachable') throw new Error(`${name}: ${verdict.reason}`);
        const key = this.keyOf(decodeProtectedHeader(token).kid);
        if (verdict.outcome === 'rejected')
          wrong.push(`invariant 1: ${name} rejects a valid token of ${wordsFor(key)}`);
      }
    }
    return wrong;
  }

  private async wrongOutside(): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const relyingParty of [...this.relyingParties, this.newRelyingParty()]) {
      for (const [key, { outside }] of this.tokens) {
        const { accepted } = await relyingParty.verify(outside);
        if (!accepted) wrong.push(`invariant 1: a relying party rejects a valid token of ${wordsFor(key)}`);
      }
    }
    return wrong;
  }

  private keyOf(kid: string | undefined): Keys {
    const found = [...this.plane.keys].find(([, key]) => key.kid === kid);
    if (found === undefined) throw new Error(`nobody knows the key ${kid}`);
    return found[0];
  }
}

async function byNode<T>(nodes: readonly RealNode[], of: (node: RealNode) => Promise<T>): Promise<Record<string, T>> {
  return Object.fromEntries(await Promise.all(nodes.map(async (node) => [node.name, await of(node)] as const)));
}

const isTrue = () => true;

function isFalseForNow(error: unknown): false {
  if (error instanceof KeyturnError && error.retryable) return false;
  throw error;
}
