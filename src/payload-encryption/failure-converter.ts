// Puts messages and stacks of failures where the codec encrypts them. The SDK loads this file by its path, into the workflow bundle too.
import { DefaultFailureConverter } from '@temporalio/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
