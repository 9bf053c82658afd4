// @ts-check
// A command of the socket as a request of the HTTP interface. Pure.

/**
 * @param {Record<string, any>} command one verb, as on the socket
 * @returns {{method: string, path: string, body?: unknown, own: boolean}} `own`: asked with the phone's ticket cookie, not with the token
 */
export function requestOf({ call_next, change_ticket, walk_in, edit_store, leave, seen }) {
  if (call_next) {
    const { store_id, queue, ...body } = call_next;
    return { method: "POST", path: `${store(store_id)}/queues/${encodeURIComponent(queue)}/call-next`, body, own: false };
  }
  if (change_ticket) {
    const { store_id, ticket, ...body } = change_ticket;
    return { method: "PATCH", path: `${store(store_id)}/tickets/${Number(ticket)}`, body, own: false };
  }
  if (walk_in) {
    const { store_id, ...body } = walk_in;
    return { method: "POST", path: `${store(store_id)}/tickets`, body, own: false };
  }
  if (edit_store) {
    const { store_id, ...body } = edit_store;
    return { method: "PUT", path: store(store_id), body, own: false };
  }
  if (leave) return { method: "DELETE", path: "/v1/ticket", own: true };
  if (seen) return { method: "POST", path: "/v1/ticket/seen", body: seen, own: true };
  throw new TypeError("There is no such command.");
}

/** @param {string} id */
function store(id) {
  return `/v1/stores/${encodeURIComponent(id)}`;
}
