// A thread of `npm run simulate`: explores the parts that it is given.
import { answerTasks } from '../fixtures/worker-pool.ts';
import { explore, type Exploration } from './explore.ts';

answerTasks((part) => explore(part as Pick<Exploration, 'runs' | 'seed'>));
