// Starts the real program on free ports with an empty data directory, and stops it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const root = new URL("../..", import.meta.url).pathname;
const READY_MS = 90_000;
const STOP_MS = 25_000;

export class Product {
  readonly url: string;
  readonly otlp: string;
  private readonly child: ChildProcess;
  private readonly dir: string;

  private constructor(child: ChildProcess, dir: string, http: string, otlp: string) {
    this.child = child;
    this.dir = dir;
    this.url = `http://${http}`;
    this.otlp = `http://${otlp}`;
  }

  /** Resolves at the program's readiness line. Own telemetry is off: what is stored is what the test sent. */
  static async start(args: string[] = ["--self-telemetry=false"]): Promise<Product> {
    const dir = mkdtempSync(join(tmpdir(), "tidemark-web-"));
    const bin = process.env.TIDEMARK_BIN ?? join(root, "bin/tidemark");
    const free = ["--http-addr", "--otlp-grpc-addr", "--otlp-http-addr"].flatMap((f) => [f, "127.0.0.1:0"]);
    const child = spawn(bin, ["--data-dir", join(dir, "data"), ...free, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stderr!.on("data", (b: Buffer) => (said = (said + b.toString()).slice(-4000)));
    try {
      const ready = await readiness(child, () => said);
      return new Product(child, dir, ready.http!, ready.otlp_http!);
    } catch (e) {
      child.kill("SIGKILL");
      rmSync(dir, { recursive: true, force: true });
      throw e;
    }
  }

  async stop(): Promise<void> {
    const ended = new Promise((r) => this.child.once("exit", r));
    if (this.child.exitCode === null) {
      this.child.kill("SIGTERM");
      const late = setTimeout(() => this.child.kill("SIGKILL"), STOP_MS);
      await ended;
      clearTimeout(late);
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The line "ready http=HOST:PORT otlp_grpc=… otlp_http=… pid=N engine_pid=N" as a record. */
function readiness(child: ChildProcess, said: () => string): Promise<Record<string, string>> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`tidemark was not ready in ${READY_MS / 1000} s:\n${said()}`)), READY_MS);
    createInterface(child.stdout!).on("line", (line) => {
      if (!line.startsWith("ready ")) return;
      clearTimeout(late);
      resolve(Object.fromEntries(line.split(" ").slice(1).map((p) => p.split("=", 2) as [string, string])));
    });
    child.once("error", (e) => (clearTimeout(late), reject(e)));
    child.once("exit", (code) => (clearTimeout(late), reject(new Error(`tidemark ended with ${code} before it was ready:\n${said()}`))));
  });
}
