// Workflow code as a next version might change it: it looks twice before two of its steps, and says so by `patched`.
import { patched, proxyActivities, type WorkflowInterceptors } from '@temporalio/workflow';

const { lookTwice } = proxyActivities<{ lookTwice(before: string): Promise<void> }>({ startToCloseTimeout: '10 s' });

export const interceptors = (): WorkflowInterceptors => ({
  outbound: [
    {
      async scheduleActivity(input, next) {
        const isChanged = input.activityType === 'refresh' || input.activityType === 'pruneKey';
        if (isChanged && patched(`look-twice-before-${input.activityType}`)) await lookTwice(input.activityType);
        return next(input);
      },
    },
  ],
});
