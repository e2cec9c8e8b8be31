// Takes the pictures of docs/temporal-ui.md from the running Temporal UI: a real start, a real decision, a real end.
// Needs Chromium: /usr/bin/chromium, or the path in CHROMIUM.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, type Locator, type Page } from 'playwright-core';
import { startEnvironment } from '../src/demo/environment.ts';
import { statusQuery } from '../src/workflows/messages.ts';

const IMAGES = path.join(import.meta.dirname, '..', 'docs', 'images');
const SIZE = { width: 1400, height: 960 };
const FLAGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --disable-lcd-text';
/** Of the UI, which draws the timeline piece by piece. */
const SETTLE_MS = 4000;
const ROTATION_MS = 5 * 60_000;
const WORKFLOW_ID = 'rotate-signing-key/demo';

const directory = await mkdtemp(path.join(tmpdir(), 'keyturn-screenshots-'));
await mkdir(IMAGES, { recursive: true });
const environment = await startEnvironment({
  directory,
  policies: {
    relyingPartyCache: '10s',
    drain: { policy: 'fixed', duration: '20s', allowShorter: 'demo: nobody waits a day for it' },
    gates: ['signing'],
    probeInterval: '500ms',
    probeReload: '5s',
  },
  onProgress: console.log,
});
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: FLAGS.split(' '),
});
try {
  await environment.startWorker();
  const page = await browser.newPage({ viewport: SIZE });
  const workflows = `${environment.temporal.uiUrl}/namespaces/default/workflows`;
  const handle = environment.client.workflow.getHandle(WORKFLOW_ID);
  const reach = async (state: string) => {
    for (const end = Date.now() + ROTATION_MS; Date.now() < end; await page.waitForTimeout(500)) {
      if ((await handle.query(statusQuery).catch(() => null))?.state === state) return;
    }
    throw new Error(`the rotation did not come to "${state}"`);
  };

  await start(page, workflows);
  await reach('gated');
  await look(page, workflows);
  await decide(page);
  await reach('ended');
  await handle.result();
  await audit(page, workflows);
} finally {
  await browser.close();
  await environment.stop();
  await rm(directory, { recursive: true, force: true });
}
process.exit();

/** The form, filled in by a link and with one line of JSON. */
async function start(page: Page, workflows: string): Promise<void> {
  await page.goto(`${workflows}/start-workflow?taskQueue=keyturn&workflowType=rotateSigningKey`);
  await page.getByText('Task Queue is Active').waitFor();
  await page.locator('#workflowId').fill(WORKFLOW_ID);
  await page.locator('.cm-content').first().click();
  await page.keyboard.insertText('{"cluster":"demo"}');
  // The editor formats its content when it is left, which moves the button.
  await page.locator('h1').click();
  await take(page, 'start');
  await page.getByTestId('start-workflow-button').click();
  await page.getByRole('link', { name: 'Workflow started successfully' }).waitFor();
}

/** The gate: on the timeline, and in the current details. */
async function look(page: Page, workflows: string): Promise<void> {
  await page.goto(`${workflows}/${encodeURIComponent(WORKFLOW_ID)}`);
  await page.getByText('Tell operators: asks in Signing').first().waitFor();
  await take(page, 'timeline');
  await page.locator('a', { hasText: 'User Metadata' }).first().click();
  await page.getByText('Current Details').first().waitFor();
  await page.setViewportSize({ ...SIZE, height: 1120 });
  await take(page, 'current-details');
  await page.setViewportSize(SIZE);
}

/** What can be decided, one decision that is refused since it has no reason, and the same one as it is taken. */
async function decide(page: Page): Promise<void> {
  const dialog = page.locator('dialog[open]');
  const submit = dialog.getByRole('button', { name: 'Submit' });
  const open = async () => {
    await page.getByRole('button', { name: 'More Actions' }).click();
    await page.getByRole('menuitem', { name: 'Send an Update' }).first().click();
    await dialog.getByTestId('update-select-button').click();
  };
  const choose = () => dialog.getByRole('option', { name: /^\s*approve/ }).click();

  await open();
  await take(dialog, 'decisions');
  await choose();
  await submit.click();
  await dialog.getByText('needs a reason').first().waitFor();
  await take(dialog, 'refused');
  await dialog.getByRole('button', { name: 'Cancel' }).last().click();

  await open();
  await choose();
  await dialog.locator('.cm-content').click();
  await page.keyboard.insertText(JSON.stringify({ reason: 'CHG-1234 is approved', by: 'jo@example.com' }, null, 2));
  await take(dialog, 'approve');
  await submit.click();
  await dialog.waitFor({ state: 'hidden' });
}

/** What stays: the timeline with the decision, the audit record as the result, and how to find it again. */
async function audit(page: Page, workflows: string): Promise<void> {
  await page.goto(`${workflows}/${encodeURIComponent(WORKFLOW_ID)}`);
  await page.getByText('Tell operators: completed').first().waitFor();
  await page.setViewportSize({ ...SIZE, height: 720 });
  await take(page, 'audit');
  await page.setViewportSize({ ...SIZE, height: 1640 });
  await page.waitForTimeout(SETTLE_MS);
  const heading = await page.getByRole('heading', { name: 'Timeline' }).first().boundingBox();
  if (heading === null) throw new Error('the timeline is not there');
  const clip = { x: heading.x, y: heading.y + 60, width: SIZE.width - heading.x, height: 1640 - heading.y - 60 };
  await page.screenshot({ path: fileOf('whole-timeline'), clip });
  await page.setViewportSize({ ...SIZE, height: 560 });
  await page.goto(`${workflows}?query=${encodeURIComponent('KeyturnCluster="demo"')}`);
  await page.getByText(WORKFLOW_ID).first().waitFor();
  await take(page, 'find');
}

async function take(what: Page | Locator, name: string): Promise<void> {
  const page = 'page' in what ? what.page() : what;
  await page.waitForTimeout(SETTLE_MS);
  await what.screenshot({ path: fileOf(name) });
  console.log(`took ${name}`);
}

function fileOf(name: string): string {
  return path.join(IMAGES, `temporal-ui-${name}.png`);
}
