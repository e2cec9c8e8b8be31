// Goes through a scene in the simulated world.
import { whatIsWrong } from '../../simulation/harm.ts';
import { FORMER, FOREIGN, keyOf, NEXT, wordsFor } from '../../simulation/keys.ts';
import { cannotStart, type SimulatedNode } from '../../simulation/node.ts';
import { NODE_ACTIONS } from '../../simulation/node-actions.ts';
import { World } from '../../simulation/world.ts';
import { NODES, type Event, type Picture, type SimulatedScene } from './scenes.ts';

const RESTART_MS = 3000;
const CACHE_MS = 3_600_000;

/** @returns what is seen before the first event and after each */
export function playSimulated({ events }: SimulatedScene): readonly Picture[] {
  const world = new World({
    nodes: NODES,
    cacheMs: CACHE_MS,
    drain: { policy: 'refreshing' },
    secrets: [],
    slowClient: false,
    probePod: null,
    nodesJoin: true,
    served: false,
    restartMs: RESTART_MS,
    story: null,
  });
  world.staged = NEXT;
  world.record = { next: NEXT, milestones: {} };
  return [
    look(world),
    ...events.map((event) => {
      happen(world, event);
      world.advance(RESTART_MS);
      return look(world);
    }),
  ];
}

function happen(world: World, event: Event): void {
  if ('publish' in event) world.publish(event.publish);
  else if ('cachesAge' in event) world.advance(CACHE_MS);
  else if ('tokenSecret' in event) world.secrets.make(world.leader.managerSigner);
  else if ('step' in event) takeStep(world, event);
  else for (const name of event.on) change(world, world.node(name), event);
}

function takeStep(world: World, { step, on }: Extract<Event, { step: unknown }>): void {
  const node = world.node(on);
  // Retiring is a step of all nodes at once: what it does to each.
  if (step === 'retire') return world.write(node, { namedPub: 0, namedKey: 0 });
  const doing = NODE_ACTIONS[step](world, node);
  while (doing.next().done !== true) {
    // Nobody is blamed: whether anybody is harmed is what is compared.
    node.startCause = 'theirs';
    world.advance(RESTART_MS);
  }
}

function change(world: World, node: SimulatedNode, event: Extract<Event, { on: readonly string[] }>): void {
  if ('dies' in event) {
    if (event.dies === 'API server') world.restart(node, 'theirs');
    else world.restartManager(node);
    return;
  }
  const { trustsNamed, signsNamed, managerNamed } = node.disk;
  world.write(node, event.edit);
  const { disk } = node;
  if (disk.trustsNamed !== trustsNamed || disk.signsNamed !== signsNamed) world.restart(node, 'theirs');
  if (disk.managerNamed !== managerNamed) world.restartManager(node);
}

function look(world: World): Picture {
  const byNode = <T>(of: (node: SimulatedNode) => T) =>
    Object.fromEntries(world.nodes.map((node) => [node.name, of(node)]));
  const secrets = world.secrets.observe('2026-01-01');
  const isUp = ({ disk }: SimulatedNode) => !cannotStart(disk);
  return {
    signs: byNode((node) => (isUp(node) ? wordsFor(node.signer) : null)),
    publishes: byNode((node) => (isUp(node) ? wordsFor(node.trusted) : wordsFor(0))),
    files: byNode(({ disk }) => [disk.pub, disk.key, disk.namedPub, disk.namedKey].map(wordsFor)),
    inSecrets: secrets.map(({ kid }) => wordsFor(keyOf(kid))),
    wrong: whatIsWrong(world)
      .map(({ sentence }) => sentence)
      .filter((sentence) => /^invariant [18]/.test(sentence))
      .toSorted(),
  };
}

/** As both worlds begin. */
export const FIRST_JWKS = FORMER | FOREIGN;
