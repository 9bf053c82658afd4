// @ts-check
/**
 * The secret of the link that was opened, which leaves the address bar first. Another link in the same tab begins anew.
 * @returns {string} as it is where it cannot be read: then it is none that works
 */
export function takeSecret() {
  const hash = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  addEventListener("hashchange", () => location.reload());
  try {
    return decodeURIComponent(hash);
  } catch {
    return hash;
  }
}
