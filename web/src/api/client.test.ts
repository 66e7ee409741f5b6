import { afterEach, expect, test, vi } from "vitest";
import { ApiError, get, withParams } from "./client";

afterEach(() => vi.unstubAllGlobals());

const answer = (body: string, init: ResponseInit) => vi.stubGlobal("fetch", () => Promise.resolve(new Response(body, init)));

test("parameters: absent ones are left out, lists repeat", () => {
  expect(withParams("/red", { service: "a b", env: undefined, step: 0, filter: ["k:v", "x:y"] })).toBe("/red?service=a+b&step=0&filter=k%3Av&filter=x%3Ay");
  expect(withParams("/status")).toBe("/status");
});

test("a problem document becomes an error with the id to quote", async () => {
  answer(JSON.stringify({ type: "about:blank", title: "Unknown field", status: 400, detail: 'no field "servce"', request_id: "r-1" }), {
    status: 400,
    headers: { "Content-Type": "application/problem+json" },
  });
  const error = (await get("/traces").catch((e: unknown) => e)) as ApiError;
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ message: "Unknown field", status: 400, detail: 'no field "servce"', id: "r-1" });
});

test("an answer from something in between still reads as a sentence", async () => {
  answer("<html>", { status: 502, statusText: "Bad Gateway", headers: { "X-Request-Id": "r-2" } });
  await expect(get("/status")).rejects.toMatchObject({ message: "The server answered 502 Bad Gateway", id: "r-2" });
});

test("no connection is told apart from a query that was left", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed to fetch")));
  await expect(get("/status")).rejects.toMatchObject({ status: 0, message: "Tidemark cannot be reached" });
  const gone = AbortSignal.abort();
  await expect(get("/status", {}, gone)).rejects.toBeInstanceOf(TypeError);
});
