import { type Browser, chromium, type Page } from "playwright-core";

/** Flags for a headless Chromium that talks to nobody but us, also as root and without a GPU. */
const FLAGS: string[] = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Beyond what a busy machine needs: the library waits for half a minute for each thing by default. */
const TIMEOUT_MS = 120_000;

/** Starts Chromium. */
export async function startChromium(flags: readonly string[] = []): Promise<Browser> {
  return await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [...FLAGS, ...flags],
    timeout: TIMEOUT_MS,
  });
}

/** Opens a page. */
export async function openPage(browser: Browser): Promise<Page> {
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  return page;
}
