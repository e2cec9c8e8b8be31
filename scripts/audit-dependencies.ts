// Known vulnerabilities of everything in the lockfile, as npm's registry tells them.
import { spawnSync } from 'node:child_process';
import { z } from 'zod';

const reportSchema = z.object({
  vulnerabilities: z.record(z.string(), z.object({ severity: z.string() })),
});
const refusalSchema = z.object({ message: z.string() });

/** @throws Error with every package that is vulnerable, or with why that is not known */
export function auditDependencies(root: string): void {
  const { stdout } = spawnSync('npm', ['audit', '--json', '--package-lock-only'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const answer: unknown = JSON.parse(stdout || 'null');
  const report = reportSchema.safeParse(answer);
  if (!report.success) {
    const why = refusalSchema.safeParse(answer).data?.message ?? 'npm audit gave no report';
    throw new Error(
      `Nobody knows whether its dependencies are vulnerable: ${why}. Name a registry that npm audit can ask: npm_config_registry=ADDRESS`,
    );
  }
  const found = Object.entries(report.data.vulnerabilities);
  if (found.length === 0) return;
  const lines = found.map(([name, { severity }]) => `  ${name} (${severity})`);
  throw new Error(`Its dependencies are vulnerable; npm audit tells more:\n${lines.join('\n')}`);
}
