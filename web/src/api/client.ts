// Talks to /api/v1. Errors are RFC 9457 problem documents and become ApiError;
// requests take the AbortSignal that TanStack Query hands out, so that leaving a
// view cancels its queries in the store too.

export interface Problem {
  type?: string;
  title: string;
  status: number;
  detail?: string;
  /** An id to quote: the request's, as the server logged it. */
  instance?: string;
  request_id?: string;
}

export class ApiError extends Error {
  readonly status: number;
  readonly detail: string | undefined;
  readonly id: string | undefined;
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.title);
    this.name = "ApiError";
    this.problem = problem;
    this.status = problem.status;
    this.detail = problem.detail;
    this.id = problem.request_id ?? problem.instance;
  }
}

export type Params = Record<string, string | number | boolean | undefined | null | readonly string[]>;

/** Appends parameters; absent and empty ones are left out, lists repeat their key. */
export function withParams(path: string, params: Params = {}): string {
  const q = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value === undefined || value === null || value === "") continue;
    if (Array.isArray(value)) for (const v of value) q.append(key, v);
    else q.set(key, String(value));
  }
  const text = q.toString();
  return text ? `${path}?${text}` : path;
}

async function failure(res: Response): Promise<ApiError> {
  const id = res.headers.get("X-Request-Id") ?? undefined;
  const isJSON = /json/.test(res.headers.get("Content-Type") ?? "");
  const body = isJSON ? ((await res.json().catch(() => null)) as Partial<Problem> | null) : null;
  return new ApiError({
    ...body,
    title: body?.title ?? `The server answered ${res.status} ${res.statusText}`.trim(),
    status: res.status,
    request_id: body?.request_id ?? id,
  });
}

async function request<T>(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  let res: Response;
  try {
    res = await fetch(`/api/v1${path}`, {
      method,
      signal,
      headers: body === undefined ? { Accept: "application/json" } : { Accept: "application/json", "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError({ title: "Tidemark cannot be reached", status: 0, detail: "The process may be restarting, or the network is down." });
  }
  if (!res.ok) throw await failure(res);
  if (res.status === 204) return undefined as T;
  return (await res.json()) as T;
}

export const get = <T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> => request<T>("GET", withParams(path, params), undefined, signal);
export const put = <T>(path: string, body: unknown): Promise<T> => request<T>("PUT", path, body);
export const post = <T>(path: string, body: unknown = {}, signal?: AbortSignal): Promise<T> => request<T>("POST", path, body, signal);
export const del = <T>(path: string): Promise<T> => request<T>("DELETE", path, undefined);
