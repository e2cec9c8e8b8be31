// Every single thing that can be wrong with a plan, made from the plan itself: nobody picks what is tried.
import type { Plan, Step } from '../../src/rotation/plan.ts';
import { rollBackSteps, type UndoStep } from '../../src/rotation/roll-back.ts';
import type { Variation } from './simulate.ts';

export interface Mutation {
  /** Stable: the table of harmless ones names them by it. */
  readonly name: string;
  /** Ids of the steps and undo steps that it concerns. */
  readonly at: readonly string[];
  readonly variation: Variation;
}

const replaced = (plan: Plan, id: string, change: (step: Step) => Step | null): Plan => ({
  ...plan,
  steps: plan.steps.flatMap((step) => {
    const next = step.id === id ? change(step) : step;
    return next === null ? [] : [next];
  }),
});

const ofPlan = (name: string, at: readonly string[], plan: (plan: Plan) => Plan): Mutation => ({
  name,
  at,
  variation: { plan },
});
const without = <T>(all: readonly T[], one: T): readonly T[] => all.filter((each) => each !== one);

/** Steps removed, swapped with their neighbour, without one guard, without their undo or without one guard of it. */
export function mutationsOf(plan: Plan): readonly Mutation[] {
  return [
    ...plan.steps.flatMap((step, index) => mutationsOfStep(step, plan.steps[index + 1])),
    ...mutationsOfRollBack(plan),
  ];
}

function mutationsOfStep(step: Step, following: Step | undefined): readonly Mutation[] {
  const { id, guards, undo } = step;
  return [
    ofPlan(`without ${id}`, [id], (plan) => replaced(plan, id, () => null)),
    ...(following === undefined
      ? []
      : [ofPlan(`${following.id} before ${id}`, [id, following.id], (plan) => swapped(plan, id))]),
    ...guards.map((guard) =>
      ofPlan(`${id} without ${guard}`, [id], (plan) =>
        replaced(plan, id, (each) => ({ ...each, guards: without(guards, guard) })),
      ),
    ),
    ...(undo === null
      ? []
      : [
          ofPlan(`undo of ${id} missing`, [`undo/${id}`], (plan) =>
            replaced(plan, id, (each) => ({ ...each, undo: null })),
          ),
        ]),
    ...(undo?.guards ?? []).map((guard) =>
      ofPlan(`undo of ${id} without ${guard}`, [`undo/${id}`], (plan) =>
        replaced(plan, id, (each) => ({ ...each, undo: undo && { ...undo, guards: without(undo.guards, guard) } })),
      ),
    ),
  ];
}

function swapped(plan: Plan, id: string): Plan {
  const at = plan.steps.findIndex((step) => step.id === id);
  const [first, second] = [plan.steps[at], plan.steps[at + 1]];
  if (first === undefined || second === undefined) return plan;
  return { ...plan, steps: plan.steps.with(at, second).with(at + 1, first) };
}

/** What a roll back puts between the undo steps stands in no plan: it is left out, too. */
function mutationsOfRollBack(plan: Plan): readonly Mutation[] {
  const own = rollBackSteps(plan, new Set(plan.steps.map(({ id }) => id))).filter(({ undoes }) => undoes === null);
  const changed = (name: string, change: (step: UndoStep) => readonly UndoStep[]): Mutation => ({
    name,
    at: [name.split(' ').find((word) => word.startsWith('undo/')) ?? ''],
    variation: { rollBack: (each, started) => rollBackSteps(each, started).flatMap(change) },
  });
  return own.flatMap(({ id, guards }) => [
    changed(`without ${id}`, (step) => (step.id === id ? [] : [step])),
    ...guards.map((guard) =>
      changed(`${id} without ${guard}`, (step) => [
        step.id === id ? { ...step, guards: without(guards, guard) } : step,
      ]),
    ),
  ]);
}
