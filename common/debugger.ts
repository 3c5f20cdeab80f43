import inspector from "node:inspector";

/** Milliseconds between two looks, and after which none is expected any more. */
const LOOK = 1;
const PATIENCE = 2_000;

/**
 * Closes the debugger that the runtime (2.9.3) opens for SIGUSR1 on 127.0.0.1:9229, and no flag forbids: it asks
 * for no login, and shows and changes all that the process holds. It is open for some milliseconds.
 * @param onClosed called when it was closed
 */
export function closeDebugger(onClosed: () => void): void {
  const end = performance.now() + PATIENCE;
  const looking = setInterval(() => {
    const open = inspector.url() !== undefined;
    if (!open && performance.now() < end) return;
    clearInterval(looking);
    if (!open) return;
    inspector.close();
    onClosed();
  }, LOOK);
}
