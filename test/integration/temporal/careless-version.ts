// The same change as in next-version.ts, by someone who forgot `patched`.
import { proxyActivities, type WorkflowInterceptors } from '@temporalio/workflow';

const { lookTwice } = proxyActivities<{ lookTwice(before: string): Promise<void> }>({ startToCloseTimeout: '10 s' });

export const interceptors = (): WorkflowInterceptors => ({
  outbound: [
    {
      async scheduleActivity(input, next) {
        if (input.activityType === 'refresh') await lookTwice(input.activityType);
        return next(input);
      },
    },
  ],
});
