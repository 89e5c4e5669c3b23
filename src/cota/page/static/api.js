// Asking the page's server. Errors carry a sentence for the operator.

export class AskError extends Error {
  constructor(status, body) {
    super(body.message || "The page's server did not answer.");
    this.status = status;
    this.hint = body.hint || "";
    this.fields = body.fields || {};
  }
}

let token = "";
let onEnd = () => {};

/** @param {(sentence: string) => void} act called when the session has ended */
export function whenEnded(act) {
  onEnd = act;
}

/** Who is logged in; also fetches what every POST needs. */
export async function session() {
  return keep(await get("api/session"));
}

/** Log in. */
export async function logIn(fields) {
  await session();
  return keep(await post("api/login", fields));
}

function keep(found) {
  token = found.csrf;
  return found;
}

export function get(path) {
  return ask(path, { headers: { accept: "application/json" } });
}

export function post(path, body) {
  return ask(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": token },
    body: JSON.stringify(body),
  });
}

/** POST a file as it is; the fields travel in the address. */
export function send(path, fields, file) {
  return ask(`${path}?${new URLSearchParams(fields)}`, {
    method: "POST", headers: { "content-type": "application/octet-stream", "x-csrf-token": token }, body: file,
  });
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw new AskError(0, { message: "The page's server cannot be reached.", hint: "Is cota still running?" });
  }
  let body = {};
  try {
    body = await answer.json();
  } catch {
    // An answer without a body: the status says it.
  }
  if (answer.ok) return body;
  const error = new AskError(answer.status, body);
  if (body.ended) onEnd(error.message);
  if (body.reload && answer.status === 403) {
    const now = await session();
    if (!now.user && now.ended) onEnd(now.ended);
  }
  throw error;
}
