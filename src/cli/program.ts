// The commands of `keyturn`.
import { Command } from 'commander';
import { packageVersion } from '../worker/package-version.ts';
import { codecServerCommand } from './codec-server.ts';
import { completionCommand } from './completion.ts';
import { decisionCommands } from './decide.ts';
import { doctorCommand } from './doctor.ts';
import { jwksCommand } from './jwks.ts';
import { keysCommand } from './keys.ts';
import { migrateIssuerCommand } from './migrate-issuer.ts';
import { planCommand } from './plan.ts';
import { rotateCommand } from './rotate.ts';
import { scheduleCommand } from './schedule.ts';
import { statusCommand, watchCommand } from './watch.ts';
import { workerCommand } from './worker.ts';

export function createProgram(): Command {
  const program = new Command('keyturn')
    .description('Rotates the key that signs ServiceAccount tokens of a Kubernetes cluster, without rejecting one.')
    .version(packageVersion())
    .option('-c, --config <file>', 'configuration', process.env['KEYTURN_CONFIG'] ?? 'keyturn.yaml')
    .option('--json', 'print JSON');
  program.addCommand(workerCommand());
  program.addCommand(planCommand());
  program.addCommand(rotateCommand());
  program.addCommand(migrateIssuerCommand());
  program.addCommand(statusCommand());
  program.addCommand(watchCommand());
  for (const command of decisionCommands()) program.addCommand(command);
  program.addCommand(scheduleCommand());
  program.addCommand(keysCommand());
  program.addCommand(doctorCommand());
  program.addCommand(jwksCommand());
  program.addCommand(codecServerCommand());
  program.addCommand(completionCommand());
  return program;
}
